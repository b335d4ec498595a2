#!/usr/bin/env python3
"""Says what ran in the lab, from the event streams of its test processes: judge.py RESULTS ALLOWED-SKIPS PATTERN…

RESULTS has N.jsonl for the N-th pattern, in the format of Swift Testing's event stream. Exits with 1 when a pattern ran
no test, when a test was skipped that no line of ALLOWED-SKIPS matches, or when a test failed or did not end.
"""

import json
import pathlib
import re
import sys


def records(path):
    """The records of a stream; a torn last line is what a crash leaves."""
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def lines(path):
    """The lines of a list without comments."""
    stripped = (line.split("#")[0].strip() for line in pathlib.Path(path).read_text().splitlines())
    return [line for line in stripped if line]


def outcome(path):
    """The names of tests that started, ended, failed and were skipped."""
    functions, suites = set(), set()
    seen = {"testStarted": set(), "testEnded": set(), "testSkipped": set(), "issueRecorded": set()}
    for record in records(path):
        payload = record.get("payload", {})
        if record.get("kind") == "test":
            (functions if payload.get("kind") == "function" else suites).add(payload["id"])
        elif record.get("kind") == "event" and payload.get("kind") in seen and "testID" in payload:
            if payload["kind"] == "issueRecorded" and payload.get("issue", {}).get("isKnown"):
                continue
            seen[payload["kind"]].add(payload["testID"])
    return functions, suites, seen


def main():
    """Judges each pattern."""
    results, allowed = pathlib.Path(sys.argv[1]), [re.compile(line) for line in lines(sys.argv[2])]
    problems = []
    for number, pattern in enumerate(sys.argv[3:], 1):
        functions, suites, seen = outcome(results / f"{number}.jsonl")
        skipped = seen["testSkipped"]
        ran = (seen["testStarted"] & functions) - skipped
        print(f"lab: {pattern}: {len(ran)} tests ran, {len(skipped)} skipped")
        if not ran:
            problems.append(f"{pattern}: no test ran")
        problems += [
            f"{name}: skipped, but the lab has what it needs" for name in sorted(skipped)
            if not any(rule.search(name) for rule in allowed)
        ]
        problems += [f"{name}: did not end" for name in sorted(ran - seen["testEnded"])]
        problems += [f"{name}: failed" for name in sorted(seen["issueRecorded"])]
    for problem in problems:
        print(f"lab: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
