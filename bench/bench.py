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
        self.mounts = []

    def __enter__(self):
        if os.geteuid() == 0:
            run("ip", "netns", "add", self.namespace)
            run("ip", "-n", self.namespace, "link", "set", "lo", "up")
        return self

    def disk(self, megabytes):
        """Mounts an ext4 of its own and returns its folder."""
        image, folder = self.folder / "disk.img", self.folder / "disk"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        folder.mkdir()
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
        self.mounts.append(folder)
        return folder

    def __exit__(self, *_):
        for child in self.children:
            child.send_signal(signal.SIGKILL)
            child.wait()
        for folder in self.mounts:
            run("umount", "-l", str(folder))
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


LOAD = """
experiment "load" {{
  steady_state = {{
    every = "200ms", warmup = "200ms", recovery = "1s",
    metrics = {{ probe = metric.command {{ run = {{ "/bin/true" }}, measure = "exit_status", below = 1 }} }},
  }},
  run = function()
    log("before")
    local load = inject({fault})
    log("after")
    wait "{hold}"
    rollback(load)
  end,
}}
"""

LOAD_ROUNDS = 5


def busy(processor):
    """The seconds that a processor was not idle since boot, up to a constant, and now."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{processor} "):
            idle = sum(int(word) for word in line.split()[4:6])
            return time.monotonic() - idle / os.sysconf("SC_CLK_TCK")
    raise RuntimeError(f"no processor {processor}")


def share(processor, seconds):
    """The percentage of a while for which a processor is not idle."""
    before, began = busy(processor), time.monotonic()
    time.sleep(seconds)
    return (busy(processor) - before) / (time.monotonic() - began) * 100


def loaded(workshop, fault, hold, during):
    """Runs a load, calls `during` while it is on, and returns its answer, and how long injection and revert took."""
    script = workshop.script("load.lua", LOAD.format(fault=fault, hold=hold))
    report = workshop.folder / "report.json"
    command = [str(PROGRAM), "run", script, "--state-dir", str(workshop.state), "--report", str(report)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    answer = None
    for line in child.stderr:
        if "script: after" in line:
            answer = during()
    assert child.wait() == 0, f"exit {child.returncode}"
    data = json.loads(report.read_text())
    logs = {event["text"]: event["offset_ms"] for event in data["timeline"] if event["kind"] == "log"}
    return answer, logs["after"] - logs["before"], data["faults"][0]["revert_took_ms"]


def processor_load(workshop):
    """How many points 50 % of processor 0 is off, beside stress-ng; and how long it takes to begin and to end."""
    fault = 'fault.cpu.stress { target = target.host {}, load = "50%", cores = { 0 } }'
    ours, begun, ended, peer = [], [], [], []
    for _ in range(LOAD_ROUNDS):
        settled = lambda: time.sleep(1) or share(0, 2)
        measured, began, reverted = loaded(workshop, fault, "4s", settled)
        ours.append(abs(measured - 50))
        begun.append(began)
        ended.append(reverted)
        command = ["stress-ng", "--cpu", "1", "--cpu-load", "50", "--taskset", "0", "--timeout", "10", "--quiet"]
        child = subprocess.Popen(command)
        time.sleep(1)
        peer.append(abs(share(0, 2) - 50))
        child.terminate()
        child.wait()
    return [
        {
            "name": "cpu.stress, 50 % of a processor: points off", "unit": "points",
            "p50": statistics.median(ours), "p95": max(ours), "limit": 3,
            "peer": "stress-ng --cpu-load 50", "peer_p50": statistics.median(peer),
        },
        {
            "name": "cpu.stress: inject, its first 300 ms measured", "unit": "ms",
            "p50": statistics.median(begun), "p95": max(begun),
        },
        {"name": "cpu.stress: revert", "unit": "ms", "p50": statistics.median(ended), "p95": max(ended)},
    ]


def resident(name):
    """The bytes of memory that the processes of a command line have of their own, the largest of them."""
    found = [0]
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if name in (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode():
                status = (folder / "status").read_text()
                found.append(int(status.split("RssAnon:")[1].split()[0]) * 1024)
        except (OSError, IndexError):
            continue
    return max(found)


def memory_load(workshop):
    """How exactly and how fast 256 MiB are held, beside stress-ng."""
    size = 256 << 20
    fault = 'fault.memory.pressure { target = target.host {}, use = "256MiB" }'
    off, begun, ended, peer_off, peer_begun, peer_ended = [], [], [], [], [], []
    for _ in range(LOAD_ROUNDS):
        held, began, reverted = loaded(workshop, fault, "1s", lambda: resident("worker load"))
        off.append(abs(held / size - 1) * 100)
        begun.append(began)
        ended.append(reverted)
        command = ["stress-ng", "--vm", "1", "--vm-bytes", "256M", "--vm-keep", "--vm-method", "write64", "--quiet"]
        start = time.perf_counter()
        child = subprocess.Popen(command)
        while resident("stress-ng") < size * 0.99 and time.perf_counter() - start < 10:
            time.sleep(0.002)
        peer_begun.append((time.perf_counter() - start) * 1000)
        peer_off.append(abs(resident("stress-ng") / size - 1) * 100)
        start = time.perf_counter()
        child.terminate()
        child.wait()
        peer_ended.append((time.perf_counter() - start) * 1000)
    beside = "stress-ng --vm-bytes 256M"
    rows = [
        ("memory.pressure, 256 MiB: per cent off", "%", off, peer_off),
        ("memory.pressure: inject, until it is full", "ms", begun, peer_begun),
        ("memory.pressure: revert", "ms", ended, peer_ended),
    ]
    return [
        {
            "name": name, "unit": unit, "p50": statistics.median(ours), "p95": max(ours),
            "peer": beside, "peer_p50": statistics.median(theirs),
        }
        for name, unit, ours, theirs in rows
    ]


def used(folder):
    """The percentage of a file system that df calls used."""
    space = os.statvfs(folder)
    taken = space.f_blocks - space.f_bfree
    return taken / (taken + space.f_bavail) * 100


def written(process):
    """The bytes that a process and its children have written so far."""
    total = 0
    for pid in [process] + [int(word) for word in children(process)]:
        try:
            text = pathlib.Path(f"/proc/{pid}/io").read_text()
            total += int(text.split("wchar:")[1].split()[0])
        except (OSError, IndexError):
            continue
    return total


def children(process):
    """The numbers of the processes that a process has started."""
    return pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()


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
    """How exactly a file system is filled and written to, and how fast that can be, beside stress-ng."""
    disk = workshop.disk(512)
    place = f'target = target.host {{}}, path = "{disk}"'
    fill = f'fault.disk.fill {{ {place}, to = "90%" }}'
    slow = f'fault.disk.io {{ {place}, write = "20MB/s", direct = true }}'
    fast = f'fault.disk.io {{ {place}, write = "100GB/s", direct = true }}'
    off, begun, ended, wrong, most, peer_off, peer_most = [], [], [], [], [], [], []
    for _ in range(LOAD_ROUNDS):
        full, began, reverted = loaded(workshop, fill, "1s", lambda: used(disk))
        off.append(abs(full - 90))
        begun.append(began)
        ended.append(reverted)
        measured, _, _ = loaded(workshop, slow, "3s", lambda: time.sleep(0.5) or rate(worker(), 2))
        wrong.append(abs(measured / 20 - 1) * 100)
        measured, _, _ = loaded(workshop, fast, "3s", lambda: time.sleep(0.5) or rate(worker(), 2))
        most.append(measured)
        common = ["stress-ng", "--temp-path", str(disk), "--quiet", "--timeout", "10"]
        child = subprocess.Popen(common + ["--fallocate", "1", "--fallocate-bytes", "90%"])
        time.sleep(0.5)
        seen = []
        for _ in range(100):
            seen.append(used(disk))
            time.sleep(0.01)
        peer_off.append(statistics.median(abs(share - 90) for share in seen))
        child.terminate()
        child.wait()
        options = ["--hdd", "1", "--hdd-bytes", "64M", "--hdd-write-size", "64K", "--hdd-opts", "direct,wr-seq"]
        child = subprocess.Popen(common + options)
        time.sleep(0.5)
        peer_most.append(rate(child.pid, 2))
        child.terminate()
        child.wait()
    return [
        {
            "name": "disk.fill, 90 % of an ext4: points off", "unit": "points",
            "p50": statistics.median(off), "p95": max(off), "limit": 1,
            "peer": "stress-ng --fallocate-bytes 90%", "peer_p50": statistics.median(peer_off),
        },
        {"name": "disk.fill: inject", "unit": "ms", "p50": statistics.median(begun), "p95": max(begun)},
        {"name": "disk.fill: revert", "unit": "ms", "p50": statistics.median(ended), "p95": max(ended)},
        {
            "name": "disk.io, 20 MB/s written: per cent off", "unit": "%",
            "p50": statistics.median(wrong), "p95": max(wrong), "limit": 10,
        },
        {
            "name": "disk.io, direct, 64 KiB: the most it writes", "unit": "MB/s",
            "p50": statistics.median(most), "p95": max(most),
            "peer": "stress-ng --hdd 1", "peer_p50": statistics.median(peer_most),
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
            if shutil.which("stress-ng"):
                rows += processor_load(workshop)
                rows += memory_load(workshop)
                rows += disk_load(workshop)
            else:
                print("skipped: loads are compared with stress-ng, which is not installed", file=sys.stderr)
        else:
            print("skipped: network.partition and loads need root", file=sys.stderr)
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
