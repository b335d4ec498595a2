// netem in real namespaces with real packets. Only where the kernel has it: in the lab (lab/run.sh).

import ChaosModel
import Glibc
import TestSupport
import Testing

@testable import ChaosLinux

@Suite(
    .serialized,
    .enabled(
        if: NetemProbe().absence == nil,
        "NO NETEM HERE: run these in the lab (lab/run.sh), whose kernel has it"
    )
)
struct NetemTests {
    private let network: TestNetwork
    private let netem = NetemBackend()
    private let near: TestSocket
    private let far: TestSocket

    private static let address = "10.9.0.2"
    private static let other = "10.9.0.3"

    init() throws {
        network = try TestNetwork()
        near = try TestSocket(.udp, "10.9.0.1", in: network.near)
        far = try TestSocket(.udp, "0.0.0.0", in: network.far)
    }

    private static func match(
        _ direction: PacketDirection = .egress,
        _ addresses: [String] = [address],
        ports: [Int] = []
    ) -> PacketMatch {
        PacketMatch(
            direction,
            remote: addresses.compactMap { NetworkAddress($0) },
            remotePorts: ports
        )
    }

    private static func delay(_ milliseconds: Double) -> Impairment {
        Impairment(delay: PacketDelay(delayMs: milliseconds))
    }

    private func shape(
        _ impairment: Impairment,
        _ match: [PacketMatch] = [match()],
        pass: [PacketMatch] = [],
        traffic: Double = 1,
        byConnection: Bool = true,
        name: String = "moonquake_t1"
    ) async throws {
        let rules = ShapingRules(
            name: name,
            pass: pass,
            match: match,
            traffic: traffic,
            byConnection: byConnection,
            impairment: impairment,
            seed: 7
        )
        try await netem.shape(rules, in: network.near)
    }

    private func unshape(_ name: String = "moonquake_t1") async throws {
        try await netem.unshape(name, in: network.near)
    }

    private func count(_ name: String = "moonquake_t1") async throws -> ShapingCount {
        try #require(try await netem.count(name, in: network.near))
    }

    /// How long datagrams take to the far end, at least.
    private func out(_ address: String = address, count: Int = 15) -> Double {
        DatagramStream(count, from: near, to: far, at: address, everyMs: 3).leastMs
    }

    /// How long datagrams take from the far end, at least.
    private func back(count: Int = 15) throws -> Double {
        let sender = try TestSocket(.udp, Self.address, in: network.far)
        return DatagramStream(count, from: sender, to: near, at: "10.9.0.1", everyMs: 3).leastMs
    }

    private func isAbout(_ value: Double, _ asked: Double) -> Bool {
        // Emulation adds less than 1 ms on a quiet machine, and several on a loaded one.
        asked - 0.5...asked + 12 ~= value
    }

    /// What `tc` shows of the interface.
    private func queues(of link: String = "va") throws -> String {
        let shown = try ["qdisc", "class", "filter"].map {
            try TestNetwork.output("tc", [$0, "show", "dev", link], in: network.near)
        }.joined(separator: "--\n")
        // Its classes are the flows that it has seen.
        return shown.split(separator: "\n").filter { !$0.hasPrefix("class fq_codel") }
            .joined(separator: "\n")
    }

    @Test(arguments: [
        """
        qdisc add dev va root handle 1: htb default 1 r2q 1000
        class add dev va parent 1: classid 1:1 htb rate 1gbit
        qdisc add dev va parent 1:1 handle 2: fq_codel limit 1234 target 7ms
        filter add dev va parent 1: protocol ip prio 1 u32 match ip dst 10.9.0.9/32 flowid 1:1
        """,
        "qdisc add dev va root fq_codel quantum 1000",
        "qdisc add dev va root fq limit 5000 flow_limit 50 quantum 2000",
        "",
    ])
    func `packets to one address are delayed, and all else is as before`(_ queue: String)
        async throws
    {
        if !queue.isEmpty {
            try TestNetwork.output("tc", ["-batch", "-"], input: queue + "\n", in: network.near)
        }
        let before = try queues()
        let base = out()
        try await shape(Self.delay(50))
        #expect(try queues() == before)
        let (slow, untouched, home) = (out(), out(Self.other), try back())
        print("base \(base) ms; delayed \(slow), another address \(untouched), back \(home)")
        #expect(isAbout(slow, 50))
        #expect(isAbout(untouched, 0))
        #expect(isAbout(home, 0))
        let seen = try await count().matched
        #expect(seen >= 15)
        let seen2 = try await count().dropped
        #expect(seen2 == 0)
        try await unshape()
        #expect(isAbout(out(), 0))
        #expect(try queues() == before)
        let seen3 = try await netem.count("moonquake_t1", in: network.near)
        #expect(seen3 == nil)
        #expect(try NetemDevices.residue(in: network.near).isEmpty)
    }

