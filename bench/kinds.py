"""How long it takes to make and to put back one fault of each kind, beside what people do by hand: tools as processes.

Ours is a request to an agent that runs already, from the first byte to the answer: journaled and synced, made, and read back, as in every run.
Each is taken in turn with its peer.
"""

import json
import subprocess

from agent import Agent
from figures import IS_ROOT, figure, milliseconds, run, tool, until
from loads import children, resident, written
from workshop import FAR, World, answers, connects, end

ROUNDS = 10


class Tools:
    """What tools do instead: made by one function, put back by another."""

    def __init__(self, name, make, undo=None):
        self.name, self.make, self.undo = name, make, undo


def netem_works(world):
    """Whether this kernel has netem."""
    works = run("tc", "-n", world.near, "qdisc", "add", "dev", "va", "root", "netem", "delay", "1ms").returncode == 0
    if works:
        tool("tc", "-n", world.near, "qdisc", "delete", "dev", "va", "root")
    return works


def traffic_control(world, *queue):
    """A queue by `tc`."""
    where = ["dev", "va", "root"]
    return Tools(
        "tc " + " ".join(queue),
        lambda: tool("tc", "-n", world.near, "qdisc", "add", *where, *queue),
        lambda: tool("tc", "-n", world.near, "qdisc", "delete", *where),
    )


def packet_filter(world, name, *rules, namespace=None):
    """A table by `nft`."""
    inside = ["ip", "netns", "exec", namespace or world.near, "nft"]
    text = "table inet bench {\n" + "\n".join(rules) + "\n}\n"
    return Tools(name, lambda: tool(*inside, "-f", "-", input=text), lambda: tool(*inside, "delete table inet bench"))


def drop_rules():
    """Chains that drop what goes to the far end and comes from it."""
    return (
        f"chain out {{ type filter hook output priority -310; ip daddr {FAR} counter drop; }}",
        f"chain in {{ type filter hook input priority -310; ip saddr {FAR} counter drop; }}",
    )


def redirected(world, name, namespace, arguments, is_up, rule):
    """A server that is started, waited for, and redirected to."""
    rules = packet_filter(world, name, rule, namespace=namespace)
    started = []

    def make():
        started.append(world.start(
            *arguments, namespace=namespace, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        ))
        until(is_up)
        rules.make()

    def undo():
        rules.undo()
        end(started.pop())

    return Tools(name, make, undo)


def resolver(world):
    """dnsmasq, which answers all names with an error."""
    arguments = [
        "dnsmasq", "-k", "--conf-file=/dev/null", "--port=53", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root",
        "--pid-file=", "--listen-address=127.0.0.1", "--address=/#/192.0.2.7",
    ]
    rule = "chain out { type nat hook output priority -100; udp dport 53 redirect to :53; }"
    return redirected(world, "dnsmasq, and nft", world.near, arguments, lambda: answers(world.near, "127.0.0.1"), rule)


def proxy(world):
    """HAProxy, to which requests are redirected."""
    path = world.script("haproxy.cfg", (
        "global\n nbthread 1\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
        f"frontend f\n bind 127.0.0.1:9080\n default_backend b\nbackend b\n server s {FAR}:8080\n"
    ))
    rule = f"chain out {{ type nat hook output priority -100; ip daddr {FAR} tcp dport 8080 redirect to :9080; }}"
    is_up = lambda: connects(world.near, "127.0.0.1", 9080)
    return redirected(world, "haproxy, and nft", world.near, ["haproxy", "-db", "-f", path], is_up, rule)


def written_value(path, value):
    """A value that a shell writes into a file, and the former one written again."""
    former = path.read_text().strip()
    write = lambda text: tool("sh", "-c", f"echo '{text}' > {path}")
    return Tools(f"sh: echo > {path.name}", lambda: write(value), lambda: write(former))


def stressed(world, name, arguments, is_on):
    """stress-ng, started until it does its work, and ended."""
    started = []

    def make():
        started.append(world.start("stress-ng", "--quiet", *arguments))
        until(lambda: is_on(started[0].pid))

    def undo():
        child = started.pop()
        child.terminate()
        child.wait()

    return Tools(name, make, undo)


def works(pid):
    """Whether a stressor has begun to use the processor."""
    for child in children(pid):
        with open(f"/proc/{child}/stat", encoding="ascii") as file:
            if sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) > 0:
                return True
    return False


class Case:
    """A fault as it is asked for, on what, and its peer."""

    def __init__(self, fault, selector, options, peer, renewed=False):
        self.fault, self.selector, self.options, self.peer = fault, selector, options, peer
        self.renewed = renewed


def network(world):
    """Faults of packets."""
    near = lambda: ("netns", {"name": world.near})
    # Where an interface is named nothing is measured on the way, as tools measure nothing.
    to = {"to": FAR, "interface": "va"}
    stand_in = None if netem_works(world) else traffic_control(world, "pfifo", "limit", "1000")
    netem = lambda *options: stand_in or traffic_control(world, "netem", *options)
    yield Case("network.latency", near, to | {"delay": "20ms"}, netem("delay", "20ms"))
    yield Case("network.loss", near, to | {"percent": "10%"}, netem("loss", "10%"))
    yield Case("network.duplicate", near, to | {"percent": "10%"}, netem("duplicate", "10%"))
    yield Case("network.corrupt", near, to | {"percent": "10%"}, netem("corrupt", "10%"))
    yield Case("network.reorder", near, to | {"percent": "25%"}, netem("delay", "10ms", "reorder", "25%"))
    bucket = traffic_control(world, "tbf", "rate", "8mbit", "burst", "15kb", "latency", "200ms")
    yield Case("network.bandwidth", near, to | {"rate": "8mbit"}, bucket)
    yield Case("network.partition", near, {"to": FAR}, packet_filter(world, "nft", *drop_rules()))


