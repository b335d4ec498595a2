"""Asked against measured, for every fault: what programs beside it see, not what it says of itself.

Loads are in loads.py, beside stress-ng. Shares are drawn by chance, by a seed: their bounds are some four standard deviations of so many draws.
"""

import http.client
import re
import socket
import struct
import threading
import time

import loads
from agent import Agent
from figures import IS_ROOT, accuracy, run, tool
from kinds import all_faults
from workshop import FAR, World, connection, question, socket_in, tell

ROUNDS = 3
PAYLOAD = bytes(range(256)) * 4
HEADERS = 28
# Not in Python's list.
SO_RCVBUFFORCE = 33


class Flow:
    """Numbered packets to the far end, and what came of them: (number, time, whether it is as it was sent)."""

    def __init__(self, world, count, rate, size=512):
        self.count, self.size, self.arrived = count, size, []
        with socket_in(world.far, socket.AF_INET, socket.SOCK_DGRAM) as sink, \
                socket_in(world.near, socket.AF_INET, socket.SOCK_DGRAM) as source:
            sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            sink.bind((FAR, 7))
            sink.settimeout(0.5)
            source.connect((FAR, 7))
            thread = threading.Thread(target=self.receive, args=[sink])
            thread.start()
            began = time.perf_counter()
            for number in range(count):
                wait = began + number / rate - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
                try:
                    source.send(struct.pack("!I", number) + PAYLOAD[: size - 4])
                except OSError:
                    pass  # a packet dropped on its way out may be told to the sender
            thread.join()

    def receive(self, sink):
        """Takes what comes until nothing comes for half a second."""
        seen_any = time.perf_counter()
        while True:
            try:
                data = sink.recv(2048)
            except OSError:
                # The beginning may be late, as the fault is.
                if self.arrived or time.perf_counter() - seen_any > self.count / 500 + 2:
                    return
                continue
            number = struct.unpack("!I", data[:4])[0]
            self.arrived.append((number, time.perf_counter(), data[4:] == PAYLOAD[: self.size - 4]))

    def intact(self):
        """The numbers of the packets that came as they were sent."""
        return [number for number, _, good in self.arrived if good and number < self.count]

    def lost(self):
        """The percentage that did not come, or not as it was."""
        return (1 - len(set(self.intact())) / self.count) * 100

    def doubled(self):
        """The percentage that came once more."""
        return (len(self.intact()) - len(set(self.intact()))) / self.count * 100

    def overtaking(self):
        """The percentage that came before one that was sent earlier."""
        lowest, overtaking = self.count, 0
        for number in reversed(self.intact()):
            overtaking += number > lowest
            lowest = min(lowest, number)
        return overtaking / self.count * 100

    def megabits(self):
        """The rate at which packets came, with their headers, once it is steady."""
        first = self.arrived[0][1]
        steady = [moment for _, moment, _ in self.arrived if moment > first + 0.5]
        return (len(steady) - 1) * (self.size + HEADERS) * 8 / (steady[-1] - steady[0]) / 1e6


def round_trip(world):
    """The mean of 50 echoes in ms."""
    told = run("ip", "netns", "exec", world.near, "ping", "-n", "-q", "-i", "0.02", "-c", "50", FAR).stdout
    return float(re.search(r"= [\d.]+/([\d.]+)/", told)[1])


