// The engine in real namespaces with real packets: what was asked for is what happens, and nothing else.

import ChaosModel
import Glibc
import TestSupport
import Testing

@testable import ChaosLinux

@Suite(.serialized)
struct QueueTests {
    private let network: QueueNetwork

    init() throws { network = try QueueNetwork() }

    private static let both = QueueNetwork.both
    private static let bothWays = both.map { QueueNetwork.match($0) }

    @Test
    func `the engine works here, and trying it out leaves nothing`() throws {
        #expect(try network.shaper.absence(in: network.near) == nil)
        #expect(try network.tables().isEmpty)
    }

    @Test(.rounds, arguments: [1.0, 100])
    func `a delay is as long as asked, for its address only`(_ delay: Double) async throws {
        let base = try network.ping("10.9.0.2", count: 50).meanMs
        try await network.shape(
            Impairment(delay: PacketDelay(delayMs: delay)),
            [QueueNetwork.match(.egress)]
        )
        let slow = try network.ping("10.9.0.2", count: 100)
        print("asked \(delay) ms, base \(base) ms, measured \(slow.meanMs) ms")
        #expect(slow.answered == 1)
        #expect(
            abs(slow.meanMs - base - delay) < max(1, 0.05 * delay) + QueueNetwork.slack,
            .ofFigure
        )
        #expect(try network.ping("10.9.0.3", count: 20).meanMs < max(0.9, base * 5), .ofFigure)
        let count = try #require(try await network.count())
        #expect(count.matched == 100 && count.bypassed == 0 && count.dropped == 0)
        let mean = try #require(count.meanDelayMs)
        print("own error \(mean - delay) ms")
        #expect(abs(mean - delay) < 0.3 + QueueNetwork.slack, .ofFigure)
        try await network.unshape()
        #expect(try network.ping("10.9.0.2", count: 20).meanMs < max(0.9, base * 5), .ofFigure)
        let seen = try await network.count()
        #expect(seen == nil)
        #expect(try network.tables().isEmpty)
    }

    @Test(.rounds)
    func `two leases for one address add up and end separately`() async throws {
        for (name, delay) in [("moonquake_q", 30.0), ("moonquake_r", 50)] {
            try await network.shape(
                Impairment(delay: PacketDelay(delayMs: delay)),
                Self.bothWays,
                name: name
            )
        }
        func mean() throws -> Double { try network.ping("10.9.0.2", count: 20).meanMs }
        #expect(abs(try mean() - 160) < 4 + QueueNetwork.slack, .ofFigure)
        let error = await #expect(throws: KernelError.self) {
            try await network.shape(
                Impairment(delay: PacketDelay(delayMs: 1)),
                Self.bothWays,
                name: "moonquake_q"
            )
        }
        #expect(error?.reason == "rules of this name are in force")
        try await network.unshape("moonquake_q")
        #expect(abs(try mean() - 100) < 4 + QueueNetwork.slack, .ofFigure)
        try await network.unshape("moonquake_r")
        #expect(try mean() < 2, .ofFigure)
        #expect(try network.tables().isEmpty)
    }

    @Test(arguments: Self.both)
    func `loss takes its share of packets`(_ direction: PacketDirection) async throws {
        try await network.shape(
            Impairment(loss: .random(share: 0.3, correlation: 0)),
            [QueueNetwork.match(direction)]
        )
        let arrivals = try await network.flow(direction).run(
            count: 2000,
            every: .microseconds(200)
        )
        let lost = 1 - Double(arrivals.count) / 2000
        print("\(direction): asked 30 % loss, measured \(lost * 100) %")
        #expect(abs(lost - 0.3) < 0.03)
        let seen2 = try await network.count()?.dropped
        #expect(seen2 == UInt64(2000 - arrivals.count))
    }

    @Test
    func `no loss hits nothing, whole loss lets nothing through`() async throws {
        let addresses = ["10.9.0.2", "fd09::2"]
        let all = Self.both.map { PacketMatch($0) }
        try await network.shape(Impairment(loss: .random(share: 0, correlation: 0)), all)
        for address in addresses {
            #expect(try network.ping(address, count: 200, every: 0.002).answered == 1)
        }
        try await network.unshape()
        try await network.shape(Impairment(loss: .random(share: 1, correlation: 0)), all)
        for address in addresses {
            #expect(throws: KernelError.self) { try network.ping(address, count: 20) }
            let arrivals = try await network.flow(.egress, address)
                .run(count: 500, every: .microseconds(20), patience: .milliseconds(100))
            #expect(arrivals.isEmpty)
        }
        let count = try #require(try await network.count())
        #expect(count.matched == count.dropped && count.bypassed == 0)
    }

    @Test(.rounds, arguments: Self.both)
    func `a rate is met after its beginning`(_ direction: PacketDirection) async throws {
        let rate = PacketRate(bitsPerSecond: 1e6, burstBytes: 2000, limitBytes: 20_000)
        try await network.shape(Impairment(rate: rate), [QueueNetwork.match(direction)])
        // 528 bytes with their headers, at twice the rate.
        let flow = try network.flow(direction, size: 500)
        let arrivals = try await flow.run(count: 700, every: .microseconds(2112))
        let window = arrivals.filter {
            $0.at > .milliseconds(200) && $0.at < .milliseconds(1200)
        }
        let measured = Double(window.count * 528 * 8)
        print("\(direction): asked 1 mbit, measured \(measured / 1e6) mbit")
        #expect(abs(measured / 1e6 - 1) < 0.1, .ofFigure)
    }

    @Test(.rounds)
    func `jitter reorders unless order is preserved`() async throws {
        for preserves in [false, true] {
            let delay = PacketDelay(delayMs: 50, jitterMs: 10, preserveOrder: preserves)
            try await network.shape(Impairment(delay: delay), [QueueNetwork.match(.egress)])
            let arrivals = try await network.flow().run(count: 1000, every: .milliseconds(1))
            print("preserve order \(preserves): \(arrivals.overtaken) of 1000 overtaken")
            #expect(arrivals.count == 1000)
            #expect(preserves ? arrivals.overtaken == 0 : arrivals.overtaken > 100)
            if !preserves {
                #expect(abs(arrivals.meanMs - 50) < 1.5 + QueueNetwork.slack, .ofFigure)
            }
            try await network.unshape()
        }
    }

    @Test
    func `a share of packets overtakes the others`() async throws {
        try await network.shape(
            Impairment(delay: PacketDelay(delayMs: 20), reorder: PacketShare(share: 0.25)),
            [QueueNetwork.match(.egress)]
        )
        let arrivals = try await network.flow().run(count: 2000, every: .milliseconds(1))
        let early = arrivals.filter { $0.latency < .milliseconds(10) }
        #expect(arrivals.count == 2000)
        let reordered = Int(try await network.count()?.reordered ?? 0)
        #expect(abs(Double(reordered) / 2000 - 0.25) < 0.04)
        // A busy machine reads some of them late.
        #expect((reordered * 3 / 4...reordered).contains(early.count))
    }

    @Test(arguments: Self.both, ["10.9.0.2", "fd09::2"])
    func `a share of packets comes twice`(
        _ direction: PacketDirection,
        _ address: String
    ) async throws {
        try await network.shape(
            Impairment(duplicate: PacketShare(share: 0.2)),
            [QueueNetwork.match(direction, address)]
        )
        let flow = try network.flow(direction, address)
        let arrivals = try await flow.run(count: 1000, every: .microseconds(500))
        // It ends with the thousandth: the copies of the last are still to come.
        var rest = 0
        while flow.receiver.receive(within: .milliseconds(200)) != nil { rest += 1 }
        let extra = arrivals.count + rest - 1000
        print("\(direction) \(address): asked 20 % twice, measured \(Double(extra) / 10) %")
        #expect(abs(Double(extra) / 1000 - 0.2) < 0.04)
        let seen4 = try await network.count()?.duplicated
        #expect(seen4 == UInt64(extra))
    }

    @Test(arguments: Self.both)
    func `a share of packets is changed by one bit`(_ direction: PacketDirection) async throws {
        try await network.shape(
            Impairment(corrupt: PacketShare(share: 0.2)),
            [QueueNetwork.match(direction)]
        )
        let arrivals = try await network.flow(direction, size: 1000)
            .run(count: 1000, every: .microseconds(500))
        let count = try #require(try await network.count())
        #expect(abs(Double(count.corrupted) / 1000 - 0.2) < 0.04)
        // The receiver's checksum finds a changed bit, so what is changed is lost.
        print("\(direction): \(count.corrupted) changed, \(1000 - arrivals.count) refused")
        #expect(abs(1000 - arrivals.count - Int(count.corrupted)) <= 5)
        #expect(!arrivals.contains { !$0.isWhole })
    }

    @Test
    func `a share of connections is hit wholly, both ways`() async throws {
        let total = 500
        try await network.shape(
            Impairment(loss: .random(share: 1, correlation: 0)),
            Self.bothWays,
            traffic: 0.1
        )
        var hit = 0
        for _ in 0..<total {
            let server = try DatagramSocket("10.9.0.2", in: network.far)
            let client = try DatagramSocket("10.9.0.1", in: network.near)
            for _ in 0..<3 {
                client.send([1], to: server)
                server.send([2], to: client)
            }
            var answers = 0
            // What is not there after this long was dropped, also on a busy machine.
            for end in [server, client] {
                for _ in 0..<3 {
                    guard end.receive(within: .milliseconds(100)) != nil else { break }
                    answers += 1
                }
            }
            #expect(answers == 0 || answers == 6)
            if answers == 0 { hit += 1 }
        }
        print("asked 10 % of connections, measured \(Double(hit) * 100 / Double(total)) %")
        #expect(abs(Double(hit) / Double(total) - 0.1) < 0.05)
        let counted = try #require(try await network.count()?.traffic)
        #expect(counted.unit == .connections)
        #expect(abs(Int(counted.matched) - total) <= 10, "\(counted)")
        #expect(abs(Int(counted.hit) - hit) <= 3, "\(counted)")
    }

    @Test
    func `excluded ports pass in both directions`() async throws {
        let server = try DatagramSocket("10.9.0.2", in: network.far)
        let pass = Self.both.map {
            QueueNetwork.match($0, protocols: [.udp], remotePorts: [server.end.port])
        }
        try await network.shape(
            Impairment(loss: .random(share: 1, correlation: 0)),
            Self.bothWays,
            pass: pass
        )
        let client = try DatagramSocket("10.9.0.1", in: network.near)
        client.send([1], to: server)
        #expect(server.receive(within: .seconds(1)) == [1])
        server.send([2], to: client)
        #expect(client.receive(within: .seconds(1)) == [2])
        let other = try DatagramSocket("10.9.0.2", in: network.far)
        client.send([3], to: other)
        #expect(other.receive(within: .milliseconds(100)) == nil)
    }

    @Test(.rounds)
    func `a packet on the loopback interface is delayed once each way`() async throws {
        try await network.shape(
            Impairment(delay: PacketDelay(delayMs: 20)),
            Self.both.map { QueueNetwork.match($0, "127.0.0.1") }
        )
        // Request and answer are each queued on their way out, and passed on their way in.
        #expect(
            abs(try network.ping("127.0.0.1", count: 10).meanMs - 40) < 2 + QueueNetwork.slack,
            .ofFigure
        )
        #expect(try network.ping("10.9.0.2", count: 10).meanMs < 5, .ofFigure)
    }

    @Test(.rounds)
    func `packets that wait at the end go on at once, and those of other leases are kept`()
        async throws
    {
        for (name, address) in [("moonquake_q", "10.9.0.2"), ("moonquake_r", "10.9.0.3")] {
            try await network.shape(
                Impairment(delay: PacketDelay(delayMs: 1000)),
                [QueueNetwork.match(.egress, address)],
                name: name
            )
        }
        let flows = [try network.flow(.egress, "10.9.0.2"), try network.flow(.egress, "10.9.0.3")]
        for flow in flows {
            for _ in 0..<100 { flow.sender.send([7], to: flow.receiver) }
        }
        let seen5 = try await network.count()?.matched
        #expect(seen5 == 100)
        let clock = ContinuousClock()
        let start = clock.now
        try await network.unshape("moonquake_q")
        func received(_ flow: DatagramFlow) -> Int {
            (0..<100).filter { _ in flow.receiver.receive(within: .seconds(2)) != nil }.count
        }
        #expect(received(flows[0]) == 100)
        #expect(clock.now - start < .milliseconds(500), .ofFigure)
        #expect(received(flows[1]) == 100)
        #expect(clock.now - start > .milliseconds(500))
        try await network.unshape("moonquake_r")
        #expect(try network.tables().isEmpty)
    }

    @Test(.rounds)
    func `a delay is no throttle for a sender of the namespace`() async throws {
        try await network.shape(
            Impairment(delay: PacketDelay(delayMs: 500)),
            [QueueNetwork.match(.egress)]
        )
        // Far more than the 212,992 bytes of buffers that a socket may have under way.
        let flow = try network.flow(size: 1400)
        let arrivals = try await flow.run(count: 2000, every: .microseconds(200))
        print("\(arrivals.count) of 2000 large packets sent within 400 ms into a delay of 500 ms")
        #expect(arrivals.count > 1900)
        if QueueNetwork.isTimed { #expect(abs(arrivals.meanMs - 500) < 10, .ofFigure) }
    }

    @Test(.rounds)
    func `a packet that passes through is delayed once`() async throws {
        let router = String(network.far.path.split(separator: "/").last ?? "")
        let third = "\(router)-c"
        try QueueNetwork.ip("netns add \(third)")
        defer { _ = try? QueueNetwork.ip("netns del \(third)") }
        try QueueNetwork.ip("link add vc netns \(router) type veth peer name vd netns \(third)")
        try QueueNetwork.ip("addr add 10.8.0.1/24 dev vc\nlink set vc up", in: router)
        try QueueNetwork.ip(
            "addr add 10.8.0.2/24 dev vd\nlink set vd up\nroute add 10.9.0.0/24 via 10.8.0.1",
            in: third
        )
        try QueueNetwork.output("sysctl", ["-q", "net.ipv4.ip_forward=1"], in: network.far)
        try QueueNetwork.output(
            "ip",
            ["route", "add", "10.8.0.0/24", "via", "10.9.0.2"],
            in: network.near
        )
        #expect(try network.ping("10.8.0.2", count: 20).meanMs < 5, .ofFigure)
        let rules = ShapingRules(
            name: "moonquake_f",
            pass: [],
            match: Self.both.map { PacketMatch($0) },
            impairment: Impairment(delay: PacketDelay(delayMs: 30)),
            seed: 1
        )
        try await network.shaper.shape(rules, in: network.far)
        // There and back, each queued where it comes in and passed where it goes out.
        #expect(
            abs(try network.ping("10.8.0.2", count: 20).meanMs - 60) < 4 + QueueNetwork.slack,
            .ofFigure
        )
        try await network.shaper.unshape("moonquake_f", in: network.far)
    }

    @Test(.rounds, arguments: ["10.9.0.2", "fd09::2"], [64, 1400, 2000])
    func `packets of all sizes and families come whole and late`(
        _ address: String,
        _ size: Int
    ) async throws {
        try await network.shape(
            Impairment(delay: PacketDelay(delayMs: 50)),
            [QueueNetwork.match(.egress, address)]
        )
        let arrivals = try await network.flow(.egress, address, size: size)
            .run(count: 200, every: .milliseconds(1))
        #expect(arrivals.count == 200)
        #expect(!arrivals.contains { !$0.isWhole || $0.latency < .milliseconds(50) })
        if QueueNetwork.isTimed { #expect(abs(arrivals.meanMs - 50) < 2, .ofFigure) }
    }

    @Test
    func `what is beyond the capacity passes and is counted`() async throws {
        try await network.shape(
            Impairment(delay: PacketDelay(delayMs: 30_000)),
            [QueueNetwork.match(.egress)]
        )
        let flow = try network.flow()
        var sent = 0
        var counted = ShapingCount()
        for _ in 0..<2000 where counted.bypassed == 0 {
            for _ in 0..<1000 where flow.sender.send([7], to: flow.receiver) { sent += 1 }
            counted = try #require(try await network.count())
        }
        print("\(sent) sent, \(counted.bypassed) passed by")
        #expect(sent > QueueLimits.capacity && sent < QueueLimits.capacity + 5000)
        #expect(counted.bypassed > 0 && counted.dropped == 0)
        #expect(flow.receiver.receive(within: .seconds(1)) == [7])
        try await network.unshape()
    }

    @Test
    func `the worker ends with its agent, and the rules with it`() async throws {
        let rules = ShapingRules(
            name: "moonquake_e",
            pass: [],
            match: Self.bothWays,
            impairment: Impairment(delay: PacketDelay(delayMs: 10)),
            seed: 1
        )
        var shaper: LinuxQueueShaper? = LinuxQueueShaper(worker: [try QueueNetwork.fixture()])
        try await shaper?.shape(rules, in: network.near)
        #expect(try network.tables() == ["moonquake_e"])
        shaper = nil
        let clock = ContinuousClock()
        let start = clock.now
        while try !network.tables().isEmpty, clock.now - start < .seconds(5) {}
        print("the rules were gone \((clock.now - start).spelled) after the agent's end")
        #expect(try network.tables().isEmpty)
    }

    @Test
    func `a lease ends although its namespace has lost its name, and the target is gone`()
        async throws
    {
        try await network.shape(Impairment(delay: PacketDelay(delayMs: 10)), Self.bothWays)
        try QueueNetwork.ip("netns del \(network.near.path.split(separator: "/").last ?? "")")
        #expect(try await network.count() != nil)
        let ending = await #expect(throws: KernelError.self) { try await network.unshape() }
        #expect(ending?.kind == .gone)
        let seen6 = try await network.count()
        #expect(seen6 == nil)
        let error = await #expect(throws: KernelError.self) {
            try await network.shape(Impairment(delay: PacketDelay(delayMs: 10)), Self.bothWays)
        }
        #expect(error?.kind == .gone)
    }

    @Test(.rounds)
    func `when the worker is killed packets flow at once and no rule is left`() async throws {
        try await network.shape(
            Impairment(loss: .random(share: 1, correlation: 0)),
            Self.both.map { PacketMatch($0) }
        )
        #expect(throws: KernelError.self) { try network.ping("10.9.0.2", count: 2) }
        let flow = try network.flow()
        let clock = ContinuousClock()
        let start = clock.now
        network.shaper.killWorker()
        var isFlowing = false
        while !isFlowing, clock.now - start < .seconds(5) {
            flow.sender.send([1], to: flow.receiver)
            isFlowing = flow.receiver.receive(within: .milliseconds(2)) != nil
        }
        let time = clock.now - start
        print("packets flowed \(time.spelled) after SIGKILL")
        #expect(time < .milliseconds(200), .ofFigure)
        while try !network.tables().isEmpty, clock.now - start < .seconds(5) {}
        #expect(try network.tables().isEmpty)
        let seen7 = try await network.count()
        #expect(seen7 == nil)
        try await network.unshape()
        // The next lease starts another worker.
        try await network.shape(Impairment(delay: PacketDelay(delayMs: 5)), Self.bothWays)
        #expect(try network.ping("10.9.0.2", count: 10).meanMs > 9)
    }

    @Test
    func `what the engine cannot do is said`() {
        func obstacle(_ impairment: Impairment) -> String? {
            network.shaper.obstacle(
                to: ShapingRules(
                    name: "moonquake_o",
                    pass: [],
                    match: Self.bothWays,
                    impairment: impairment,
                    seed: 1
                ),
                in: network.near
            )
        }
        #expect(obstacle(Impairment(delay: PacketDelay(delayMs: 30_000))) == nil)
        #expect(
            obstacle(Impairment(delay: PacketDelay(delayMs: 60_000, jitterMs: 1)))
                == "delay and jitter together must be at most 1m, got 60001.0ms"
        )
        #expect(
            obstacle(Impairment(reorder: PacketShare(share: 0.5)))
                == "reorder needs a delay: packets overtake only those that wait"
        )
    }
}