    @Test
    func `an interface with many queues keeps them`() async throws {
        try TestNetwork.ip(
            """
            link add vc numtxqueues 4 index 12 netns \(network.nearName) type veth \
            peer name vd index 13 netns \(network.farName)
            """.replacing("\n", with: " ")
        )
        try TestNetwork.ip("addr add 10.11.0.1/24 dev vc\nlink set vc up", in: network.nearName)
        try TestNetwork.ip("addr add 10.11.0.2/24 dev vd\nlink set vd up", in: network.farName)
        let tree = """
            qdisc add dev vc root handle 1: mq
            qdisc replace dev vc parent 1:2 fq_codel limit 321
            qdisc replace dev vc parent 1:3 handle 9: pfifo limit 7

            """
        try TestNetwork.output("tc", ["-batch", "-"], input: tree, in: network.near)
        let before = try queues(of: "vc")
        #expect(before.contains("limit 321p"))
        let sender = try TestSocket(.udp, "10.11.0.1", in: network.near)
        func took() -> Double {
            DatagramStream(15, from: sender, to: far, at: "10.11.0.2", everyMs: 3).leastMs
        }
        #expect(isAbout(took(), 0))
        try await shape(Self.delay(50), [Self.match(.egress, ["10.11.0.2"])])
        #expect(try queues(of: "vc") == before)
        #expect(isAbout(took(), 50))
        #expect(isAbout(out(), 0))
        try await unshape()
        #expect(isAbout(took(), 0))
        #expect(try queues(of: "vc") == before)
    }

    @Test
    func `each direction has its own delay`() async throws {
        try await shape(Self.delay(30), [Self.match(.ingress)])
        #expect(isAbout(try back(), 30))
        #expect(isAbout(out(), 0))
        try await unshape()
        try await shape(Self.delay(20), [Self.match(.egress), Self.match(.ingress)])
        #expect(isAbout(try back(), 20))
        #expect(isAbout(out(), 20))
        #expect(try NetemDevices.residue(in: network.near).sorted() == ["mqt1e", "mqt1i"])
        try await unshape()
        #expect(isAbout(try back(), 0))
    }

    @Test
    func `a delay varies as a normal distribution does`() async throws {
        try await shape(
            Impairment(delay: PacketDelay(delayMs: 60, jitterMs: 10, distribution: .normal))
        )
        let stream = DatagramStream(600, from: near, to: far, at: Self.address, everyMs: 1)
        print("60 ms ± 10 ms normal: \(stream.spread), \(stream.overtaken) overtaken")
        #expect(57...66 ~= stream.spread.mean)
        #expect(7.5...13 ~= stream.spread.deviation)
        #expect(stream.overtaken > 50)
    }

    @Test(arguments: PacketDelay.Distribution.allCases)
    func `packets keep their order when asked to`(_ distribution: PacketDelay.Distribution)
        async throws
    {
        try await shape(
            Impairment(
                delay: PacketDelay(
                    delayMs: 40,
                    jitterMs: 15,
                    distribution: distribution,
                    preserveOrder: true
                )
            )
        )
        let stream = DatagramStream(400, from: near, to: far, at: Self.address, everyMs: 1)
        print("in order, \(distribution): \(stream.spread), \(stream.arrivals.count) came")
        #expect(stream.overtaken == 0)
        #expect(stream.arrivals.count == 400)
        #expect(stream.spread.deviation > 1)
        #expect(stream.spread.mean > 35)
    }

