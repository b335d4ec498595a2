// What network faults must hold, in figures, through the whole program and over every engine that can be measured here. What only
// an engine by itself can show is in LinuxTests (netem) and QueueTests (nfqueue).

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct NetworkFigureTests {
    /// Holds faults in a namespace while something is measured.
    private func hold<Value>(
        _ box: Sandbox,
        _ faults: [String],
        _ body: () throws -> Value
    ) throws -> Value {
        let text = faults.map { "inject(\($0))" }.joined(separator: "\n") + "\nwait '120s'"
        let file = try box.write("hold-\(UInt32.random(in: .min ... .max)).lua", text)
        let runner = try box.begin("run", file, "--seed", "7")
        try box.injected(faults.count, by: runner)
        defer {
            runner.signal(SIGINT)
            _ = try? runner.ended()
        }
        return try body()
    }

    private func fault(
        _ kind: String,
        _ near: String,
        _ options: String,
        engine: String? = nil
    ) -> String {
        let carried = engine.map { ", engine = \"\($0)\"" } ?? ""
        return
            "fault.network.\(kind) { target = target.netns { name = \"\(near)\" }, \(options)\(carried) }"
    }

    /// The round trips and how many of the pings were answered.
    private func ping(
        _ box: Sandbox,
        _ address: String,
        count: Int,
        every seconds: Double,
        wait: Int = 2,
        in namespace: String
    ) throws -> (meanMs: Double, answered: Int) {
        let program = try box.start(
            ["ping", "-n", "-q", "-c", "\(count)", "-i", "\(seconds)", "-W", "\(wait)", address],
            in: namespace
        )
        _ = try program.ended()
        let output = program.output
        let received = output.split(separator: ",").first { $0.contains("received") }?
            .split(separator: " ").first.flatMap { Int($0) }
        let mean = output.split(separator: "\n").first { $0.hasPrefix("rtt") }?
            .split(separator: "/").dropFirst(4).first.flatMap { Double($0) }
        return (mean ?? .infinity, received ?? 0)
    }

    @Test(.rounds, arguments: Engines.measured)
    func `a delay of 100 ms ± 10 ms is the mean of a hundred pings, and one of 1 ms is 1 ms`(
        _ engine: String
    ) throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let base = try ping(box, "10.98.0.2", count: 50, every: 0.01, in: near).meanMs
            let long = fault(
                "latency",
                near,
                "to = \"10.98.0.2\", direction = \"egress\", delay = \"100ms\", jitter = \"10ms\"",
                engine: engine
            )
            let slow = try hold(box, [long]) {
                try ping(box, "10.98.0.2", count: 100, every: 0.02, in: near)
            }
            print("\(engine): asked 100 ms ± 10 ms, base \(base) ms: \(slow.meanMs) ms")
            #expect(slow.answered == 100)
            #expect(abs(slow.meanMs - (100 + base)) <= 5, .ofFigure)
            let short = fault(
                "latency",
                near,
                "to = \"10.98.0.2\", direction = \"egress\", delay = \"1ms\"",
                engine: engine
            )
            // What else this machine does only ever adds: the best of three speaks.
            let quick = try hold(box, [short]) {
                try (0..<3).map { _ in
                    try ping(box, "10.98.0.2", count: 100, every: 0.02, in: near).meanMs
                }.min() ?? .infinity
            }
            print("\(engine): asked 1 ms, base \(base) ms: \(quick) ms")
            #expect(abs(quick - base - 1) <= 1, .ofFigure)
        }
    }

    @Test(.rounds)
    func `a delay of 30 s is really held, by every engine`() throws {
        try Sandbox.with { box in
            // All at the same time: half a minute is long.
            let ends = try Engines.measured.map { engine in
                let (near, _) = try box.network()
                let slow = fault(
                    "latency",
                    near,
                    "to = \"10.98.0.2\", delay = \"30s\", direction = \"egress\"",
                    engine: engine
                )
                let file = try box.write("\(engine).lua", "inject(\(slow))\nwait '120s'")
                let runner = try box.begin("run", file)
                guard
                    eventually(within: .seconds(30), holds: { runner.errors.contains("injected") })
                else { throw SetUpError("\(engine): \(runner.errors)") }
                let ping = try box.start(
                    ["ping", "-n", "-c1", "-W", "40", "10.98.0.2"],
                    in: near
                )
                return (engine: engine, runner: runner, ping: ping)
            }
            for end in ends {
                #expect(try end.ping.ended(within: .seconds(60)) == 0)
                let line = end.ping.output.split(separator: "\n").first { $0.contains("time=") }
                let took = line?.split(separator: "time=").last?.split(separator: " ").first
                    .flatMap { Double($0) }
                print("\(end.engine): asked 30 s: \(shown(took))")
                #expect((30_000...31_000).contains(took ?? 0), .ofFigure)
                end.runner.signal(SIGINT)
                _ = try end.runner.ended()
            }
        }
    }

    @Test(arguments: Engines.measured)
    func `a loss of 30 % is that of 2000 packets, of 0 % hits none, of 100 % all, ICMP and IPv6`(
        _ engine: String
    ) throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            func loss(_ percent: String) -> String {
                fault(
                    "loss",
                    near,
                    "percent = \"\(percent)\", direction = \"egress\"",
                    engine: engine
                )
            }
            let some = try hold(box, [loss("30%")]) {
                try ping(box, "10.98.0.2", count: 2000, every: 0.002, wait: 1, in: near).answered
            }
            print("\(engine): loss 30 %: \(2000 - some) of 2000 lost")
            #expect((1340...1460).contains(some))
            let none = try hold(box, [loss("0%")]) {
                try ping(box, "10.98.0.2", count: 300, every: 0.002, in: near).answered
            }
            #expect(none == 300)
            try hold(box, [loss("100%")]) {
                for address in ["10.98.0.2", "fd98::2"] {
                    let answered = try ping(box, address, count: 5, every: 0.1, wait: 1, in: near)
                    #expect(answered.answered == 0, "\(address)")
                }
            }
            // A protocol narrows it.
            let narrow = fault(
                "loss",
                near,
                "percent = \"100%\", protocol = \"tcp\"",
                engine: engine
            )
            try hold(box, [narrow]) {
                for address in ["10.98.0.2", "fd98::2"] {
                    let seen = try ping(box, address, count: 3, every: 0.1, in: near)
                    #expect(seen.answered == 3, "\(address)")
                }
            }
        }
    }

    @Test(arguments: Engines.measured)
    func `a tenth of 2000 connections is hit, each wholly or not at all`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let server = try box.start(
                ["python3", "-c", Self.echoServer, "10.98.0.2", "7007"],
                in: far
            )
            #expect(eventually { server.output.contains("ready") })
            let share = fault(
                "loss",
                near,
                "to = \"10.98.0.2:7007\", percent = \"100%\", traffic = \"10%\"",
                engine: engine
            )
            let counts = try hold(box, [share]) {
                let patience = Engines.isLab ? "12" : "3"
                return try box.tool(
                    "python3",
                    "-c",
                    Self.connections,
                    "10.98.0.2",
                    "7007",
                    patience,
                    in: near
                )
            }
            print("\(engine): 10 % of 2000 connections: \(counts)")
            let numbers = counts.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            try #require(numbers.count == 3)
            let (open, half, silent) = (numbers[0], numbers[1], numbers[2])
            #expect(open + half + silent == 2000)
            #expect(half == 0)
            #expect((160...240).contains(silent))
        }
    }

    @Test(arguments: Engines.measured)
    func `excluded ports pass in both directions`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            for (place, address) in [(near, "10.98.0.1"), (far, "10.98.0.2")] {
                for port in ["22", "9526", "80"] {
                    let server = try box.start(
                        ["python3", "-c", Self.echoServer, address, port],
                        in: place
                    )
                    #expect(eventually { server.output.contains("ready") })
                }
            }
            let cut = fault(
                "loss",
                near,
                "percent = \"100%\", exclude_ports = { 22, 9526 }",
                engine: engine
            )
            try hold(box, [cut]) {
                for (place, address) in [(near, "10.98.0.2"), (far, "10.98.0.1")] {
                    let seen = try box.tool(
                        "python3",
                        "-c",
                        Self.reachable,
                        address,
                        "22",
                        "9526",
                        "80",
                        in: place
                    )
                    #expect(seen == "22 9526\n", "from \(place): \(seen)")
                }
            }
        }
    }

    @Test(arguments: Engines.measured)
    func `without an interface every interface is meant`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let line =
                "link add vc index 21 netns \(near) type veth peer name vd index 22 netns \(far)\n"
            try box.tool("ip", "-batch", try box.write("second.ip", line))
            for (name, device, number) in [(near, "vc", 1), (far, "vd", 2)] {
                try box.tool("ip", "-n", name, "addr", "add", "10.97.0.\(number)/24", "dev", device)
                try box.tool("ip", "-n", name, "link", "set", device, "up")
            }
            #expect(
                try eventually {
                    try ping(box, "10.97.0.2", count: 1, every: 0.1, wait: 1, in: near).answered
                        == 1
                }
            )
            let all = fault(
                "loss",
                near,
                "percent = \"100%\", direction = \"egress\"",
                engine: engine
            )
            try hold(box, [all]) {
                for address in ["10.98.0.2", "10.97.0.2"] {
                    let seen = try ping(box, address, count: 2, every: 0.1, wait: 1, in: near)
                    #expect(seen.answered == 0, "\(address)")
                }
            }
        }
    }

    @Test(arguments: Engines.measured)
    func `two faults to one address both hold and end separately`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            func slow(_ ms: Int) -> String {
                fault(
                    "latency",
                    near,
                    "to = \"10.98.0.2\", direction = \"egress\", delay = \"\(ms)ms\"",
                    engine: engine
                )
            }
            let text = """
                local a = inject(\(slow(60)))
                local b = inject(\(slow(40)))
                log("both")
                wait "3s"
                rollback(a)
                log("one")
                wait "60s"
                """
            let runner = try box.begin("run", try box.write("two.lua", text))
            #expect(eventually(within: .seconds(30)) { runner.errors.contains("script: both") })
            let both = try ping(box, "10.98.0.2", count: 5, every: 0.1, in: near).meanMs
            #expect((100...125).contains(both))
            #expect(eventually(within: .seconds(30)) { runner.errors.contains("script: one") })
            let one = try ping(box, "10.98.0.2", count: 5, every: 0.1, in: near).meanMs
            #expect((40...65).contains(one))
            runner.signal(SIGINT)
            _ = try runner.ended()
            try box.expect(before, in: near, far)
        }
    }

    @Test(arguments: Engines.measured)
    func `traffic that is not meant is neither lost nor reset while faults begin and end`(
        _ engine: String
    ) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let server = try box.start(
                ["python3", "-c", Self.echoServer, "10.98.0.2", "7007"],
                in: far
            )
            #expect(eventually { server.output.contains("ready") })
            let client = try box.start(
                ["python3", "-c", Self.steady, "10.98.0.2", "7007"],
                in: near
            )
            #expect(eventually { client.output.contains("ready") })
            // Each kind begins and ends by itself, then all together.
            let faults = [
                ("latency", "delay = \"100ms\""), ("loss", "percent = \"100%\""),
                ("duplicate", "percent = \"50%\""), ("bandwidth", "rate = \"8kbit\""),
            ].map { fault($0, near, "to = \"10.98.0.2:7008\", \($1)", engine: engine) }
            let each = faults.map { "rollback(inject(\($0)))" }
            let together = faults.map { "inject(\($0))" }
            let text = (each + together + ["rollback()"]).joined(separator: "\n")
            let run = try box.moonquake("run", try box.write("turns.lua", text))
            let report = try box.lastReport()
            #expect(
                report.faults.count == 8 && report.faults.allSatisfy { $0.outcome == .reverted },
                "\(run.errors)"
            )
            client.signal(SIGTERM)
            _ = try client.ended()
            let words = client.output.split(whereSeparator: \.isWhitespace)
            let counts = words.dropFirst().compactMap { Int($0) }
            try #require(counts.count == 2, "\(client.output)\(client.errors)")
            print("\(engine): beside faults that began and ended: \(client.output)")
            #expect(counts[0] > 100, "lines that were answered")
            #expect(counts[1] == 0, "segments that were sent again")
        }
    }

    @Test(arguments: Engines.measured)
    func `a near end, a network of far ends and one that is left alone`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            try box.tool("ip", "-n", near, "addr", "add", "10.98.0.11/24", "dev", "va")
            try box.tool("ip", "-n", far, "addr", "add", "10.98.0.12/24", "dev", "vb")
            func passes(from: String, to: String) throws -> Bool {
                let ping = ["ping", "-n", "-q", "-c2", "-i0.1", "-W1", "-I", from, to]
                return try box.start(ping, in: near).ended() == 0
            }
            let oneNearEnd = fault(
                "loss",
                near,
                "percent = \"100%\", from = \"10.98.0.11\"",
                engine: engine
            )
            try hold(box, [oneNearEnd]) {
                try #expect(!passes(from: "10.98.0.11", to: "10.98.0.2"))
                try #expect(passes(from: "10.98.0.1", to: "10.98.0.2"))
            }
            let network = fault(
                "loss",
                near,
                "percent = \"100%\", to = \"10.98.0.0/28\", exclude = \"10.98.0.12\"",
                engine: engine
            )
            try hold(box, [network]) {
                try #expect(!passes(from: "10.98.0.1", to: "10.98.0.2"))
                try #expect(passes(from: "10.98.0.1", to: "10.98.0.12"))
            }
        }
    }

    /// Answers every line of every connection until it is ended.
    static let echoServer = """
        import resource, selectors, socket, sys
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((sys.argv[1], int(sys.argv[2]))); listener.listen(4096); listener.setblocking(False)
        loop = selectors.DefaultSelector(); loop.register(listener, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in loop.select():
                if key.fileobj is listener:
                    client, _ = listener.accept(); client.setblocking(False)
                    loop.register(client, selectors.EVENT_READ)
                    continue
                try:
                    data = key.fileobj.recv(4096)
                    if data: key.fileobj.send(data)
                except OSError:
                    data = b""
                if not data:
                    loop.unregister(key.fileobj); key.fileobj.close()
        """

    /// Opens 2000 connections from fixed ports; prints how many carry three lines, only some of them, and none.
    private static let connections = """
        import resource, select, socket, sys, time
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        far = (sys.argv[1], int(sys.argv[2])); patience = float(sys.argv[3])
        opened = []
        for port in range(20000, 22000):
            client = socket.socket(); client.setblocking(False); client.bind(("", port)); client.connect_ex(far)
            opened.append(client)
        poll = select.poll()
        by_number = {c.fileno(): c for c in opened}
        for c in opened: poll.register(c, select.POLLOUT)
        standing = set(); end = time.time() + patience
        while time.time() < end and len(standing) < 2000:
            for number, events in poll.poll(200):
                poll.unregister(number)
                if not events & (select.POLLERR | select.POLLHUP): standing.add(number)
        answers = {number: 0 for number in standing}
        for _ in range(3):
            poll = select.poll(); waiting = set(standing)
            for number in standing:
                by_number[number].send(b"x"); poll.register(number, select.POLLIN)
            end = time.time() + patience
            while waiting and time.time() < end:
                for number, _ in poll.poll(200):
                    if number in waiting and by_number[number].recv(16): answers[number] += 1
                    waiting.discard(number); poll.unregister(number)
        whole = sum(1 for count in answers.values() if count == 3)
        print(whole, len(standing) - whole, 2000 - len(standing))
        """

    /// Has lines answered by an echo server, one after the other, until SIGTERM; prints how many were, and how many segments had to be
    /// sent again.
    private static let steady = """
        import signal, socket, struct, sys, time
        far = socket.create_connection((sys.argv[1], int(sys.argv[2]))); far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ends = []
        signal.signal(signal.SIGTERM, lambda *_: ends.append(1))
        print("ready", flush=True)
        answered = 0
        while not ends:
            far.send(b"x"); assert far.recv(16) == b"x"; answered += 1
            time.sleep(0.003)
        # tcpi_total_retrans is at byte 100 of struct tcp_info.
        again, = struct.unpack_from("I", far.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)
        print(answered, again)
        """

    /// Prints the ports of an address that accept a connection within a second.
    static let reachable = """
        import socket, sys
        found = []
        for port in sys.argv[2:]:
            try:
                socket.create_connection((sys.argv[1], int(port)), 1).close(); found.append(port)
            except OSError: pass
        print(*found)
        """
}
