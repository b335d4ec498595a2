"""Measures network faults: two hundred namespaces at once, beside `tc` and `nft` as processes, and what nfqueue bears.

Every namespace is made here and removed at the end; nothing else is touched. The agent is spoken to directly, as the
runner does (docs/agent-protocol.md).
"""

import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

import agent

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = 3
FAR = "10.200.0.1"


def run(*arguments, check=True, **options):
    """Runs a tool to its end and returns what it printed."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, **options)
    if check and done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Field:
    """A number of namespaces around a bridge in one more, which has the far end's address."""

    def __init__(self, count):
        self.hub = f"mqb-{os.getpid()}-hub"
        self.names = [f"mqb-{os.getpid()}-{number}" for number in range(count)]

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        """Makes all of it with a few processes."""
        self.batch("\n".join(f"netns add {name}" for name in [self.hub, *self.names]))
        self.batch(f"link add br0 type bridge\naddr add {FAR}/16 dev br0\nlink set br0 up", self.hub)
        lines = [
            f"link add v{number} netns {self.hub} type veth peer name va netns {name}"
            for number, name in enumerate(self.names)
        ]
        self.batch("\n".join(lines))
        self.batch("\n".join(f"link set v{n} master br0 up" for n in range(len(self.names))), self.hub)
        for number, name in enumerate(self.names):
            address = f"10.200.{1 + number // 250}.{1 + number % 250}"
            self.batch(f"addr add {address}/16 dev va\nlink set va up", name)

    @staticmethod
    def batch(lines, namespace=None):
        """Lines of `ip`."""
        where = ["-n", namespace] if namespace else []
        run("ip", *where, "-batch", "-", input=lines + "\n")

    def targets(self):
        """The namespaces as the agent knows them."""
        return [
            {"kind": "netns", "name": name, "path": f"/run/netns/{name}", "inode": os.stat(f"/run/netns/{name}").st_ino}
            for name in self.names
        ]

    def __exit__(self, *_):
        for name in [*self.names, self.hub]:
            run("ip", "netns", "del", name, check=False)


class Agent(agent.Agent):
    """An agent that makes latencies."""

    def __init__(self):
        super().__init__(PROGRAM)

    def latency(self, targets, **options):
        """Injects a latency to the far end."""
        spec = {
            "fault": "network.latency", "options": {"to": FAR, "delay": "100ms", **options},
            "target": {"kind": "netns", "options": {"name": [target["name"] for target in targets]}},
        }
        return self.ask("inject", {"spec": spec, "targets": targets, "deadline_ms": 600000, "seed": 7})


def timed(action):
    """How long an action takes, in seconds, and what it returned."""
    began = time.perf_counter()
    value = action()
    return time.perf_counter() - began, value


def many(count, beside=None):
    """One latency fault in each of so many namespaces, and what they are beside: medians of some rounds, in turn."""
    rounds = []
    with Field(count) as field, Agent() as held:
        targets = field.targets()
        held.latency(targets[:1])  # what is found out once, and the worker's start
        held.ask("revert", [])
        # A selector names 256 at most.
        parts = [targets[start:start + 250] for start in range(0, count, 250)]
        for _ in range(ROUNDS):
            inject, leases = timed(lambda: [lease for part in parts for lease in held.latency(part)])
            assert len(leases) == count, leases
            revert, records = timed(lambda: held.ask("revert", []))
            assert all(record["outcome"] == "reverted" for record in records), records
            rounds.append([inject, revert, *(beside(field) if beside else [])])
    inject, revert, *peers = [statistics.median(column) for column in zip(*rounds)]
    return inject, revert, leases[0]["engine"], peers


def by_processes(field):
    """The same with `nft` and `tc` as processes: a table with a rule, and a queue, in each namespace."""
    table = (
        "create table inet bench\nadd chain inet bench out {{ type filter hook postrouting priority 0; }}\n"
        "add rule inet bench out ip daddr {0} counter\n"
        "add chain inet bench in {{ type filter hook prerouting priority 0; }}\n"
        "add rule inet bench in ip saddr {0} counter\n"
    ).format(FAR)

    def inject():
        for name in field.names:
            run("ip", "netns", "exec", name, "nft", "-f", "-", input=table)
            run("tc", "-n", name, "qdisc", "add", "dev", "va", "root", "pfifo", "limit", "1000")

    def revert():
        for name in field.names:
            run("tc", "-n", name, "qdisc", "del", "dev", "va", "root")
            run("ip", "netns", "exec", name, "nft", "delete table inet bench")

    return timed(inject)[0], timed(revert)[0]


