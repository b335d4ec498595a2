// What a run could touch, before and after, in the report of a real run; and what is left although every fault says that it
// is back.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct StateProofTests {
    @Test
    func `the report of every fault has the state before and after, and they are the same`() throws
    {
        try Sandbox.with { box in
            let world = try TortureWorld(in: box)
            let script = try box.write(
                "all.lua",
                world.faults.map { "rollback(inject(\($0.text)))" }.joined(separator: "\n")
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == 7, "nothing was judged: \(run.errors)\(run.output)")
            let report = try box.lastReport()
            #expect(report.faults.count == world.faults.count)
            #expect(report.restoration == .restored && report.proof.leaked.isEmpty)
            let parts = report.proof.state
            for part in parts {
                #expect(part.problem == nil && part.differences.isEmpty, "\(part.summary)")
                #expect(part.before == part.after)
            }
            // Two namespaces, the process, three settings, the groups below its own and the root's, the folder.
            let kinds = [
                "network namespace", "process ", "groups below", "/run/mqe-", " of control group",
            ]
            for kind in kinds {
                #expect(parts.contains { $0.part.contains(kind) }, "\(kind): \(parts.map(\.part))")
            }
            let network = try #require(parts.first { $0.part.hasPrefix("network namespace") })
            #expect(
                network.before.contains { $0.hasPrefix("link va: index 11 up mtu 1500") },
                "\(network)"
            )
            #expect(network.before.contains { $0.hasPrefix("queue of va at root: ") }, "\(network)")
            #expect(run.output.contains("the same before and after"), "\(run.output)")
        }
    }

    /// Runs a fault that ends by itself, does something once it has ended, and returns the report.
    private func report(
        of fault: String,
        in box: Sandbox,
        after deed: () throws -> Void
    ) throws -> RunReport {
        let script = try box.write(
            "brief.lua",
            "inject(fault.\(fault))\nwait '1s'\nlog('over')\nwait '2s'"
        )
        let runner = try box.begin("run", script)
        #expect(eventually { runner.errors.contains("over") }, "\(runner.errors)")
        try deed()
        try runner.ended()
        return try box.lastReport()
    }

    @Test
    func `a process that stands still in the end is leaked, whatever its fault says`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let report = try report(
                of:
                    "process.pause { target = target.process { pid = \(sleeper.pid) }, duration = '300ms' }",
                in: box
            ) { sleeper.signal(SIGSTOP) }
            #expect(report.faults.map(\.outcome) == [.reverted])
            #expect(report.restoration == .leaked && report.exitCode == 4)
            #expect(report.proof.leaked == ["process \(sleeper.pid): state: runs -> stopped"])
        }
    }

    @Test
    func `another queue of an interface is leaked, another's table is told`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let fault =
                "network.partition { target = target.netns { name = '\(near)' }, to = '10.98.0.2', duration = '300ms' }"
            let told = try report(of: fault, in: box) {
                try box.tool("nft", "add", "table", "inet", "theirs", in: near)
            }
            #expect(told.restoration == .restored && told.proof.leaked.isEmpty)
            #expect(
                told.proof.state.flatMap(\.differences) == [
                    "table inet theirs: none -> empty (changed meanwhile, by none of the faults)"
                ]
            )
            let leaked = try report(of: fault, in: box) {
                try box.tool(
                    "tc",
                    "qdisc",
                    "add",
                    "dev",
                    "va",
                    "root",
                    "pfifo",
                    "limit",
                    "7",
                    in: near
                )
            }
            #expect(leaked.restoration == .leaked && leaked.exitCode == 4)
            #expect(leaked.proof.leaked.count == 1)
            #expect(leaked.proof.leaked.allSatisfy { $0.contains("queue of va at root: noqueue") })
        }
    }
}