class Queries:
    """Queries to the far end's resolver, and what came of them: by number, milliseconds and the answer."""

    def __init__(self, world, count, rate=1000):
        self.count, self.answers = count, {}
        sent = {}
        with socket_in(world.near, socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            asking.connect((FAR, 53))
            asking.settimeout(0.5)
            thread = threading.Thread(target=self.receive, args=[asking, sent])
            thread.start()
            began = time.perf_counter()
            for number in range(count):
                wait = began + number / rate - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
                sent[number] = time.perf_counter()
                asking.send(question(number))
            thread.join()

    def receive(self, asking, sent):
        """Takes answers until none has come for half a second."""
        while True:
            try:
                data = asking.recv(2048)
            except OSError:
                return
            number = int.from_bytes(data[:2], "big")
            self.answers[number] = ((time.perf_counter() - sent[number]) * 1000, data)

    def failed(self):
        """The percentage answered with NXDOMAIN."""
        return sum(data[3] & 15 == 3 for _, data in self.answers.values()) / self.count * 100

    def spoofed(self, address):
        """The percentage answered with an address."""
        return sum(data.endswith(socket.inet_aton(address)) for _, data in self.answers.values()) / self.count * 100

    def unanswered(self):
        """The percentage without an answer."""
        return (1 - len(self.answers) / self.count) * 100

    def mean(self):
        """How late answers are in ms."""
        return sum(late for late, _ in self.answers.values()) / len(self.answers)


class Client:
    """A client in the near end, on one connection for as long as it lives."""

    def __init__(self, world):
        self.world, self.open = world, None

    def get(self, path="/small"):
        """The status of an answer and its body; 0 when the connection is reset."""
        if self.open is None:
            self.open = http.client.HTTPConnection(FAR, 8080)
            self.open.sock = connection(self.world.near, FAR, 8080)
        try:
            self.open.request("GET", path)
            answer = self.open.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.open.close()
            self.open = None
            return 0, b""

    def share(self, status, count=1000):
        """The percentage of requests that have a status."""
        return sum(self.get()[0] == status for _ in range(count)) / count * 100

    def mean(self, count=20):
        """How long an answer takes in ms."""
        self.get()
        began = time.perf_counter()
        for _ in range(count):
            self.get()
        return (time.perf_counter() - began) / count * 1000

    def megabits(self):
        """The rate at which a large answer comes."""
        began = time.perf_counter()
        _, body = self.get("/large")
        return len(body) * 8 / (time.perf_counter() - began) / 1e6


CALLS = """
import grpc, sys, time
call = grpc.insecure_channel(sys.argv[1] + ":50051").unary_unary("/t.T/Unary")
def code():
    try:
        call(b"x", timeout=10)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name
code()
count, began = int(sys.argv[2]), time.perf_counter()
codes = [code() for _ in range(count)]
print((time.perf_counter() - began) / count * 1000, codes.count("INTERNAL") / count * 100)
"""


def calls(world, count):
    """How long a gRPC call takes in ms, and the percentage that fails with INTERNAL."""
    done = tool("ip", "netns", "exec", world.near, "/usr/bin/python3", "-c", CALLS, FAR, str(count))
    return tuple(map(float, done.split()))


class Asked:
    """Injects a fault for as long as something is measured."""

    def __init__(self, world, agent):
        self.world, self.agent = world, agent

    def during(self, fault, selector, options, measure):
        """What is measured while a fault is on."""
        spec = self.agent.spec(fault, selector, options)
        self.agent.inject(spec, self.agent.targets(spec))
        try:
            return measure()
        finally:
            self.agent.revert()

    def near(self, fault, options, measure):
        """The same on the near end, some times."""
        selector = ("netns", {"name": self.world.near})
        return [self.during(fault, selector, options, measure) for _ in range(ROUNDS)]

    def on(self, victim, fault, options, measure):
        """The same on a process, once."""
        return self.during(fault, ("process", {"pid": victim.pid}), options, measure)


def packets(world, asked):
    """Faults of packets, on what goes out."""
    to = {"to": FAR, "interface": "va", "direction": "egress"}
    flow = lambda: Flow(world, 6000, 2000)
    base = round_trip(world)
    late = asked.near("network.latency", to | {"delay": "50ms"}, lambda: round_trip(world) - base)
    yield accuracy("network.latency", "ms", 50, late, within=0.02)
    lost = asked.near("network.loss", to | {"percent": "20%"}, lambda: flow().lost())
    yield accuracy("network.loss", "% lost", 20, lost, within=0.1)
    doubled = asked.near("network.duplicate", to | {"percent": "10%"}, lambda: flow().doubled())
    yield accuracy("network.duplicate", "% twice", 10, doubled, within=0.15)
    corrupt = asked.near("network.corrupt", to | {"percent": "10%"}, lambda: flow().lost())
    yield accuracy("network.corrupt", "% not as sent", 10, corrupt, within=0.15)
    slow_flow = lambda: Flow(world, 3000, 1000)
    overtaking = asked.near("network.reorder", to | {"percent": "25%", "delay": "20ms"}, lambda: slow_flow().overtaking())
    yield accuracy("network.reorder", "% overtaking", 25, overtaking, within=0.2)
    # Half as much again as passes.
    wide = lambda: Flow(world, 3000, 1250, size=1000).megabits()
    yield accuracy("network.bandwidth", "Mbit/s", 8, asked.near("network.bandwidth", to | {"rate": "8mbit"}, wide), within=0.03)
    cut = asked.near("network.partition", to, lambda: Flow(world, 500, 2000).lost())
    yield accuracy("network.partition", "% lost", 100, cut, within=0)


def names(world, asked):
    """Faults of names."""
    some, all_names = {"names": "*.test", "traffic": "30%"}, {"names": "*.test"}
    ask = lambda: Queries(world, 3000)
    yield accuracy("dns.error", "% NXDOMAIN", 30, asked.near("dns.error", some, lambda: ask().failed()), within=0.1)
    spoofed = asked.near("dns.spoof", some | {"addresses": "192.0.2.7"}, lambda: ask().spoofed("192.0.2.7"))
    yield accuracy("dns.spoof", "% with the address", 30, spoofed, within=0.1)
    few = lambda: Queries(world, 300, rate=200).mean()
    base = few()
    late = asked.near("dns.delay", all_names | {"delay": "100ms"}, lambda: few() - base)
    yield accuracy("dns.delay", "ms", 100, late, within=0.03)
    yield accuracy("dns.drop", "% unanswered", 30, asked.near("dns.drop", some, lambda: ask().unanswered()), within=0.1)


def requests(world, asked):
    """Faults of requests."""
    port, call, share = {"port": 8080}, {"port": 50051}, {"traffic": "20%"}
    client = lambda: Client(world)
    base = client().mean()
    late = asked.near("http.latency", port | {"delay": "100ms"}, lambda: client().mean() - base)
    yield accuracy("http.latency", "ms", 100, late, within=0.03)
    failed = asked.near("http.error", port | share, lambda: client().share(503))
    yield accuracy("http.error", "% with 503", 20, failed, within=0.25)
    reset = asked.near("http.abort", port | share, lambda: client().share(0))
    yield accuracy("http.abort", "% reset", 20, reset, within=0.25)
    rate = asked.near("http.bandwidth", port | {"rate": "8mbit"}, lambda: client().megabits())
    yield accuracy("http.bandwidth", "Mbit/s", 8, rate, within=0.05)
    refused = asked.near("grpc.error", call | share | {"code": "INTERNAL"}, lambda: calls(world, 1000)[1])
    yield accuracy("grpc.error", "% INTERNAL", 20, refused, within=0.25)
    base = calls(world, 20)[0]
    late = asked.near("grpc.latency", call | {"delay": "100ms"}, lambda: calls(world, 20)[0] - base)
    yield accuracy("grpc.latency", "ms", 100, late, within=0.03)


GAP = """
def gap(seconds):
    last = end = time.perf_counter(); end += seconds; most = 0
    while last < end: time.sleep(0.001); now = time.perf_counter(); most = max(most, now - last); last = now
    return most * 1000
"""


def processes(world, asked):
    """Faults of processes and their control groups, as the process sees them."""
    values = {}
    for _ in range(ROUNDS):
        for fault, value in one_process(world, asked):
            values.setdefault(fault, []).append(value)
    yield accuracy("process.pause", "ms without a step", 500, values["process.pause"], within=0.05)
    yield accuracy("process.kill", "as the signal that ended it", 9, values["process.kill"], within=0)
    yield accuracy("cpu.limit", "% of a processor", 30, values["cpu.limit"], within=0.06)
    yield accuracy("memory.limit", "MiB at most", 64, values["memory.limit"], within=0.02)
    yield accuracy("fd.exhaust", "files left to open", 50, values["fd.exhaust"], within=0)
    yield accuracy("pid.exhaust", "processes left to start", 10, values["pid.exhaust"], within=0)
    yield accuracy("clock.skew", "s ahead", 300, values["clock.skew"], within=0.0001)


def one_process(world, asked):
    """Each fault of a process once."""
    victim = world.victim()
    tell(victim, f"exec({GAP!r}); print()")
    victim.stdin.write("print(gap(1.5))\n")
    time.sleep(0.3)
    asked.on(victim, "process.pause", {}, lambda: time.sleep(0.5))
    yield "process.pause", float(victim.stdout.readline())

    busy = "b, p = time.perf_counter(), time.process_time()\nwhile time.perf_counter() < b + 2: pass"
    share = f"exec({busy!r}); print((time.process_time() - p) / 2 * 100)"
    yield "cpu.limit", asked.on(victim, "cpu.limit", {"quota": "30%"}, lambda: float(tell(victim, share)))

    tell(victim, "import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)); print()")
    files = "f = []\ntry:\n  while True: f.append(os.open('/', 0))\nexcept OSError: print(len(f))\nfor one in f: os.close(one)"
    yield "fd.exhaust", asked.on(victim, "fd.exhaust", {"share": "95%"}, lambda: int(tell(victim, f"exec({files!r})")))

    (tasks := world.setting("pids.max")).write_text("100")
    forks = (
        "c = []\ntry:\n  while True:\n    c.append(os.fork())\n    if not c[-1]: time.sleep(60)\nexcept OSError: print(len(c))\n"
        "for one in c: os.kill(one, 9); os.waitpid(one, 0)"
    )
    yield "pid.exhaust", asked.on(victim, "pid.exhaust", {"share": "90%"}, lambda: int(tell(victim, f"exec({forks!r})")))
    tasks.write_text("max")

    peak = world.setting("memory.peak", "memory.max_usage_in_bytes")
    if peak.name == "memory.max_usage_in_bytes":
        peak.write_text("0")
    eater = "a = []\nwhile True: a.append(b'x' * (1 << 20))"
    victim.stdin.write(f"time.sleep(0.3); exec({eater!r})\n")
    asked.on(victim, "memory.limit", {"limit": "64MiB"}, lambda: victim.wait(20))
    yield "memory.limit", int(peak.read_text()) / (1 << 20)

    mortal = world.victim()
    yield "process.kill", -asked.on(mortal, "process.kill", {}, lambda: mortal.wait(5))

    wrapped = world.victim(world.program, "wrap", "--")
    ahead = lambda: float(tell(wrapped, "print(time.time())")) - time.time()
    yield "clock.skew", asked.on(wrapped, "clock.skew", {"offset": "5m"}, ahead)


def rows(program):
    """All of it; a fault of the catalogue that is not compared is an error."""
    if not IS_ROOT:
        return
    done = set()
    with World(program) as world:
        with Agent(world.program) as agent:
            asked = Asked(world, agent)
            for part in (packets, names, requests, processes):
                for row in part(world, asked):
                    done.add(row["fault"])
                    yield row
        catalogue = all_faults(world.program)
    for row in loads.rows(program):
        done |= {row["fault"]} if "fault" in row else set()
        yield row
    missing = catalogue - done - {"noop"}
    if missing:
        raise SystemExit(f"bench/accuracy.py: nothing compares {', '.join(sorted(missing))}")
