"""DNS through the responder, beside dnsmasq, in one run: queries passed on and queries answered by itself.

Three namespaces. In the far one a dnsmasq answers from its configuration. Two others have a cable to it each: in the near one dnsperf
asks it through the redirect and the responder of a real run; in the peer's, through a dnsmasq without cache that forwards to it (in
the near one its queries would be redirected too). Responder and forwarding dnsmasq have core 1 for themselves; the rest is on core 0.
Each is asked in turn, several times; the medians count.

Usage: names.py [PROGRAM] [SECONDS]. Exit code 1 when a rate is below what docs/performance.md promises.
"""

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".build/release/moonquake").resolve())
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
ROUNDS = 3
TICKS = os.sysconf("SC_CLK_TCK")
FAR = "10.97.0.2"
FAR_OF_PEER = "10.96.0.2"


def run(*arguments):
    """Runs a program to its end and returns what it printed."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.stderr}{done.stdout}")
    return done.stdout


def cpu_seconds(pid):
    """What a process has used of the processor."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Lab:
    """The namespaces, files and processes of a run; all removed at the end."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="moonquake-names-")
        self.near, self.far, self.peer = (f"mqn-{os.getpid()}-{end}" for end in "abc")
        self.children = []

    def __enter__(self):
        for name in (self.near, self.far, self.peer):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        for name, device in ((self.near, "vb"), (self.peer, "vc")):
            run("ip", "link", "add", "va", "netns", name, "type", "veth", "peer", "name", device, "netns", self.far)
        for name, device, address in ((self.near, "va", "10.97.0.1/24"), (self.far, "vb", FAR + "/24"),
                                      (self.peer, "va", "10.96.0.1/24"), (self.far, "vc", FAR_OF_PEER + "/24")):
            run("ip", "-n", name, "addr", "add", address, "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        pathlib.Path(f"/etc/netns/{self.near}").mkdir(parents=True, exist_ok=True)
        pathlib.Path(f"/etc/netns/{self.near}/resolv.conf").write_text(f"nameserver {FAR}\n")
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.send_signal(signal.SIGINT)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for name in (self.near, self.far, self.peer):
            subprocess.run(["ip", "netns", "del", name], check=False)
        subprocess.run(["rm", "-rf", self.folder, f"/etc/netns/{self.near}"], check=False)

    def start(self, *arguments, namespace=None, core=None):
        """Starts a program that ends with the lab."""
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        prefix += ["taskset", "-c", str(core)] if core is not None else []
        log = open(f"{self.folder}/log-{len(self.children)}", "w", encoding="utf-8")
        child = subprocess.Popen([*prefix, *arguments], stdout=log, stderr=subprocess.STDOUT)
        self.children.append(child)
        return child

    def dnsmasq(self, namespace, core, *lines):
        """Starts a dnsmasq without cache."""
        path = f"{self.folder}/dnsmasq-{len(self.children)}.conf"
        common = ["port=53", "no-resolv", "no-hosts", "bind-interfaces", "cache-size=0", "user=root", "pid-file=",
                  "dns-forward-max=10000"]
        pathlib.Path(path).write_text("\n".join([*common, *lines]) + "\n", encoding="utf-8")
        return self.start("dnsmasq", "-k", f"--conf-file={path}", namespace=namespace, core=core)

    def answers(self, namespace, server, name):
        """Whether a server answers for a name, after a while at most."""
        for _ in range(100):
            done = subprocess.run(
                ["ip", "netns", "exec", namespace, "dig", "+short", "+time=1", "+tries=1", f"@{server}", name],
                capture_output=True, text=True, check=False)
            if re.match(r"\d", done.stdout):
                return
            time.sleep(0.1)
        raise SystemExit(f"{server} does not answer for {name}: {done.stdout}")

    def responder(self):
        """Begins a run with a fault for other.test and returns the pid of its responder."""
        script = pathlib.Path(f"{self.folder}/hold.lua")
        script.write_text(f"""
            local near = target.netns {{ name = "{self.near}" }}
            inject(fault.dns.spoof {{ target = near, names = "*.own.test", addresses = "192.0.2.1" }})
            wait "10m"
            """, encoding="utf-8")
        self.start(PROGRAM, "run", str(script), "--state-dir", f"{self.folder}/state")
        for _ in range(200):
            for folder in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    if words[1:3] == [b"worker", b"resolver"] and self.is_ours(folder):
                        pid = int(folder.name)
                        run("taskset", "-a", "-p", "-c", "1", str(pid))
                        return pid
                except (FileNotFoundError, ProcessLookupError):
                    continue
            time.sleep(0.1)
        raise SystemExit("no responder: " + pathlib.Path(f"{self.folder}/log-{len(self.children) - 1}").read_text())

    def is_ours(self, folder):
        """Whether a worker's agent has our state directory."""
        parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
        return self.folder.encode() in pathlib.Path(f"/proc/{parent}/cmdline").read_bytes()

    def rate(self, namespace, server, name, pid):
        """Queries a second that a server answers, and the microseconds of processor that a process used for each."""
        queries = f"{self.folder}/queries-{name}"
        pathlib.Path(queries).write_text("".join(f"{i}.{name} A\n" for i in range(1000)), encoding="utf-8")
        before = cpu_seconds(pid)
        done = run("ip", "netns", "exec", namespace, "taskset", "-c", "0", "dnsperf", "-s", server, "-d", queries,
                   "-l", str(SECONDS), "-c", "8", "-q", "200")
        used = cpu_seconds(pid) - before
        rate = float(re.search(r"Queries per second:\s+([\d.]+)", done)[1])
        lost = float(re.search(r"Queries lost:\s+\d+ \(([\d.]+)%\)", done)[1])
        completed = int(re.search(r"Queries completed:\s+(\d+)", done)[1])
        return rate, used / max(completed, 1) * 1e6, lost