SENDER = """
import socket, sys, time
rate, seconds = int(sys.argv[2]), float(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); out.connect((sys.argv[1], 7)); send = out.send
began = time.perf_counter(); sent = 0; data = b"x" * 64
while True:
    now = time.perf_counter() - began
    if now >= seconds: break
    for _ in range(min(int(now * rate) - sent, 2000)):
        try: send(data)
        except OSError: pass
        sent += 1
print(sent)
"""


def own_delay(rate, seconds=3):
    """What nfqueue adds and loses at a rate of packets a second, asked for a delay of 20 ms."""
    with Field(1) as field, Agent() as held:
        name = field.names[0]
        # Somebody takes the packets, so that nobody answers that nobody does.
        sink = subprocess.Popen(["ip", "netns", "exec", field.hub, sys.executable, "-c", (
            f"import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(('{FAR}',7));time.sleep(60)"
        )])
        try:
            ping = ["ip", "netns", "exec", name, "ping", "-n", "-q", "-i", "0.01", "-c", "250", "-W", "2", FAR]
            base = mean(run(*ping, check=False))[0]
            held.latency(field.targets(), delay="20ms", direction="egress", engine="nfqueue")
            sender = subprocess.Popen(
                ["ip", "netns", "exec", name, sys.executable, "-c", SENDER, FAR, str(rate), str(seconds)],
                stdout=subprocess.PIPE, text=True,
            )
            time.sleep(0.2)
            rtt, lost = mean(run(*ping, check=False))
            sent = int(sender.communicate()[0])
            record = held.ask("revert", [])[0]
        finally:
            sink.send_signal(signal.SIGKILL)
            sink.wait()
    figures = {figure["name"]: figure["value"] for figure in record["effect"]["figures"]}
    return {
        "asked": rate, "sent": sent / seconds, "added_ms": rtt - base - 20, "lost": lost,
        "bypassed": figures.get("packets_bypassed", 0), "dropped": figures.get("packets_dropped", 0),
        "mean_delay_ms": figures.get("mean_delay"),
    }


def mean(output):
    """The mean round trip and the share lost of a ping."""
    found = re.search(r"= [\d.]+/([\d.]+)/", output)
    lost = re.search(r"([\d.]+)% packet loss", output)
    return float(found[1]) if found else float("inf"), float(lost[1]) / 100 if lost else 1.0


def main():
    """Prints the figures and fails when a limit is missed."""
    if os.geteuid() != 0:
        print("skipped: network faults need root", file=sys.stderr)
        return
    missed = []
    results = {}
    for count in [200, 1000] if "--quick" not in sys.argv else [200]:
        inject, revert, engine, peers = many(count, beside=by_processes if count == 200 else None)
        results[f"namespaces_{count}"] = {"inject_s": inject, "revert_s": revert, "engine": engine}
        print(f"{count} namespaces, {engine}: injected in {inject:.3f} s, reverted in {revert:.3f} s", end="")
        if peers:
            ratios = [peers[0] / inject, peers[1] / revert]
            results[f"namespaces_{count}"]["ratios"] = ratios
            print(f"; nft and tc as processes {peers[0]:.2f} s and {peers[1]:.2f} s: {ratios[0]:.1f}x and {ratios[1]:.1f}x", end="")
            missed += [f"{what} takes {value:.3f} s, not under 0.5 s" for what, value in
                       [("injecting", inject), ("reverting", revert)] if value >= 0.5 and engine == "nfqueue"]
            missed += [f"{ratio:.1f}x of processes, not 5x" for ratio in ratios if ratio < 5]
        print()
    if "namespaces_1000" in results:
        few, more = results["namespaces_200"], results["namespaces_1000"]
        for what in ["inject_s", "revert_s"]:
            growth = more[what] / few[what]
            print(f"five times as many namespaces: {what[:-2]} takes {growth:.1f} times as long")
            if growth > 8:
                missed.append(f"{what[:-2]} of 1000 takes {growth:.1f} times that of 200: not linear")
    for rate in [20_000, 50_000, 80_000, 100_000, 120_000, 150_000, 200_000]:
        row = own_delay(rate)
        results[f"rate_{rate}"] = row
        print(
            f"nfqueue at {row['sent']:>8.0f} packets/s: adds {row['added_ms']:+.2f} ms to a ping "
            f"({row['mean_delay_ms'] - 20:+.2f} ms of them in the worker), "
            f"{row['lost']:.1%} of pings lost, {row['bypassed']:.0f} passed by, {row['dropped']:.0f} dropped"
        )
    pathlib.Path("bench/network-results.json").write_text(json.dumps(results, indent=2) + "\n")
    for text in missed:
        print(f"bench: {text}", file=sys.stderr)
    sys.exit(1 if missed else 0)


main()
