"""Abort latency: from a breaching value to everything reverted, as the report has it and as a process that was paused feels it.

The second is measured beside Chaos Toolkit with a hypothesis that is tested all the time: both look every 100 ms, by starting `cat`.
"""

import json
import pathlib
import subprocess
import time

from figures import IS_ROOT, figure, until
from start import PEER, chaos_toolkit
from workshop import Workshop

ROUNDS = 30
ROUNDS_OF_PEER = 5

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


def process(path, *arguments):
    """A provider of Chaos Toolkit that starts a program."""
    return {"type": "process", "path": path, "arguments": list(map(str, arguments))}


def experiment_of_peer(flag, pid):
    """Pauses a process, goes on in steps of 50 ms, and continues it as a rollback."""
    probe = {
        "type": "probe", "name": "low", "tolerance": {"type": "regex", "target": "stdout", "pattern": "^[0-5]$"},
        "provider": process("/bin/cat", flag),
    }
    step = {
        "type": "action", "name": "step", "pauses": {"after": 0.05}, "provider": {"type": "python", "module": "os", "func": "getcwd"},
    }
    return {
        "title": "abort latency", "description": "pauses a process", "tags": [],
        "steady-state-hypothesis": {"title": "low", "probes": [probe]},
        "method": [
            {"type": "action", "name": "pause", "provider": process("/bin/kill", "-STOP", pid)},
            *([step] * 400),
        ],
        "rollbacks": [{"type": "action", "name": "continue", "provider": process("/bin/kill", "-CONT", pid)}],
    }


def is_stopped(pid):
    """Whether a process stands still."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def breach(flag):
    """Writes the value that is too high, at once for whoever reads."""
    new = flag.with_suffix(".new")
    new.write_text("9\n")
    new.rename(flag)


def felt(flag, pid):
    """How many milliseconds after the breach a process runs again."""
    began = time.perf_counter()
    breach(flag)
    until(lambda: not is_stopped(pid), seconds=30)
    return (time.perf_counter() - began) * 1000


def abort_latency(workshop, title, inject, paused=None):
    """From the breaching sample's arrival to the last fault reverted; and as the paused process feels it."""
    flag, report = workshop.folder / "flag", workshop.folder / "report.json"
    script = workshop.script("abort.lua", ABORT.format(flag=flag, inject=inject))
    took, whole, outside = [], [], []
    for _ in range(ROUNDS):
        flag.write_text("0\n")
        command = [str(workshop.program), "run", script, "--state-dir", str(workshop.state), "--report", str(report)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if "script: ready" in line:
                if paused:
                    outside.append(felt(flag, paused))
                else:
                    breach(flag)
        assert child.wait() == 3, f"exit {child.returncode}"
        data = json.loads(report.read_text())
        reverted = max(fault["reverted_ms"] for fault in data["faults"])
        breaching = [sample for sample in data["metrics"][0]["samples"] if sample.get("value", 0) > 5][0]
        took.append(reverted - data["abort"]["at_ms"])
        whole.append(reverted - breaching["at_ms"])
    yield figure(f"abort of {title}: breaching value seen to all reverted", "ms", took, most=20)
    yield figure(f"abort of {title}: sample asked for (a process) to all reverted", "ms", whole, most=20)
    if paused:
        chaos = chaos_toolkit()
        peer = (f"{PEER}, continuously every 100 ms, fail fast", felt_of_peer(workshop, chaos, flag, paused)) if chaos else ()
        yield figure(f"abort of {title}: value changes to the process runs again", "ms", outside, *peer)


def felt_of_peer(workshop, chaos, flag, pid):
    """The same by Chaos Toolkit."""
    path = workshop.folder / "abort.json"
    path.write_text(json.dumps(experiment_of_peer(flag, pid)))
    command = [
        chaos, "--settings", str(workshop.folder / "settings.yaml"), "--no-version-check", "--no-log-file", "run",
        "--rollback-strategy", "always", "--hypothesis-strategy", "continuously", "--hypothesis-frequency", "0.1", "--fail-fast",
        "--journal-path", str(workshop.folder / "journal.json"), str(path),
    ]
    times = []
    for _ in range(ROUNDS_OF_PEER):
        flag.write_text("0\n")
        child = subprocess.Popen(command, cwd=workshop.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: is_stopped(pid), seconds=20)
        time.sleep(1)
        times.append(felt(flag, pid))
        child.wait()
    return times


def rows(program):
    """Of a fault that the journal holds, of one that the kernel holds, and of both."""
    with Workshop(program) as workshop:
        sleeper = workshop.start("sleep", "600").pid
        pause = f"inject(fault.process.pause {{ target = target.process {{ pid = {sleeper} }} }})"
        yield from abort_latency(workshop, "process.pause", pause, paused=sleeper)
        if IS_ROOT:
            name = workshop.namespace("abort")
            cut = f'inject(fault.network.partition {{ target = target.netns {{ name = "{name}" }}, to = "192.0.2.1" }})'
            yield from abort_latency(workshop, "network.partition", cut)
            yield from abort_latency(workshop, "both", pause + "\n    " + cut)
