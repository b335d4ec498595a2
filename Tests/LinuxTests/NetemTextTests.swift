// The messages, tables and texts of netem, pinned; these run everywhere.

import ChaosModel
import Testing

@testable import ChaosLinux

struct NetemTextTests {
    private static func lease(
        _ name: String,
        _ match: [PacketMatch],
        traffic: Double = 1,
        priority: Int32 = 0
    ) throws -> NetemLease {
        let rules = ShapingRules(
            name: name,
            pass: [],
            match: match,
            traffic: traffic,
            impairment: Impairment(delay: PacketDelay(delayMs: 50)),
            seed: 7
        )
        return NetemLease(
            rules: rules,
            hooks: try NetemHook.all(of: rules, among: [try link("lo", 1), try link("eth0", 2)]),
            priority: priority
        )
    }

    /// An interface that is up, as the kernel tells of it.
    private static func link(
        _ name: String,
        _ index: UInt32,
        kind: String = "",
        lower: UInt32? = nil,
        master: UInt32? = nil
    ) throws -> NetworkLink {
        var body = NetlinkBytes(0, index, name == "lo" ? 9 : 1, 0)
        body.attribute(3, NetlinkBytes(text: name))
        if let lower { body.attribute(5, NetlinkBytes(lower)) }
        if let master { body.attribute(10, NetlinkBytes(master)) }
        body.nest(18) { $0.attribute(1, NetlinkBytes(text: kind)) }
        return try #require(NetworkLink(body.bytes))
    }

    private static func address(_ text: String) throws -> NetworkAddress {
        try #require(NetworkAddress(text))
    }

