#!/usr/bin/env python3
"""Runs the benchmarks on a release build: one table, the ratio to a peer of the same run first, and bench/results.json.

    bench/run.py PROGRAM [SECTION…]      sections: start aborts kinds network names proxy metrics accuracy

Sections that need root, or a tool that is not installed, are left out, and said. The exit code is 1 when a bound is missed.
"""

import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import time
import traceback

import aborts
import accuracy
import kinds
import start
from figures import IS_ROOT, figure, heading, misses, run, show

BENCH = pathlib.Path(__file__).resolve().parent


def told(script, result, *arguments):
    """What a script that is a program of its own has written into a file."""
    path = BENCH / result
    path.unlink(missing_ok=True)
    done = run(sys.executable, str(BENCH / script), *arguments)
    if not path.exists():
        raise SystemExit(f"{script}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(path.read_text())


def network(program):
    """Many namespaces at once, and what nfqueue bears."""
    result = told("network.py", "network-results.json", program)
    for count in (200, 1000):
        one = result[f"namespaces_{count}"]
        for index, what in enumerate(("inject", "revert")):
            seconds, ratios = one[f"{what}_s"], one.get("ratios")
            peer = ("nft and tc as processes", [seconds * ratios[index]]) if ratios else ()
            bounds = {"most": 0.5, "ratio_most": 0.2} if ratios else {}
            yield figure(f"{count} namespaces, {one['engine']}: {what}", "s", [seconds], *peer, **bounds)
        if count == 1000:
            for what in ("inject", "revert"):
                few = result["namespaces_200"][f"{what}_s"]
                yield figure(
                    f"1000 namespaces: {what}", "s", [one[f"{what}_s"]], "200 namespaces", [few], ratio_most=8
                )
    for name, one in result.items():
        if name.startswith("rate_"):
            rate = f"nfqueue at {one['sent']:,.0f} packets/s"
            yield figure(f"{rate}: adds to a round trip", "ms", [one["added_ms"]])
            yield figure(f"{rate}: pings lost", "%", [one["lost"] * 100])
            yield figure(f"{rate}: packets passed by", "", [one["bypassed"]])


def names(program):
    """DNS beside dnsmasq."""
    result = told("names.py", "results-names.json", program)
    for kind, title, least in (("pass", "DNS, passed on", 1), ("own", "DNS, answered by itself", 0.5)):
        ours, theirs = result[f"{kind} moonquake"], result[f"{kind} dnsmasq"]
        yield figure(title, "queries/s", [ours[0]], "dnsmasq without cache", [theirs[0]], ratio_least=least)
        yield figure(f"{title}: processor of each", "µs", [ours[1]], "dnsmasq without cache", [theirs[1]])


def proxy(program):
    """HTTP beside nginx and HAProxy."""
    result = told("proxy.py", "results-proxy.json", program, "worker", "requests")
    for key, ours in result["moonquake"].items():
        if key == "idle_kb":
            for peer in ("haproxy", "nginx"):
                yield figure("HTTP: an idle connection", "kB", [ours], peer, [result[peer][key]], most=10)
            continue
        for peer in ("haproxy", "nginx"):
            theirs = result[peer][key]
            bounds = {"ratio_most": 1.5} if peer == "haproxy" and "64" in key else {}
            yield figure(f"HTTP, {key}: processor of a request", "µs", [ours["us"]], peer, [theirs["us"]], **bounds)
        bounds = {"most": 15} if key == "256 connections, kept" else {}
        yield figure(f"HTTP, {key}: p99", "ms", [ours["p99"]], "haproxy", [result["haproxy"][key]["p99"]], **bounds)


def metrics(program):
    """What 200 metrics a second cost the runner."""
    for kind, (share, longest) in told("metrics.py", "results-metrics.json", program).items():
        yield figure(f"200 metrics each second, {kind}: of a core", "%", [share * 100], most=20)
        yield figure(f"200 metrics each second, {kind}: longest between two samples", "ms", [longest], "asked for", [1000], most=1500)


# What each needs beside Python: root or not, and tools.
SECTIONS = {
    "start": (start.rows, False, ["lua5.4"]),
    "aborts": (aborts.rows, False, []),
    "kinds": (kinds.rows, True, ["tc", "nft", "dnsmasq", "nginx", "haproxy", "stress-ng", "prlimit", "mkfs.ext4"]),
    "network": (network, True, ["tc", "nft", "ping"]),
    "names": (names, True, ["dnsmasq", "dnsperf", "dig"]),
    "proxy": (proxy, False, ["nginx", "haproxy", "wrk", "taskset"]),
    "metrics": (metrics, False, ["prometheus"]),
    "accuracy": (accuracy.rows, True, ["dnsmasq", "nginx", "stress-ng", "ping", "mkfs.ext4"]),
}


def lacking(needs_root, tools):
    """Why a section cannot run."""
    missing = [name for name in tools if not shutil.which(name)]
    if needs_root and not IS_ROOT:
        return "needs root"
    return f"needs {', '.join(missing)}: make setup" if missing else None


def machine():
    """Where and when."""
    model = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "kernel": platform.release(), "processors": os.cpu_count(), "model": model[0].split(":")[1].strip() if model else "",
        "load_before": os.getloadavg()[0], "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def main():
    """Runs the sections that are asked for, all unless some are named."""
    if len(sys.argv) < 2 or any(name not in SECTIONS for name in sys.argv[2:]):
        raise SystemExit(__doc__)
    # What was begun is put away also when the user has seen enough.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    os.chdir(BENCH.parent)
    where, rows, missed = machine(), [], []
    print(f"{where['model']}, {where['processors']} processors, Linux {where['kernel']}, load {where['load_before']:.1f}")
    heading()
    for section in sys.argv[2:] or SECTIONS:
        measure, *needs = SECTIONS[section]
        if reason := lacking(*needs):
            print(f"skipped: {section} {reason}", file=sys.stderr)
            continue
        try:
            for row in measure(program):
                rows.append({"section": section} | row)
                show([row])
                missed += misses(row)
        except (Exception, SystemExit) as error:  # the others are worth their time all the same
            traceback.print_exc()
            missed.append(f"{section} ended early: {error!r}")
    (BENCH / "results.json").write_text(json.dumps({"machine": where, "rows": rows, "missed": missed}, indent=2) + "\n")
    for text in missed:
        print(f"bench: missed: {text}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
