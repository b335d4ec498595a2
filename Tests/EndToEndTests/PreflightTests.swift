// What an earlier run has left is found before the next one, which refuses to begin beside it.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct PreflightTests {
    private func pausing(_ box: Sandbox, _ program: Program) throws -> String {
        try box.write(
            "pause.lua",
            "inject(fault.process.pause { target = target.process { pid = \(program.pid) } })\nwait '200ms'\n"
        )
    }

    /// Leaves rules in a namespace that nobody holds and no journal speaks of.
    private func leave(_ engine: String, in namespace: String, of box: Sandbox) throws {
        guard engine == "iptables" else {
            // This kernel removes an owned table with its owner: as an older one would keep it.
            try box.tool(
                "ip",
                "netns",
                "exec",
                namespace,
                "nft",
                "table inet moonquake_0abc123 { comment \"moonquake\"; }"
            )
            return
        }
        let cut = try box.write(
            "cut.lua",
            """
            inject(fault.network.partition {
              target = target.netns { name = "\(namespace)" }, to = "10.98.0.2", engine = "iptables" })
            wait "60s"
            """
        )
        let crashed = try box.begin("run", cut)
        let agent = try box.injected(1, by: crashed)[0]
        // Or the runner would start another agent to recover.
        crashed.signal(SIGSTOP)
        kill(agent, SIGKILL)
        crashed.signal(SIGKILL)
        try crashed.ended()
        #expect(eventually { !Proc.isAlive(agent) })
        // As if its journal were lost: what is left is only known by its mark.
        try box.tool("rm", "-rf", box.state + "/journals")
    }

    @Test(arguments: ["nft", "iptables"])
    func `what is left is listed and refused, unless the run is forced, until it is recovered`(
        _ engine: String
    ) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let sleeper = try box.sleeper()
            try leave(engine, in: near, of: box)

            let script = try pausing(box, sleeper)
            let refused = try box.moonquake("run", script)
            #expect(refused.code == 5, "\(refused.errors)\(refused.output)")
            let list =
                /an earlier run has left 1 thing on this host, which nobody holds: (\S+) (\S+) in \/run\/netns\/(\S+);/
            let found = try #require(try list.firstMatch(in: refused.output), "\(refused.output)")
            #expect(found.1 == engine[...] && found.3 == near[...])
            #expect(refused.output.contains("run `moonquake recover`"), "\(refused.output)")
            #expect(refused.output.contains("--force"))
            #expect(try box.lastReport().faults.isEmpty)
            #expect(try box.lastReport().restoration == .restored)
            // The agent ends while it may still be written to.
            for _ in 0..<10 {
                let plan = try box.moonquake("check", "--plan", script)
                #expect(plan.code == 5, "\(plan.output)\(plan.errors)")
                #expect(plan.errors.contains("moonquake recover"), "\(plan.errors)")
            }

            let forced = try box.moonquake("run", script, "--force")
            #expect(forced.code == 7, "\(forced.errors)\(forced.output)")
            #expect(
                forced.errors.contains("left on this host, and held by nobody"),
                "\(forced.errors)"
            )
            #expect(try box.lastReport().faults.count == 1)

            #expect(try box.moonquake("recover").output.contains("no journal speaks of it"))
            #expect(try box.moonquake("run", script).code == 7)
            if engine == "nft" { try box.expect(before, in: near, far) }
        }
    }

    @Test
    func `what a live run of another state directory holds is no residue`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let sleeper = try box.sleeper()
            let cut = try box.write(
                "cut.lua",
                """
                inject(fault.network.partition {
                  target = target.netns { name = "\(near)" }, to = "10.98.0.2", engine = "nft" })
                wait "60s"
                """
            )
            let runner = try box.begin("run", cut)
            try box.injected(1, by: runner)
            let environment = Program.environment.merging([
                "MOONQUAKE_STATE": box.folder + "/other", "MOONQUAKE_LOCKS": box.state + "-locks",
                "MOONQUAKE_POLICY": "/nonexistent",
            ]) { $1 }
            let script = try pausing(box, sleeper)
            let other = try box.start([Moonquake.path, "run", script], environment: environment)
            #expect(try other.ended() == 7, "\(other.errors)\(other.output)")
            #expect(!other.errors.contains("left on this host"), "\(other.errors)")
            #expect(try box.moonquake("abort").code == 0)
            try runner.ended()
        }
    }
}