    @Test
    func `a delay as the bytes of a request`() {
        let options = NetemOptions(
            impairment: Impairment(delay: PacketDelay(delayMs: 50)),
            seed: 0x0102_0304_0506_0708
        )
        let message = Rtnetlink.addingNetem(options, number: 0, to: 5).bytes(sequence: 9)
        #expect(
            message == [
                100, 0, 0, 0, 36, 0, 0x05, 0x06, 9, 0, 0, 0, 0, 0, 0, 0,  // header
                0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,  // tcmsg
                10, 0, 1, 0, 0x6e, 0x65, 0x74, 0x65, 0x6d, 0, 0, 0,  // kind
                52, 0, 2, 0,  // options
                0xc2, 0xeb, 0x0b, 0, 0x10, 0x27, 0, 0, 0, 0, 0, 0,  // ticks, limit, loss
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // gap, duplicate, jitter
                12, 0, 10, 0, 0x80, 0xf0, 0xfa, 0x02, 0, 0, 0, 0,  // nanoseconds
                12, 0, 14, 0, 8, 7, 6, 5, 4, 3, 2, 1,  // seed
            ]
        )
    }

    @Test
    func `limits hold what a delay or a rate makes wait`() {
        func limit(_ delayMs: Double, _ rate: PacketRate? = nil) -> UInt32 {
            let impairment = Impairment(delay: PacketDelay(delayMs: delayMs), rate: rate)
            return NetemOptions(impairment: impairment, seed: 1).limit
        }
        let rate = PacketRate(bitsPerSecond: 1e6, burstBytes: 1, limitBytes: 30_280)
        #expect(limit(1) == 1000)
        #expect(limit(100) == 20_000)
        #expect(limit(30_000) == 200_000)
        #expect(limit(0, rate) == 20)
        #expect(limit(1000, rate) == 103)
    }

    @Test
    func `tables have the shape of their distributions`() throws {
        let normal = NetemTables.normal.map { Double($0) / 8192 }
        #expect(normal.count == 4096)
        #expect(abs(normal.reduce(0, +) / 4096) < 0.001)
        #expect(abs(normal.map { $0 * $0 }.reduce(0, +) / 4096 - 1) < 0.01)
        // The quantile of 0.975.
        #expect(abs(normal[3993] - 1.96) < 0.01)
        let pareto = NetemTables.pareto
        // The least value is 1, which is half of a = 3's mean of 1.5 below it, times 4/3.
        #expect(pareto.first == Int16((-0.5 * 4 / 3 * 8192).rounded()))
        #expect(pareto == pareto.sorted())
        #expect(pareto.last == 32767)
        #expect(pareto.count == 4096)
    }

    @Test
    func `a lease as an nft table`() throws {
        let database = try [Self.address("10.9.0.3")]
        var lease = try Self.lease(
            "moonquake_x",
            [
                PacketMatch(.egress, remote: database, remotePorts: [5432]),
                PacketMatch(.ingress, remote: database),
            ],
            traffic: 0.1
        )
        for (index, route) in lease.routes(beside: []).sorted(by: {
            $0.direction.rawValue < $1.direction.rawValue
        }).enumerated() {
            lease.devices[route] = NetemDevice(
                name: NetemNames.device(of: lease.name, route.direction, number: 0),
                index: Int32(7 + index),
                stages: []
            )
        }
        #expect(
            NetemText.create(lease, beside: []) == """
                create table netdev moonquake_x { flags owner; comment "moonquake"; }
                add chain netdev moonquake_x to_mqxe
                add chain netdev moonquake_x to_mqxi
                add chain netdev moonquake_x e2 { type filter hook egress device "eth0" priority 0; policy accept; }
                add chain netdev moonquake_x i2 { type filter hook ingress device "eth0" priority 0; policy accept; }
                add rule netdev moonquake_x to_mqxe counter fwd to 7
                add rule netdev moonquake_x to_mqxi counter fwd to 8
                add rule netdev moonquake_x e2 ip daddr 10.9.0.3 meta l4proto { tcp, udp } th dport 5432 jhash ip saddr . ip daddr . th sport . th dport mod 10000 seed 7 < 1000 goto to_mqxe
                add rule netdev moonquake_x i2 ip saddr 10.9.0.3 meta l4proto { tcp, udp } jhash ip daddr . ip saddr . th dport . th sport mod 10000 seed 7 < 1000 goto to_mqxi
                add rule netdev moonquake_x i2 ip saddr 10.9.0.3 meta l4proto != { tcp, udp } jhash ip daddr . ip saddr mod 10000 seed 7 < 1000 goto to_mqxi

                """
        )
    }

    @Test
    func `a newer lease asks what the older ones would do`() throws {
        let older = try Self.lease(
            "moonquake_a",
            [PacketMatch(.egress, remote: [Self.address("10.9.0.3")])]
        )
        var newer = try Self.lease(
            "moonquake_b",
            [PacketMatch(.egress, isIPv6: false)],
            priority: -1
        )
        let routes = newer.routes(beside: [older])
        #expect(
            routes.map(\.leases).sorted { $0.count < $1.count } == [
                ["moonquake_b"], ["moonquake_a", "moonquake_b"],
            ]
        )
        for route in routes {
            let number = route.leases.count - 1
            let name = NetemNames.device(of: newer.name, route.direction, number: number)
            newer.devices[route] = NetemDevice(name: name, index: Int32(7 + number), stages: [])
        }
        #expect(
            NetemText.create(newer, beside: [older]).split(separator: "\n").dropFirst() == [
                "add chain netdev moonquake_b to_mqbe",
                "add chain netdev moonquake_b to_mqbe1",
                "add chain netdev moonquake_b e2 { type filter hook egress device \"eth0\" priority -1; policy accept; }",
                "add chain netdev moonquake_b e2_",
                "add rule netdev moonquake_b to_mqbe counter fwd to 7",
                "add rule netdev moonquake_b to_mqbe1 counter fwd to 8",
                "add rule netdev moonquake_b e2 meta protocol ip goto e2_",
                "add rule netdev moonquake_b e2_ ip daddr 10.9.0.3 goto to_mqbe1",
                "add rule netdev moonquake_b e2_ goto to_mqbe",
            ]
        )
        let apart = try Self.lease(
            "moonquake_c",
            [PacketMatch(.egress, remote: [Self.address("10.9.0.4")])]
        )
        #expect(apart.routes(beside: [older]).map(\.leases) == [["moonquake_c"]])
    }

    @Test
    func `a rate that would be counted twice is refused`() throws {
        let narrow = try Self.lease(
            "moonquake_a",
            [PacketMatch(.egress, remote: [Self.address("10.9.0.3")])]
        )
        var wide = try Self.lease("moonquake_b", [PacketMatch(.egress)])
        try NetemStage.checkRates(wide, beside: [narrow])
        wide.rules.impairment.rate = PacketRate(bitsPerSecond: 1e6, burstBytes: 1, limitBytes: 1)
        let error = #expect(throws: KernelError.self) {
            try NetemStage.checkRates(wide, beside: [narrow])
        }
        #expect(error?.kind == .unsupported)
        #expect(throws: KernelError.self) { try NetemStage.checkRates(narrow, beside: [wide]) }
        var limited = narrow
        limited.rules.impairment.rate = wide.rules.impairment.rate
        wide.rules.impairment.rate = nil
        try NetemStage.checkRates(limited, beside: [wide])
    }

    @Test
    func `each packet meets one hook, whatever its interface is part of`() throws {
        let links = try [
            Self.link("lo", 1), Self.link("eth0", 2, master: 3),
            Self.link("br0", 3, kind: "bridge"),
            Self.link("eth1", 4), Self.link("eth1.5", 5, kind: "vlan", lower: 4),
            Self.link("br0.5", 6, kind: "vlan", lower: 3), Self.link("mqxe", 7, kind: "ifb"),
            Self.link("eth0.9", 8, kind: "vlan", lower: 2),
        ]
        func names(_ match: PacketMatch) throws -> [String] {
            let rules = ShapingRules(
                name: "moonquake_x",
                pass: [],
                match: [match],
                impairment: Impairment(),
                seed: 1
            )
            return try NetemHook.all(of: rules, among: links).map(\.link)
        }
        #expect(try names(PacketMatch(.egress)) == ["br0", "eth1", "eth0.9"])
        #expect(try names(PacketMatch(.egress, interface: "eth0")) == ["eth0"])
        #expect(try names(PacketMatch(.egress, remote: [Self.address("127.0.0.1")])) == ["lo"])
        #expect(throws: KernelError.self) { try names(PacketMatch(.egress, interface: "eth7")) }
    }

    @Test
    func `names of ifbs fit, and tell their lease`() {
        let long = "moonquake_\(String(repeating: "a", count: 60))"
        for (lease, key) in [("moonquake_ab12cd1", "ab12cd1"), ("moonquake_x", "x")] {
            #expect(NetemNames.device(of: lease, .egress, number: 0) == "mq\(key)e")
            #expect(NetemNames.device(of: lease, .ingress, number: 12) == "mq\(key)i12")
        }
        #expect(NetemNames.device(of: long, .egress, number: 14).utf8.count <= 15)
        #expect(NetemNames.isDevice(NetemNames.device(of: long, .egress, number: 14), of: long))
        #expect(!NetemNames.isDevice("mqab12cd1e", of: "moonquake_ab12cd"))
        #expect(!NetemNames.isDevice("mqae1", of: "moonquake_ae"))
        #expect(NetemNames.key(ofDevice: "eth0") == nil)
        #expect(NetemNames.key(ofDevice: "mqe") == nil)
    }

    @Test
    func `counters are read by the ifb that they are for`() {
        let listing = """
            table netdev moonquake_x {
            \tchain to_mqxe {
            \t\tcounter packets 12 bytes 800 fwd to "mqxe"
            \t}
            \tchain e2 {
            \t\ttype filter hook egress device "eth0" priority filter; policy accept;
            \t\tip daddr 10.9.0.3 goto to_mqxe
            \t}
            \tchain to_mqxi {
            \t\tcounter packets 3 bytes 800 fwd to 9
            \t}
            }
            """
        #expect(NetemText.counts(in: listing) == ["mqxe": 12, "mqxi": 3])
    }

    @Test
    func `what netem cannot do is said`() {
        func obstacle(_ impairment: Impairment) -> String? {
            NetemBackend.obstacle(
                to: ShapingRules(
                    name: "moonquake_x",
                    pass: [],
                    match: [],
                    impairment: impairment,
                    seed: 1
                )
            )
        }
        #expect(obstacle(Impairment(delay: PacketDelay(delayMs: 30_000))) == nil)
        #expect(
            obstacle(
                Impairment(rate: PacketRate(bitsPerSecond: 1e6, burstBytes: 15_140, limitBytes: 1))
            ) == nil
        )
        #expect(
            obstacle(
                Impairment(
                    rate: PacketRate(bitsPerSecond: 1e6, burstBytes: 100_000, limitBytes: 100_000)
                )
            )
                == "netem spaces packets evenly and lets no burst through; leave the burst out"
        )
    }

    @Test
    func `without netem the reason says how to get it`() {
        guard let absence = NetemProbe().absence else { return }
        #expect(absence.contains("modprobe sch_netem"), "\(absence)")
        for package in ["kernel-modules-extra", "linux-modules-extra-$(uname -r)", "linux-image"] {
            #expect(absence.contains(package), "\(absence)")
        }
    }
}
