// What others have in the packet filters is the same before, during and after, byte by byte, whatever ends our faults.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct NeighbourTests {
    /// Tables, chains and qdiscs of others, some with names near ours.
    private func makeNeighbours(_ box: Sandbox, in namespace: String) throws {
        let rules = try box.write(
            "neighbours.nft",
            """
            table inet filter {
              set blocked { type ipv4_addr; elements = { 10.98.0.77, 10.98.0.78 }; }
              chain input { type filter hook input priority 0; policy accept; ip saddr @blocked counter drop; }
            }
            table inet moonquake {
              comment "not yours"
              chain output { type filter hook output priority -5; }
            }
            table ip moonquakes {
              chain moonquake_1 { counter accept comment "moonquake"; }
            }
            table inet moonquake_backup {
              chain input { tcp dport 4711 counter drop; }
            }
            table netdev ingress {
              chain a { type filter hook ingress device "va" priority 0; }
            }

            """
        )
        try box.tool("nft", "-f", rules, in: namespace)
        for tool in ["iptables", "ip6tables"] {
            try box.tool(tool, "-N", "MOONQUAKES", in: namespace)
            try box.tool(
                tool,
                "-A",
                "MOONQUAKES",
                "-p",
                "tcp",
                "--dport",
                "4712",
                "-j",
                "DROP",
                in: namespace
            )
            // iptables makes the chains of all three hooks when it needs one, and keeps them: so they are there before.
            for hook in ["INPUT", "FORWARD", "OUTPUT"] {
                try box.tool(tool, "-A", hook, "-j", "MOONQUAKES", in: namespace)
            }
        }
        try box.tool(
            "tc",
            "qdisc",
            "replace",
            "dev",
            "va",
            "root",
            "pfifo",
            "limit",
            "77",
            in: namespace
        )
    }

    @Test(arguments: ["auto", "nft", "iptables"])
    func `tables, rules and qdiscs of others are the same before and after`(engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            try makeNeighbours(box, in: near)
            let before = try box.world(near, far)
            let script = try box.write(
                "cut.lua",
                """
                inject(fault.network.partition {
                  target = target.netns { name = "\(near)" }, to = { "10.98.0.2", "fd98::2" }, engine = "\(engine)",
                })
                wait "60s"
                """
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            #expect(try box.world(near, far) != before, "the fault must be there")
            for address in ["10.98.0.2", "fd98::2"] {
                #expect(try box.start(["ping", "-c1", "-W0.3", address], in: near).ended() != 0)
            }
            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            try box.expect(before, in: near, far)
            for address in ["10.98.0.2", "fd98::2"] {
                #expect(try box.start(["ping", "-c1", "-W1", address], in: near).ended() == 0)
            }
        }
    }

    @Test(arguments: ["auto", "iptables"])
    func `they are the same after a crash and its recovery`(engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            try makeNeighbours(box, in: near)
            let before = try box.world(near, far)
            let script = try box.write(
                "cut.lua",
                """
                inject(fault.network.partition {
                  target = target.netns { name = "\(near)" }, to = "10.98.0.2", engine = "\(engine)",
                })
                wait "60s"
                """
            )
            let runner = try box.begin("run", script)
            let agents = try box.injected(1, by: runner)
            for agent in agents { kill(agent, SIGKILL) }
            runner.signal(SIGKILL)
            try runner.ended()
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0, "\(recovery.errors)")
            try box.expect(before, in: near, far)
            let again = try box.moonquake("recover")
            #expect(again.output == "", "\(again.errors)")
        }
    }

    @Test
    func `two faults on one namespace end one by one, and a second run is refused it`() throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            func cut(_ address: String) -> String {
                "inject(fault.network.partition { target = target.netns { name = \"\(near)\" }, to = \"\(address)\" })"
            }
            let script = try box.write(
                "cut.lua",
                """
                \(cut("10.98.0.2"))
                local six = \(cut("fd98::2"))
                rollback(six)
                wait "60s"
                """
            )
            let runner = try box.begin("run", script)
            #expect(eventually(within: .seconds(30)) { runner.errors.contains("reverted") })
            #expect(try box.start(["ping", "-c1", "-W0.3", "10.98.0.2"], in: near).ended() != 0)
            #expect(try box.start(["ping", "-c1", "-W1", "fd98::2"], in: near).ended() == 0)

            let other = try box.moonquake("run", try box.write("other.lua", cut("fd98::2")))
            #expect(other.code != 0)
            #expect(other.errors.contains("is held by run"), "\(other.errors)")

            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            try box.expect(before, in: near, far)
        }
    }
}
