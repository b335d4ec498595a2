"""What it costs to begin: cold start, a trivial experiment and its memory beside Chaos Toolkit's; and a call from Lua beside Lua's own."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

from figures import figure, milliseconds, run, tool, until
from workshop import Workshop

ROUNDS = 30
ROUNDS_OF_PEER = 10
PEER = "Chaos Toolkit"
VERSIONS = ["chaostoolkit==1.19.0"]
SMALL = "inject(fault.noop { target = target.host {} })\n"

# What `fault.noop` is to us: a step that calls a function which does nothing of note, in its own process.
TRIVIAL = {
    "title": "trivial", "description": "calls one function", "tags": [],
    "method": [{"type": "action", "name": "noop", "provider": {"type": "python", "module": "os", "func": "getcwd"}}],
    "rollbacks": [],
}


def chaos_toolkit():
    """The program of Chaos Toolkit, in a virtual environment of the benchmark's own; nothing when it cannot be had."""
    folder = pathlib.Path(__file__).resolve().parent.parent / ".build-bench"
    program = folder / "bin/chaos"
    if not program.exists():
        made = run(sys.executable, "-m", "venv", "--clear", str(folder))
        if made.returncode == 0:
            made = run(str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *VERSIONS)
        if made.returncode != 0:
            print(f"skipped: {PEER} cannot be installed: {made.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return None
    return str(program)


def command_of_peer(workshop, program, *arguments):
    """A command line of Chaos Toolkit that asks no server whether it is new, and writes no log."""
    path = workshop.folder / "trivial.json"
    path.write_text(json.dumps(TRIVIAL))
    settings = ["--settings", str(workshop.folder / "settings.yaml"), "--no-version-check", "--no-log-file"]
    return [program, *settings, *arguments, str(path)]


def cold_start(workshop, chaos):
    """`moonquake check` on a small script, beside `chaos validate`, and beside the bare Lua interpreter."""
    script, plain = workshop.script("small.lua", SMALL), workshop.script("plain.lua", "local x = 1\n")
    check = lambda: tool(str(workshop.program), "check", script)
    for _ in range(5):
        check()
    ours = [milliseconds(check) for _ in range(ROUNDS)]
    bare = [milliseconds(lambda: run("lua5.4", plain)) for _ in range(ROUNDS)]
    yield figure("cold start: `moonquake check`", "ms", ours, "lua5.4 on a line", bare, most=15)
    if chaos:
        validate = command_of_peer(workshop, chaos, "validate")
        tool(*validate, cwd=workshop.folder)
        theirs = [milliseconds(lambda: tool(*validate, cwd=workshop.folder)) for _ in range(ROUNDS_OF_PEER)]
        yield figure("cold start: `moonquake check`", "ms", ours, f"{PEER}: `chaos validate`", theirs)


def trivial_run(workshop, chaos):
    """A whole run of a fault that does nothing: agent, journal, report."""
    script = workshop.script("noop.lua", SMALL)
    whole = lambda: run(str(workshop.program), "run", script, "--state-dir", str(workshop.state))
    done = whole()
    assert done.returncode == 7, done.stderr
    ours = [milliseconds(whole) for _ in range(ROUNDS)]
    bare = [milliseconds(lambda: run("true")) for _ in range(ROUNDS)]
    yield figure("a whole run of `noop`", "ms", ours, "fork and exec of `true`", bare)
    if chaos:
        command = command_of_peer(workshop, chaos, "run", "--journal-path", str(workshop.folder / "journal.json"))
        tool(*command, cwd=workshop.folder)
        theirs = [milliseconds(lambda: tool(*command, cwd=workshop.folder)) for _ in range(ROUNDS_OF_PEER)]
        yield figure("a whole run of `noop`", "ms", ours, f"{PEER}: `chaos run` of one step", theirs)


def most_resident(pid):
    """The most memory in MiB that a process ever had."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024


def memory(workshop, chaos):
    """The most memory of runner and agent in a run, together: with a fault, a metric and a second of samples."""
    script = workshop.script("memory.lua", """
        steady_state {
          every = "100ms", warmup = "100ms",
          metrics = { probe = metric.command { run = { "/bin/true" }, measure = "exit_status", below = 1 } },
        }
        inject(fault.noop { target = target.host {} })
        wait "1s"
        log("on")
        wait "200ms"
        """)
    runner, agent = [], []
    for _ in range(5):
        command = [str(workshop.program), "run", script, "--state-dir", str(workshop.state)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if "script: on" in line:
                runner.append(most_resident(child.pid))
                agent.append(sum(most_resident(pid) for pid in agents(child.pid)))
        child.wait()
    both = [sum(pair) for pair in zip(runner, agent)]
    peer = ()
    if chaos:
        command = command_of_peer(workshop, chaos, "run", "--journal-path", str(workshop.folder / "journal.json"))
        peer = (f"{PEER}, its one process", [most_of_child(command, workshop.folder) for _ in range(3)])
    yield figure("memory of a run: runner and agent", "MiB", both, *peer)
    yield figure("memory of a run: runner", "MiB", runner)
    yield figure("memory of a run: agent", "MiB", agent)


def agents(pid):
    """The agents below a process."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"\0agent\0" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
                yield int(child)


def most_of_child(command, folder):
    """The most memory in MiB that a program had when it ended."""
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_maxrss / 1024


CALLS = """
local function nothing(value) return value end
local function nanoseconds(call)
  local count, began = 20000, os.clock()
  for _ = 1, count do call({}) end
  return (os.clock() - began) / count * 1e9
end
"""


def lua_calls(workshop, _):
    """A call from Lua: of Lua's own function, which shows what the limits cost, and of a builder, which is Swift's."""
    ours = workshop.script("calls.lua", CALLS + """
        inject(fault.noop { target = target.host {} })
        for _ = 1, 5 do
          log(string.format("calls %f %f", nanoseconds(nothing), nanoseconds(target.host)))
        end
        """)
    plain = workshop.script("plain-calls.lua", CALLS + """
        for _ = 1, 5 do print(string.format("calls %f %f", nanoseconds(nothing), nanoseconds(rawlen))) end
        """)
    told = run(str(workshop.program), "run", ours, "--state-dir", str(workshop.state)).stderr
    found, peers = (
        [list(map(float, pair)) for pair in re.findall(r"calls ([\d.]+) ([\d.]+)", text)]
        for text in (told, tool("lua5.4", plain))
    )
    assert len(found) == 5, told
    for index, (name, beside) in enumerate([
        ("a call from Lua of a Lua function, with its table", "lua5.4"),
        ("a call from Lua of Swift: `target.host {}`, checked", "lua5.4 calling C's `rawlen`"),
    ]):
        yield figure(name, "ns", [one[index] for one in found], beside, [one[index] for one in peers])


def rows(program):
    """All of it."""
    with Workshop(program) as workshop:
        chaos = chaos_toolkit()
        for part in (cold_start, trivial_run, memory, lua_calls):
            yield from part(workshop, chaos)
