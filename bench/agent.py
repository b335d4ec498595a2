"""An agent, spoken to by lines as the runner does (docs/agent-protocol.md)."""

import json
import shutil
import subprocess
import tempfile


class Agent:
    """An agent with a state directory of its own."""

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="moonquake-bench-")
        self.process = subprocess.Popen(
            [str(program), "agent", "--state-dir", self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )
        self.id = 0

    def __enter__(self):
        self.ask("hello", {
            "protocol_version": 1, "run": "20260101-000000-bbbbbb", "protected_endpoints": [],
            "protected_processes": [], "term_ms": 600000,
        })
        return self

    def ask(self, operation, body=None):
        """Asks and waits for the answer; events in between are left out."""
        self.id += 1
        request = {"id": self.id, "op": operation} | ({} if body is None else {"body": body})
        self.process.stdin.write(json.dumps(request) + "\n")
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self.id:
                if answer["reply"] == "failed":
                    raise SystemExit(f"bench: {operation}: {answer['body']['message']}")
                return answer.get("body")
        raise SystemExit("bench: the agent ended")

    def event(self, kind):
        """Waits for an event and returns what it says."""
        for line in self.process.stdout:
            told = json.loads(line)
            if told.get("event") == kind:
                return told["body"]
        raise SystemExit("bench: the agent ended")

    @staticmethod
    def spec(fault, selector, options):
        """A fault as a script asks for it."""
        kind, given = selector
        return {"fault": fault, "options": options, "target": {"kind": kind, "options": given}}

    def targets(self, spec):
        """What a fault would hit."""
        plan = self.ask("plan", {"spec": spec, "limit": {"count": 1}, "seed": 7})
        return [planned["target"] for planned in plan["targets"]]

    def inject(self, spec, targets):
        """Makes a fault, with a seed of its own; returns when it is verified."""
        return self.ask("inject", {"spec": spec, "targets": targets, "deadline_ms": 600000, "seed": 7 + self.id})

    def revert(self):
        """Puts everything back, and says what was measured."""
        records = self.ask("revert", [])
        for record in records:
            if record["outcome"] not in ("reverted", "gone"):
                raise SystemExit(f"bench: {record}")
        return records

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