def requests(world):
    """Faults of names and requests."""
    near = lambda: ("netns", {"name": world.near})
    names, port = {"names": "*.test"}, {"port": 8080}
    dnsmasq, haproxy = resolver(world), proxy(world)
    yield Case("dns.error", near, names, dnsmasq)
    yield Case("dns.spoof", near, names | {"addresses": "192.0.2.7"}, dnsmasq)
    yield Case("dns.delay", near, names | {"delay": "20ms"}, dnsmasq)
    yield Case("dns.drop", near, names, dnsmasq)
    yield Case("http.latency", near, port | {"delay": "20ms"}, haproxy)
    yield Case("http.error", near, port | {"status": 503}, haproxy)
    yield Case("http.abort", near, port, haproxy)
    yield Case("http.bandwidth", near, port | {"rate": "8mbit"}, haproxy)
    yield Case("grpc.error", near, {"port": 50051, "code": "INTERNAL"}, haproxy)
    yield Case("grpc.latency", near, {"port": 50051, "delay": "20ms"}, haproxy)


def processes(world):
    """Faults of processes and their control groups."""
    victim = world.victim(world.program, "wrap", "--")
    chosen = lambda: ("process", {"pid": victim.pid})
    signal = lambda name: tool("/bin/kill", name, str(victim.pid))
    fresh = {}

    def mortal():
        fresh["pid"] = world.victim().pid
        return "process", {"pid": fresh["pid"]}

    yield Case("process.pause", chosen, {}, Tools("kill -STOP, -CONT", lambda: signal("-STOP"), lambda: signal("-CONT")))
    kill = Tools("kill -KILL", lambda: tool("/bin/kill", "-KILL", str(fresh["pid"])))
    yield Case("process.kill", mortal, {}, kill, renewed=True)
    cpu, memory = world.setting("cpu.max", "cpu.cfs_quota_us"), world.setting("memory.max", "memory.limit_in_bytes")
    yield Case("cpu.limit", chosen, {"quota": "50%"}, written_value(cpu, "50000"))
    yield Case("memory.limit", chosen, {"limit": "64MiB"}, written_value(memory, "67108864"))
    files = lambda count: tool("prlimit", f"--nofile={count}:", "--pid", str(victim.pid))
    yield Case("fd.exhaust", chosen, {}, Tools("prlimit --nofile", lambda: files(8), lambda: files(1024)))
    tasks = world.setting("pids.max")
    tasks.write_text("100")
    yield Case("pid.exhaust", chosen, {"share": "50%"}, written_value(tasks, "50"))
    yield Case("clock.skew", chosen, {"offset": "5m"}, None)


def loads(world):
    """Faults that use something up."""
    host = lambda: ("host", {})
    file = world.storage / "bench"
    place = {"path": str(world.storage)}
    yield Case("cpu.stress", host, {"load": "20%", "cores": [0]}, stressed(
        world, "stress-ng --cpu, until it works", ["--cpu", "1", "--cpu-load", "20", "--taskset", "0"], works,
    ))
    yield Case("memory.pressure", host, {"use": "64MiB"}, stressed(
        world, "stress-ng --vm, until it is full", ["--vm", "1", "--vm-bytes", "64M", "--vm-keep", "--vm-method", "write64"],
        lambda pid: resident("stress-ng") >= 63,
    ))
    yield Case("disk.fill", host, place | {"size": "64MiB"}, Tools(
        "fallocate, rm", lambda: tool("fallocate", "-l", "64M", str(file)), lambda: tool("rm", str(file)),
    ))
    yield Case("disk.io", host, place | {"write": "1MB/s", "file_size": "1MiB"}, stressed(
        world, "stress-ng --hdd, until it writes", ["--temp-path", world.storage, "--hdd", "1", "--hdd-bytes", "1M"],
        lambda pid: written(pid) > 65536,
    ))
    yield Case("noop", host, {}, Tools("true", lambda: tool("true"), lambda: tool("true")))


def measured(agent, case):
    """The rows of a case: what it takes to make it, and to put it back."""
    ours, theirs = ([], []), ([], [])
    for index in range(ROUNDS + 1):
        selector = case.selector()
        spec = agent.spec(case.fault, selector, case.options)
        targets = agent.targets(spec)
        made, undone = milliseconds(lambda: agent.inject(spec, targets)), milliseconds(agent.revert)
        if case.peer and case.renewed:
            case.selector()
        peer = case.peer and (milliseconds(case.peer.make), milliseconds(case.peer.undo) if case.peer.undo else None)
        # The first finds out what the host can do, and keeps that.
        if index == 0:
            continue
        for times, time in zip(ours, (made, undone)):
            times.append(time)
        if peer:
            for times, time in zip(theirs, peer):
                times.append(time)
    for what, mine, others in zip(("inject", "revert"), ours, theirs):
        peer = (case.peer.name, others) if others and others[0] is not None else ()
        if what == "inject" or peer or case.peer is None:
            yield figure(f"{case.fault}: {what}", "ms", mine, *peer, kind=what, fault=case.fault)


def all_faults(program):
    """The names of the catalogue."""
    return {fault["name"] for fault in json.loads(tool(str(program), "faults", "--json"))}


def rows(program):
    """All of it; a fault of the catalogue that has no case is an error."""
    if not IS_ROOT:
        return
    with World(program) as world:
        cases = [case for part in (network, requests, processes, loads) for case in part(world)]
        missing = all_faults(world.program) - {case.fault for case in cases}
        if missing:
            raise SystemExit(f"bench/kinds.py: no case for {', '.join(sorted(missing))}")
        with Agent(world.program) as agent:
            for case in cases:
                yield from measured(agent, case)