    @Test
    func `a share of packets is lost`() async throws {
        try await shape(Impairment(loss: .random(share: 0.3, correlation: 0)))
        let stream = DatagramStream(2000, from: near, to: far, at: Self.address, everyMs: 0.3)
        print("loss 30 %: \(stream.arrivals.count) of 2000 came")
        #expect(1340...1460 ~= stream.arrivals.count)
        #expect(
            try await count()
                == ShapingCount(matched: 2000, dropped: UInt64(2000 - stream.arrivals.count))
        )
        try await unshape()
        try await shape(Impairment(loss: .random(share: 1, correlation: 0)))
        #expect(out() == .infinity)
        try await unshape()
        try await shape(Impairment(loss: .random(share: 0, correlation: 0)))
        #expect(DatagramStream(300, from: near, to: far, at: Self.address).arrivals.count == 300)
    }

    @Test(arguments: [
        PacketLoss.gilbertElliott(bad: 0.05, good: 0.2, lossInBad: 0.9, lossInGood: 0),
        .fourState(p13: 0.05, p31: 0.2, p32: 0, p23: 0, p14: 0),
    ])
    func `packets are lost in bursts`(_ loss: PacketLoss) async throws {
        try await shape(Impairment(loss: loss))
        let stream = DatagramStream(2000, from: near, to: far, at: Self.address, everyMs: 0.3)
        let lost = 2000 - stream.arrivals.count
        let came = Set(stream.arrivals.map(\.number))
        let bursts = (1..<2000).count { !came.contains($0) && came.contains($0 - 1) }
        print("\(loss): \(lost) lost in \(bursts) bursts")
        // A fifth of the time is bad, for five packets on average.
        #expect(240...540 ~= lost)
        #expect(Double(lost) / Double(bursts) > 2)
    }

    @Test
    func `a share is duplicated, changed, or goes first`() async throws {
        try await shape(Impairment(duplicate: PacketShare(share: 0.3)))
        let doubled = DatagramStream(1000, from: near, to: far, at: Self.address, everyMs: 0.5)
        try await unshape()
        try await shape(Impairment(corrupt: PacketShare(share: 0.3)))
        let changed = DatagramStream(1000, from: near, to: far, at: Self.address, everyMs: 0.5)
        try await unshape()
        try await shape(
            Impairment(delay: PacketDelay(delayMs: 40), reorder: PacketShare(share: 0.3))
        )
        let early = DatagramStream(500, from: near, to: far, at: Self.address, everyMs: 1)
        let quick = early.arrivals.count { $0.tookMs < 20 }
        print(
            "duplicated: \(doubled.arrivals.count), changed: \(changed.arrivals.count), early: \(quick)"
        )
        #expect(1240...1360 ~= doubled.arrivals.count)
        // The receiver drops what its checksum tells.
        #expect(640...800 ~= changed.arrivals.count)
        #expect(110...190 ~= quick)
        try await unshape()
    }

    @Test(arguments: [false, true])
    func `a rate is met`(_ isIngress: Bool) async throws {
        let rate = PacketRate(bitsPerSecond: 1_000_000, burstBytes: 15_140, limitBytes: 400_000)
        try await shape(Impairment(rate: rate), [Self.match(isIngress ? .ingress : .egress)])
        let sender = isIngress ? try TestSocket(.udp, Self.address, in: network.far) : near
        let stream = DatagramStream(
            150,
            from: sender,
            to: isIngress ? near : far,
            at: isIngress ? "10.9.0.1" : Self.address,
            size: 1200
        )
        let bits = Double((stream.arrivals.count - 1) * (1200 + 42) * 8)
        let measured = bits / (stream.lastMs - stream.firstMs) * 1000
        print("1 mbit asked: \(measured) bit/s, \(stream.arrivals.count) came")
        #expect(0.9e6...1.1e6 ~= measured)
        #expect(stream.arrivals.count == 150)
        try await unshape()
    }

    @Test
    func `what does not fit a rate's limit is lost and counted`() async throws {
        let rate = PacketRate(bitsPerSecond: 1_000_000, burstBytes: 15_140, limitBytes: 30_280)
        try await shape(Impairment(rate: rate))
        let stream = DatagramStream(200, from: near, to: far, at: Self.address, size: 1200)
        #expect(20...80 ~= stream.arrivals.count)
        let seen4 = try await count().dropped
        #expect(seen4 == UInt64(200 - stream.arrivals.count))
        try await unshape()
    }

    @Test
    func `IPv6 and ports are told apart`() async throws {
        let sender = try TestSocket(.udp, "fd09::1", in: network.near)
        let receiver = try TestSocket(.udp, "fd09::2", in: network.far)
        func took() -> Double {
            DatagramStream(15, from: sender, to: receiver, at: "fd09::2", everyMs: 3).leastMs
        }
        try await shape(Self.delay(30), [Self.match(.egress, ["fd09::2"])])
        #expect(isAbout(took(), 30))
        #expect(isAbout(out(), 0))
        try await unshape()
        try await shape(Self.delay(30), [Self.match(ports: [far.port])])
        #expect(isAbout(out(), 30))
        #expect(isAbout(took(), 0))
        try await unshape()
        // Everything, but for a port.
        try await shape(
            Self.delay(30),
            [PacketMatch(.egress)],
            pass: [PacketMatch(.egress, protocols: [.udp], remotePorts: [far.port])]
        )
        #expect(isAbout(out(), 0))
        #expect(isAbout(took(), 30))
        try await unshape()
    }

    @Test
    func `a share of connections is hit, the same both ways, each wholly or not`() async throws {
        let sockets = try (0..<200).map { _ in try TestSocket(.udp, "10.9.0.1", in: network.near) }
        /// The ports between which both of two datagrams pass; nil for a connection that is half hit.
        func passing(isOut: Bool) -> Set<Int> {
            var ports: Set<Int> = []
            for socket in sockets {
                let (sender, receiver) = isOut ? (socket, far) : (far, socket)
                let stream = DatagramStream(
                    2,
                    from: sender,
                    to: receiver,
                    at: isOut ? Self.address : "10.9.0.1",
                    quietMs: 15
                )
                #expect(stream.arrivals.count != 1)
                if stream.arrivals.count == 2 { ports.insert(socket.port) }
            }
            return ports
        }
        let everything = Impairment(loss: .random(share: 1, correlation: 0))
        // The far end answers from its first address.
        try await shape(everything, [Self.match(.egress)], traffic: 0.3)
        let out = passing(isOut: true)
        try await unshape()
        try await shape(everything, [Self.match(.ingress)], traffic: 0.3)
        let back = passing(isOut: false)
        try await unshape()
        print("30 % of connections: \(200 - out.count) of 200 hit")
        #expect(110...170 ~= out.count)
        #expect(out == back)
        try await shape(everything, traffic: 0.3, byConnection: false)
        let stream = DatagramStream(1000, from: near, to: far, at: Self.address, everyMs: 0.3)
        #expect(640...760 ~= stream.arrivals.count)
        try await unshape()
    }

    @Test
    func `two leases to one destination add up and end separately, in either order`() async throws {
        for first in ["moonquake_a", "moonquake_b"] {
            try await shape(Self.delay(40), name: "moonquake_a")
            try await shape(Self.delay(30), [PacketMatch(.egress)], name: "moonquake_b")
            #expect(isAbout(out(), 70))
            #expect(isAbout(out(Self.other), 30))
            let seen5 = try await count("moonquake_a").matched
            #expect(seen5 >= 15)
            let seen6 = try await count("moonquake_b").matched
            #expect(seen6 >= 30)
            try await unshape(first)
            let isLater = first == "moonquake_a"
            #expect(isAbout(out(), isLater ? 30 : 40))
            #expect(isAbout(out(Self.other), isLater ? 30 : 0))
            let seen7 = try await count(isLater ? "moonquake_b" : "moonquake_a").matched
            #expect(seen7 >= 30)
            try await unshape(isLater ? "moonquake_b" : "moonquake_a")
            #expect(isAbout(out(), 0))
            #expect(try NetemDevices.residue(in: network.near).isEmpty)
        }
    }

    @Test
    func `four different faults on one destination all hold, a fifth is refused`() async throws {
        try await shape(Self.delay(20), name: "moonquake_a")
        try await shape(
            Impairment(loss: .random(share: 0.3, correlation: 0)),
            name: "moonquake_b"
        )
        try await shape(Impairment(duplicate: PacketShare(share: 0.5)), name: "moonquake_c")
        let stream = DatagramStream(800, from: near, to: far, at: Self.address, everyMs: 0.5)
        print(
            "20 ms, 30 % lost, 50 % doubled: \(stream.arrivals.count) of 800 in \(stream.leastMs) ms"
        )
        #expect(isAbout(stream.leastMs, 20))
        // 800 × 0.7 × 1.5, though netem may lose one of two copies.
        #expect(700...1060 ~= stream.arrivals.count)
        let seen8 = try await count("moonquake_b").dropped
        #expect(seen8 > 100)
        // A second delay would need a second netem, and a copy would pass both.
        let error = await #expect(throws: KernelError.self) {
            try await shape(Self.delay(20), name: "moonquake_d")
        }
        #expect(error?.kind == .unsupported)
        try await unshape("moonquake_c")
        try await shape(Self.delay(20), name: "moonquake_d")
        try await shape(Self.delay(20), name: "moonquake_e")
        #expect(isAbout(out(count: 60), 60))
        await #expect(throws: KernelError.self) {
            try await shape(Self.delay(20), name: "moonquake_f")
        }
        for name in ["a", "b", "e", "d"] { try await unshape("moonquake_\(name)") }
        #expect(isAbout(out(), 0))
        #expect(try NetemDevices.residue(in: network.near).isEmpty)
    }

    @Test
    func `loopback is shaped only when it is meant`() async throws {
        let sender = try TestSocket(.udp, "127.0.0.1", in: network.near)
        let receiver = try TestSocket(.udp, "127.0.0.1", in: network.near)
        func took() -> Double {
            DatagramStream(15, from: sender, to: receiver, at: "127.0.0.1", everyMs: 3).leastMs
        }
        try await shape(Self.delay(30), [PacketMatch(.egress)])
        #expect(isAbout(took(), 0))
        try await unshape()
        try await shape(Self.delay(30), [Self.match(.egress, ["127.0.0.1"])])
        #expect(isAbout(took(), 30))
        #expect(isAbout(out(), 0))
        try await unshape()
        #expect(isAbout(took(), 0))
    }

    @Test(.rounds)
    func `packets flow again when the holder is killed, and the idle ifb is found`() async throws {
        let holder = try RuleHolder("moonquake_h", Self.address, kind: "delay", in: network.near)
        #expect(isAbout(out(), 50))
        // Its packets are its own: nobody else can shape the same interface.
        await #expect(throws: KernelError.self) { try await shape(Self.delay(10)) }
        let clock = ContinuousClock()
        let start = clock.now
        holder.end()
        var took = Double.infinity
        while took > 30, clock.now - start < .seconds(5) {
            took = DatagramStream(1, from: near, to: far, at: Self.address, quietMs: 10).leastMs
        }
        print("packets flowed \((clock.now - start).spelled) after SIGKILL was sent")
        #expect(clock.now - start < .milliseconds(200), .ofFigure)
        #expect(try NetemDevices.residue(in: network.near) == ["mqhe"])
        try NetemDevices.remove("va", in: network.near)
        try NetemDevices.remove("mqhe", in: network.near)
        #expect(try NetemDevices.residue(in: network.near).isEmpty)
        #expect(isAbout(out(), 0))
    }

    @Test
    func `a lease of another process is ended by its name alone`() async throws {
        let holder = try RuleHolder("moonquake_h", Self.address, kind: "delay", in: network.near)
        let error = await #expect(throws: KernelError.self) {
            try await netem.unshape("moonquake_h", in: network.near)
        }
        #expect(error?.kind == .notPermitted)
        #expect(isAbout(out(), 50))
        holder.end()
        try await netem.unshape("moonquake_h", in: network.near)
        try await netem.unshape("moonquake_h", in: network.near)
        #expect(try NetemDevices.residue(in: network.near).isEmpty)
    }

    @Test
    func `a namespace that goes in mid-fault is told, and not kept alive`() async throws {
        try await shape(Self.delay(50))
        try TestNetwork.ip("netns del \(network.nearName)")
        let counting = await #expect(throws: KernelError.self) { _ = try await count() }
        #expect(counting?.kind == .gone)
        let ending = await #expect(throws: KernelError.self) { try await unshape() }
        #expect(ending?.kind == .gone)
        let beginning = await #expect(throws: KernelError.self) { try await shape(Self.delay(50)) }
        #expect(beginning?.kind == .gone)
    }

    @Test
    func `what cannot be shaped leaves nothing behind`() async throws {
        let missing = await #expect(throws: KernelError.self) {
            try await shape(Self.delay(5), [PacketMatch(.egress, interface: "none0")])
        }
        #expect(missing?.kind == .gone)
        try await shape(Self.delay(5))
        await #expect(throws: KernelError.self) { try await shape(Self.delay(5)) }
        #expect(try NetemDevices.residue(in: network.near) == ["mqt1e"])
        try await unshape()
        try await unshape()
        #expect(try NetemDevices.residue(in: network.near).isEmpty)
    }

    @Test
    func `twenty pairs of shape and unshape`() async throws {
        let clock = ContinuousClock()
        let both = [PacketDirection.egress, .ingress].map { Self.match($0) }
        var (shaping, ending) = (Duration.zero, Duration.zero)
        for _ in 0..<20 {
            shaping += try await clock.measure { try await shape(Self.delay(5), both) }
            ending += try await clock.measure { try await unshape() }
        }
        print("netem: shape \((shaping / 20).spelled), unshape \((ending / 20).spelled)")
    }
}
