// The texts for nft and iptables, pinned; and what never becomes a text.

import ChaosModel
import Testing

@testable import ChaosLinux

struct RuleTextTests {
    private static func plan(
        _ drop: [PacketMatch],
        pass: [PacketMatch] = [],
        name: String = "moonquake_x"
    ) throws -> RulePlan {
        try RulePlan(PacketRules(name: name, pass: pass, drop: drop))
    }

    private static let database = ["10.9.0.3", "10.9.0.4"].compactMap { NetworkAddress($0) }

    @Test
    func `a partition from a database as an nft table`() throws {
        let plan = try Self.plan(
            [
                PacketMatch(.egress, remote: Self.database, remotePorts: [5432]),
                PacketMatch(.ingress, remote: Self.database, remotePorts: [5432]),
            ],
            pass: [PacketMatch(.egress, protocols: [.tcp], localPorts: [22])]
        )
        #expect(
            NftText.create(plan, isOwned: true) == """
                create table inet moonquake_x { flags owner; comment "moonquake"; }
                add chain inet moonquake_x input { type filter hook input priority -310; policy accept; }
                add rule inet moonquake_x input iifname != "lo" ip saddr { 10.9.0.3, 10.9.0.4 } meta l4proto { tcp, udp } th sport 5432 counter drop
                add chain inet moonquake_x output { type filter hook output priority -310; policy accept; }
                add rule inet moonquake_x output meta nfproto ipv4 meta l4proto tcp th sport 22 accept
                add rule inet moonquake_x output meta nfproto ipv6 meta l4proto tcp th sport 22 accept
                add rule inet moonquake_x output oifname != "lo" ip daddr { 10.9.0.3, 10.9.0.4 } meta l4proto { tcp, udp } th dport 5432 counter drop
                add chain inet moonquake_x forward { type filter hook forward priority -310; policy accept; }
                add rule inet moonquake_x forward meta nfproto ipv4 meta l4proto tcp th sport 22 accept
                add rule inet moonquake_x forward meta nfproto ipv6 meta l4proto tcp th sport 22 accept
                add rule inet moonquake_x forward oifname != "lo" ip daddr { 10.9.0.3, 10.9.0.4 } meta l4proto { tcp, udp } th dport 5432 counter drop
                add rule inet moonquake_x forward iifname != "lo" ip saddr { 10.9.0.3, 10.9.0.4 } meta l4proto { tcp, udp } th sport 5432 counter drop

                """
        )
    }

    @Test
    func `what only counts sees every packet once and lets it go on`() throws {
        let plan = try Self.plan(
            [PacketMatch(.egress, remote: Self.database, protocols: [.tcp], remotePorts: [5432])],
            pass: [PacketMatch(.egress, isIPv6: false, protocols: [.tcp], localPorts: [22])]
        )
        #expect(
            NftText.watch(plan, isOwnOnly: true) == """
                create table inet moonquake_x { flags owner; comment "moonquake"; }
                add chain inet moonquake_x output { type filter hook output priority -310; policy accept; }
                add rule inet moonquake_x output oifname != "lo" counter
                add rule inet moonquake_x output meta nfproto ipv4 meta l4proto tcp th sport 22 accept
                add rule inet moonquake_x output oifname != "lo" ip daddr { 10.9.0.3, 10.9.0.4 } meta l4proto tcp th dport 5432 counter accept

                """
        )
        let own = try Self.plan([
            PacketMatch(.egress, remote: ["127.0.0.1"].compactMap { NetworkAddress($0) })
        ])
        let text = NftText.watch(own, isOwnOnly: false)
        #expect(text.contains("add rule inet moonquake_x output counter\n"))
        #expect(text.contains("add chain inet moonquake_x forward"))
    }

    @Test
    func `the counters of what only counts are told apart`() {
        let listing = """
            table inet moonquake_x { # progname moonquake
            	flags owner
            	comment "moonquake"

            	chain output {
            		type filter hook output priority -310; policy accept;
            		oifname != "lo" counter packets 160 bytes 20480
            		meta nfproto ipv4 tcp sport 22 accept
            		oifname != "lo" ip daddr 10.9.0.3 tcp dport 5432 counter packets 40 bytes 5120 accept
            		oifname != "lo" ip daddr 10.9.0.4 tcp dport 5432 counter packets 2 bytes 80 accept
            	}
            }
            """
        let count = NftListing.watch(in: listing)
        #expect(count.matched == PacketCount(packets: 42, bytes: 5200))
        #expect(count.seen == PacketCount(packets: 160, bytes: 20480))
        #expect(count.share == 42.0 / 160)
        #expect(NftListing.watch(in: "").share == nil)
    }

    @Test
    func `everything of IPv6 comes after neighbour discovery, what names ICMP before`() throws {
        let plan = try Self.plan([
            PacketMatch(.ingress, isIPv6: true),
            PacketMatch(.ingress, isIPv6: true, protocols: [.icmp], interface: "eth0"),
        ])
        #expect(
            plan.rules(at: .input).map { NftText.rule($0, .silence) } == [
                "iifname \"eth0\" meta nfproto ipv6 meta l4proto ipv6-icmp counter drop",
                "meta nfproto ipv6 icmpv6 type 133-137 accept",
                "iifname != \"lo\" meta nfproto ipv6 counter drop",
            ]
        )
        #expect(plan.rules(at: .output).isEmpty)
    }

    @Test
    func `lists become combinations in iptables`() throws {
        let plan = try Self.plan([
            PacketMatch(.egress, remote: Self.database, protocols: [.tcp], remotePorts: [80, 443])
        ])
        let chains = try IptablesChains(of: plan.name)
        #expect(
            try IptablesText.add(plan, chains, isIPv6: false) == """
                *filter
                -N MQ-x.o
                -A MQ-x.o ! -o lo -d 10.9.0.3 -p tcp --dport 80 -j DROP
                -A MQ-x.o ! -o lo -d 10.9.0.3 -p tcp --dport 443 -j DROP
                -A MQ-x.o ! -o lo -d 10.9.0.4 -p tcp --dport 80 -j DROP
                -A MQ-x.o ! -o lo -d 10.9.0.4 -p tcp --dport 443 -j DROP
                -I OUTPUT 1 -j MQ-x.o
                -N MQ-x.f
                -A MQ-x.f ! -o lo -d 10.9.0.3 -p tcp --dport 80 -j DROP
                -A MQ-x.f ! -o lo -d 10.9.0.3 -p tcp --dport 443 -j DROP
                -A MQ-x.f ! -o lo -d 10.9.0.4 -p tcp --dport 80 -j DROP
                -A MQ-x.f ! -o lo -d 10.9.0.4 -p tcp --dport 443 -j DROP
                -I FORWARD 1 -j MQ-x.f
                COMMIT

                """
        )
        #expect(try IptablesText.add(plan, chains, isIPv6: true) == nil)
    }

    @Test
    func `iptables removes what is shown of its chains and nothing else`() throws {
        let listing = """
            *filter
            :INPUT ACCEPT [0:0]
            :MQ-x.i - [0:0]
            :MQ-xy.i - [0:0]
            -A INPUT -j MQ-x.i
            -A INPUT -j MQ-xy.i
            -A INPUT -s 10.0.0.1/32 -j DROP
            -A MQ-x.i -j DROP
            COMMIT
            """
        #expect(
            IptablesText.remove(try IptablesChains(of: "moonquake_x"), shownIn: listing) == """
                *filter
                -D INPUT -j MQ-x.i
                -F MQ-x.i
                -X MQ-x.i
                COMMIT

                """
        )
        #expect(IptablesText.remove(try IptablesChains(of: "moonquake_z"), shownIn: listing) == nil)
        #expect(IptablesListing.bases(in: listing) == ["MQ-x", "MQ-xy"])
    }

    @Test
    func `names of chains are short, and different for different names`() throws {
        let long = (0..<1000).map { "moonquake_\(String(repeating: "a", count: 40))\($0)" }
        let chains = try long.map { try IptablesChains(of: $0) }
        #expect(Set(chains.map(\.base)).count == 1000)
        #expect(chains.allSatisfy { $0.chain(.input).utf8.count <= 28 })
        #expect(try IptablesChains(of: chains[0].base) == chains[0])
    }

    @Test(arguments: [
        "", "user", "moonquake_", "moonquake_a b", "moonquake_a;", "moonquake_a\nflush ruleset",
        "moonquake_é", "moonquake_a.b",
    ])
    func `a name that is not ours is refused`(_ name: String) {
        #expect(throws: KernelError.self) { try Self.plan([], name: name) }
        #expect(throws: KernelError.self) { try RulePlan.checkedName(name) }
    }

    @Test(arguments: [
        "", ".", "..", "eth 0", "eth0\nqdisc del dev d1 root", "../x", "eth*", "eth+", "e\"x", "-x",
        "!lo",
        "sixteen-letters0", "e\u{7f}", "eth\\",
    ])
    func `an interface name that a tool could read otherwise is refused`(_ name: String) {
        #expect(throws: KernelError.self) { try Self.plan([PacketMatch(.egress, interface: name)]) }
    }

    @Test
    func `what cannot match is refused`() {
        let mixed = ["10.0.0.1", "fd00::1"].compactMap { NetworkAddress($0) }
        let wrong = [
            PacketMatch(.egress, remote: mixed),
            PacketMatch(.egress, isIPv6: true, remote: [mixed[0]]),
            PacketMatch(.egress, protocols: [.icmp], remotePorts: [80]),
            PacketMatch(.egress, remotePorts: [0]),
            PacketMatch(.egress, localPorts: [65536]),
        ]
        for match in wrong {
            #expect(throws: KernelError.self) { try Self.plan([match]) }
        }
    }
}