def main():
    """Measures and prints; the exit code says whether the promises are kept."""
    with Lab() as lab:
        addresses = [f"listen-address={address}" for address in (FAR, FAR_OF_PEER)]
        lab.dnsmasq(lab.far, 0, *addresses, "address=/test/10.97.0.9")
        peer = lab.dnsmasq(lab.peer, 1, "listen-address=127.0.0.1", f"server={FAR_OF_PEER}", "address=/own.test/192.0.2.1")
        lab.answers(lab.near, FAR, "a.pass.test")
        lab.answers(lab.peer, "127.0.0.1", "a.pass.test")
        direct = lab.rate(lab.near, FAR, "pass.test", peer.pid)[0]
        ours = lab.responder()
        lab.answers(lab.near, FAR, "a.own.test")
        rows = {}
        for _ in range(ROUNDS):
            for kind in ("pass", "own"):
                for who, server, pid in (("dnsmasq", (lab.peer, "127.0.0.1"), peer.pid), ("moonquake", (lab.near, FAR), ours)):
                    rows.setdefault((kind, who), []).append(lab.rate(*server, f"{kind}.test", pid))
        figures = {key: [statistics.median(column) for column in zip(*values)] for key, values in rows.items()}
        memory = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{ours}/status").read_text())[1]
    print(f"{'':10}{'':12}{'queries/s':>12}{'µs CPU each':>14}{'lost %':>9}")
    for (kind, who), (rate, cpu, lost) in figures.items():
        print(f"{kind:10}{who:12}{rate:12.0f}{cpu:14.1f}{lost:9.2f}")
    passed = figures["pass", "moonquake"][0] / figures["pass", "dnsmasq"][0]
    own = figures["own", "moonquake"][0] / figures["own", "dnsmasq"][0]
    print(f"asked directly, without anybody between: {direct:.0f}/s")
    print(f"passed on: {passed:.2f} of dnsmasq's rate (owed: 1.00); CPU "
          f"{figures['pass', 'moonquake'][1] / figures['pass', 'dnsmasq'][1]:.2f} of its")
    print(f"own answers: {own:.2f} of dnsmasq's rate (owed: 0.50); CPU "
          f"{figures['own', 'moonquake'][1] / figures['own', 'dnsmasq'][1]:.2f} of its")
    print(f"most memory of the responder: {int(memory) / 1024:.1f} MiB")
    result = {f"{kind} {who}": values for (kind, who), values in figures.items()}
    pathlib.Path(__file__).with_name("results-names.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0 if passed >= 1 and own >= 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
