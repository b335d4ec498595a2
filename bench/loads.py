"""How exactly loads hold what was asked for, beside stress-ng."""

import json
import os
import pathlib
import subprocess
import time

from figures import IS_ROOT, accuracy, figure
from workshop import Workshop

ROUNDS = 5
TICKS = os.sysconf("SC_CLK_TCK")

LOAD = """
experiment "load" {{
  steady_state = {{
    every = "200ms", warmup = "200ms", recovery = "1s",
    metrics = {{ probe = metric.command {{ run = {{ "/bin/true" }}, measure = "exit_status", below = 1 }} }},
  }},
  run = function()
    local load = inject({fault})
    log("on")
    wait "{hold}"
    rollback(load)
  end,
}}
"""


def loaded(workshop, fault, hold, during):
    """Runs a load, calls `during` while it is on, and returns its answer."""
    script = workshop.script("load.lua", LOAD.format(fault=fault, hold=hold))
    command = [str(workshop.program), "run", script, "--state-dir", str(workshop.state)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    answer = None
    for line in child.stderr:
        if "script: on" in line:
            answer = during()
    assert child.wait() == 0, f"exit {child.returncode}"
    return answer


def stress(workshop, *arguments):
    """Starts stress-ng."""
    return workshop.start("stress-ng", "--quiet", "--timeout", "30", *arguments)


def stop(child):
    """Ends stress-ng as its users do."""
    child.terminate()
    child.wait()


def busy(processor):
    """The seconds that a processor was not idle since boot, up to a constant, and now."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{processor} "):
            idle = sum(int(word) for word in line.split()[4:6])
            return time.monotonic() - idle / TICKS
    raise RuntimeError(f"no processor {processor}")


def share(processor, seconds):
    """The percentage of a while for which a processor is not idle."""
    before, began = busy(processor), time.monotonic()
    time.sleep(seconds)
    return (busy(processor) - before) / (time.monotonic() - began) * 100


def off(name, unit, asked, ours, peer, theirs):
    """A row of how far off both are, in the unit."""
    return figure(
        name, unit, [abs(value - asked) for value in ours], peer, [abs(value - asked) for value in theirs]
    )


def processor_load(workshop):
    """50 % of processor 0."""
    fault = 'fault.cpu.stress { target = target.host {}, load = "50%", cores = { 0 } }'
    settled = lambda: time.sleep(1) or share(0, 2)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(loaded(workshop, fault, "4s", settled))
        child = stress(workshop, "--cpu", "1", "--cpu-load", "50", "--taskset", "0")
        theirs.append(settled())
        stop(child)
    yield accuracy("cpu.stress", "% of a processor", 50, ours, within=0.06)
    yield off("cpu.stress: off", "points", 50, ours, "stress-ng --cpu-load 50", theirs)


def resident(words):
    """The MiB of memory that the processes of a command line have of their own, the largest of them."""
    found = [0]
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and words in (folder / "cmdline").read_bytes().decode().replace("\0", " "):
                text = (folder / "smaps_rollup").read_text()
                found.append(int(text.split("Private_Dirty:")[1].split()[0]) / 1024)
        except (OSError, IndexError):
            continue
    return max(found)


def memory_load(workshop):
    """256 MiB."""
    fault = 'fault.memory.pressure { target = target.host {}, use = "256MiB" }'
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(loaded(workshop, fault, "1s", lambda: resident("worker load")))
        child = stress(workshop, "--vm", "1", "--vm-bytes", "256M", "--vm-keep", "--vm-method", "write64")
        time.sleep(1.5)
        theirs.append(resident("stress-ng"))
        stop(child)
    yield accuracy("memory.pressure", "MiB", 256, ours, within=0.02)
    yield figure("memory.pressure, 256 MiB: held, with the worker's own", "MiB", ours, "stress-ng --vm-bytes 256M", theirs)


def used(folder):
    """The percentage of a file system that df calls used."""
    space = os.statvfs(folder)
    taken = space.f_blocks - space.f_bfree
    return taken / (taken + space.f_bavail) * 100


def children(process):
    """The numbers of the processes that a process has started."""
    return [int(word) for word in pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def written(process):
    """The bytes that a process and its children have written so far."""
    total = 0
    for pid in [process, *children(process)]:
        try:
            text = pathlib.Path(f"/proc/{pid}/io").read_text()
            total += int(text.split("wchar:")[1].split()[0])
        except (OSError, IndexError):
            continue
    return total


def rate(process, seconds):
    """How many MB a second a process and its children write."""
    before, began = written(process), time.perf_counter()
    time.sleep(seconds)
    return (written(process) - before) / 1e6 / (time.perf_counter() - began)


def worker():
    """The process that holds a load of ours."""
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and "worker\0load" in (folder / "cmdline").read_bytes().decode():
                return int(folder.name)
        except OSError:
            continue
    raise RuntimeError("no load has a worker")


def disk_load(workshop):
    """A file system that is filled, and written to."""
    disk = workshop.disk(512)
    place = f'target = target.host {{}}, path = "{disk}"'
    fill = f'fault.disk.fill {{ {place}, to = "90%" }}'
    slow = f'fault.disk.io {{ {place}, write = "20MB/s", direct = true }}'
    fast = f'fault.disk.io {{ {place}, write = "100GB/s", direct = true }}'
    settled = lambda: time.sleep(0.5) or rate(worker(), 2)
    full, steady, most, full_of_peer, most_of_peer = [], [], [], [], []
    for _ in range(ROUNDS):
        full.append(loaded(workshop, fill, "500ms", lambda: used(disk)))
        steady.append(loaded(workshop, slow, "3s", settled))
        most.append(loaded(workshop, fast, "3s", settled))
        child = stress(workshop, "--temp-path", disk, "--fallocate", "1", "--fallocate-bytes", "90%")
        time.sleep(0.5)
        for _ in range(20):
            full_of_peer.append(used(disk))
            time.sleep(0.05)
        stop(child)
        options = ["--hdd", "1", "--hdd-bytes", "64M", "--hdd-write-size", "64K", "--hdd-opts", "direct,wr-seq"]
        child = stress(workshop, "--temp-path", disk, *options)
        time.sleep(0.5)
        most_of_peer.append(rate(child.pid, 2))
        stop(child)
    yield accuracy("disk.fill", "% of an ext4", 90, full, within=0.011)
    yield off("disk.fill: off", "points", 90, full, "stress-ng --fallocate-bytes 90%", full_of_peer)
    yield accuracy("disk.io", "MB/s written", 20, steady, within=0.1)
    yield figure("disk.io, direct, 64 KiB: the most it writes", "MB/s", most, "stress-ng --hdd 1", most_of_peer)


def rows(program):
    """All of it."""
    if not IS_ROOT:
        return
    with Workshop(program) as workshop:
        for part in (processor_load, memory_load, disk_load):
            yield from part(workshop)
