"""Measures what docs/performance.md promises, each figure beside a peer or the bare operation in the same run.

This machine may be shared: the ratios are what counts. Nothing outside namespaces and processes made here is
touched, and everything is removed at the end.
"""

import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = 30


def percentile(values, share):
    """The value that a share of the values does not exceed, by nearest rank."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def milliseconds(action):
    """How long an action takes."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def run(*arguments, **options):
    """Runs a program to its end and returns it; its output is kept."""
    return subprocess.run(arguments, capture_output=True, text=True, check=False, **options)


class Workshop:
    """A folder and a network namespace of our own, removed at the end."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="moonquake-bench-"))
        self.state = self.folder / "state"
        self.namespace = f"mqb-{os.getpid()}"
        self.children = []

    def __enter__(self):
        if os.geteuid() == 0:
            run("ip", "netns", "add", self.namespace)
            run("ip", "-n", self.namespace, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.send_signal(signal.SIGKILL)
            child.wait()
        if os.geteuid() == 0:
            run("ip", "netns", "delete", self.namespace)
        shutil.rmtree(self.folder)

    def script(self, name, text):
        """Writes a script and returns its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def sleeper(self):
        """Starts a process that can be paused."""
        child = subprocess.Popen(["sleep", "600"])
        self.children.append(child)
        return child


def cold_start(workshop):
    """`moonquake check` on a small script, beside starting the bare Lua interpreter on it."""
    script = workshop.script("small.lua", "inject(fault.noop { target = target.host {} })\n")
    plain = workshop.script("plain.lua", "local x = 1\n")
    check = lambda: run(str(PROGRAM), "check", script)
    assert check().returncode == 0, check().stderr
    for _ in range(5):
        check()
    ours = [milliseconds(check) for _ in range(ROUNDS)]
    peer = [milliseconds(lambda: run("lua5.4", plain)) for _ in range(ROUNDS)]
    return {
        "name": "moonquake check, cold start",
        "unit": "ms",
        "p50": statistics.median(ours),
        "p95": percentile(ours, 0.95),
        "limit": 15,
        "peer": "lua5.4 on a one-line script",
        "peer_p50": statistics.median(peer),
    }


def trivial_run(workshop):
    """A whole run of a fault that does nothing: agent, journal, report."""
    script = workshop.script("noop.lua", "inject(fault.noop { target = target.host {} })\n")
    whole = lambda: run(str(PROGRAM), "run", script, "--state-dir", str(workshop.state))
    assert whole().returncode == 7, whole().stderr
    ours = [milliseconds(whole) for _ in range(ROUNDS)]
    peer = [milliseconds(lambda: run("true")) for _ in range(ROUNDS)]
    return {
        "name": "moonquake run of noop, whole",
        "unit": "ms",
        "p50": statistics.median(ours),
        "p95": percentile(ours, 0.95),
        "peer": "fork and exec of true",
        "peer_p50": statistics.median(peer),
    }


ABORT = """
experiment "abort latency" {{
  steady_state = {{
    every = "100ms", warmup = "100ms", recovery = "1s",
    metrics = {{ probe = metric.command {{ run = {{ "/bin/cat", "{flag}" }}, abort_above = 5, no_data = "ignore" }} }},
  }},
  run = function()
    {inject}
    log("ready")
    wait "20s"
  end,
}}
"""


def abort_latency(workshop, title, inject):
    """From the breaching sample's arrival to the last fault reverted, as the report has it."""
    flag = workshop.folder / "flag"
    script = workshop.script("abort.lua", ABORT.format(flag=flag, inject=inject))
    report = workshop.folder / "report.json"
    took, whole = [], []
    for _ in range(ROUNDS):
        flag.write_text("0\n")
        command = [str(PROGRAM), "run", script, "--state-dir", str(workshop.state), "--report", str(report)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if "script: ready" in line:
                temporary = workshop.folder / "flag.new"
                temporary.write_text("9\n")
                temporary.rename(flag)
        assert child.wait() == 3, f"exit {child.returncode}"
        data = json.loads(report.read_text())
        reverted = max(fault["reverted_ms"] for fault in data["faults"])
        breach = [p for p in data["metrics"][0]["samples"] if p.get("value", 0) > 5][0]
        took.append(reverted - data["abort"]["at_ms"])
        whole.append(reverted - breach["at_ms"])
    return [
        {
            "name": f"{title}: breaching value seen to all reverted",
            "unit": "ms", "p50": statistics.median(took), "p95": percentile(took, 0.95), "limit": 20,
        },
        {
            "name": f"{title}: sample asked for (a process) to all reverted",
            "unit": "ms", "p50": statistics.median(whole), "p95": percentile(whole, 0.95), "limit": 20,
        },
    ]


def main():
    """Runs every benchmark and prints the table."""
    rows = []
    with Workshop() as workshop:
        rows.append(cold_start(workshop))
        rows.append(trivial_run(workshop))
        sleeper = workshop.sleeper()
        pause = f"inject(fault.process.pause {{ target = target.process {{ pid = {sleeper.pid} }} }})"
        rows += abort_latency(workshop, "process.pause", pause)
        if os.geteuid() == 0:
            partition = (
                "inject(fault.network.partition { target = target.netns { name = \"%s\" }, to = \"192.0.2.1\" })"
                % workshop.namespace
            )
            rows += abort_latency(workshop, "network.partition", partition)
            rows += abort_latency(workshop, "both", pause + "\n    " + partition)
        else:
            print("skipped: network.partition needs root", file=sys.stderr)
    show(rows)
    pathlib.Path("bench/results.json").write_text(json.dumps(rows, indent=2) + "\n")
    over = [row for row in rows if row["p95"] > row.get("limit", float("inf"))]
    sys.exit(1 if over else 0)


def show(rows):
    """Prints the rows as a table, the ratio to the peer first."""
    print(f"{'ratio':>7}  {'p50':>8}  {'p95':>8}  {'limit':>6}  what")
    for row in rows:
        ratio = f"{row['p50'] / row['peer_p50']:.1f}x" if "peer_p50" in row else ""
        peer = f"  (beside {row['peer']}: {row['peer_p50']:.2f} {row['unit']})" if "peer" in row else ""
        limit = f"{row['limit']}" if "limit" in row else ""
        print(f"{ratio:>7}  {row['p50']:>8.2f}  {row['p95']:>8.2f}  {limit:>6}  {row['name']}, {row['unit']}{peer}")


if __name__ == "__main__":
    main()
