// A shadow run with real packets: what would be hit is counted, everything arrives, and nothing is left, not even after
// kill -9.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct ShadowTests {
    private func report(_ box: Sandbox) throws -> RunReport {
        let report = try box.lastReport()
        #expect(report.mode == .shadow)
        #expect(report.verdict == .inconclusive)
        #expect(report.restoration == .restored)
        return report
    }

    private func figures(_ fault: RunReport.FaultReport) throws -> [String: Double] {
        let figures = try #require(fault.measured, "\(fault)").figures
        return Dictionary(figures.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// Waits until that many faults are counted.
    private func counting(_ count: Int, _ runner: Program) throws {
        let isCounting = eventually(within: .seconds(30)) {
            runner.errors.split(separator: "counting, nothing is changed").count > count
        }
        try #require(isCounting, "\(runner.output)\(runner.errors)")
    }

    /// Takes datagrams on two ports and says how many came once nothing has come for a second.
    private func receiver(_ box: Sandbox, in far: String) throws -> Program {
        let code = """
            import select, socket, time
            ports = [7001, 7002]
            sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in ports]
            for s, port in zip(sockets, ports): s.bind(('10.98.0.2', port))
            print('ready', flush=True)
            counts = [0, 0]
            select.select(sockets, [], [], 60)
            while True:
                ready = select.select(sockets, [], [], 1)[0]
                if not ready: break
                for s in ready: s.recv(2048); counts[sockets.index(s)] += 1
            print('took', *counts, flush=True)
            """
        let program = try box.start(["python3", "-c", code], in: far)
        try #require(eventually { program.output.contains("ready") }, "\(program.errors)")
        return program
    }

    private func send(_ counts: [(port: Int, count: Int)], _ box: Sandbox, from near: String) throws
    {
        let code = """
            import socket, time
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for port, count in [\(counts.map { "(\($0.port), \($0.count))" }.joined(separator: ", "))]:
                for _ in range(count): s.sendto(b'x' * 100, ('10.98.0.2', port)); time.sleep(0.001)
            """
        try box.tool("python3", "-c", code, in: near)
    }

    @Test
    func `of known packets to two ports the share of each is counted, and all arrive`() throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let receiver = try receiver(box, in: far)
            let script = try box.write(
                "two-ports.lua",
                """
                local near = target.netns { name = "\(near)" }
                experiment "two ports" {
                  faults = {
                    fault.network.loss { target = near, to = "10.98.0.2:7001", protocol = "udp", percent = "100%" },
                    fault.network.partition { target = near, to = "10.98.0.2:7002", direction = "egress" },
                    fault.network.latency { target = near, to = "10.98.0.2", direction = "egress", delay = "5s", traffic = "10%" },
                  },
                  duration = "6s",
                }
                """
            )
            let runner = try box.begin("run", "--shadow", script)
            try counting(3, runner)
            try send([(7001, 40), (7002, 120)], box, from: near)
            #expect(try receiver.ended() == 0)
            #expect(receiver.output.contains("took 40 120"), "harmed: \(receiver.output)")
            #expect(try runner.ended() == 0, "\(runner.output)\(runner.errors)")

            let report = try report(box)
            #expect(
                report.faults.map(\.name) == [
                    "shadow:network.loss", "shadow:network.partition", "shadow:network.latency",
                ]
            )
            let found = try report.faults.map { try figures($0) }
            #expect(found.map { $0["packets_matched"] } == [40, 120, 160])
            // The first looks both ways and the others only out; the kernel itself may say a word of IPv6.
            for (figures, least) in zip(found, [160.0, 160, 160]) {
                let seen = try #require(figures["packets_seen"])
                #expect((least...least + 20).contains(seen), "\(seen)")
            }
            #expect(found[1]["bytes_matched"] == Double(120 * 128))
            #expect(report.faults.allSatisfy { $0.outcome == .reverted && $0.heldBy == .kernel })
            #expect(
                report.reasons.first
                    == "shadow run: nothing was harmed, so the hypothesis was not tested"
            )
            let second = try #require(report.reasons.dropFirst(2).first)
            #expect(
                second.hasPrefix("network.partition on netns \(near): "),
                "\(second)"
            )
            #expect(second.contains("would have hit 120 of "))
            #expect(
                runner.errors.contains(
                    "of what is counted, the fault would hit 10% of the connections"
                )
            )
            #expect(runner.output.contains("shadow run: nothing was harmed"))
            try box.expect(before, in: near, far)
        }
    }

    @Test
    func `counters of the kernel lie under no packet's way after kill -9 of runner and agent`()
        throws
    {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let script = try box.write(
                "shadow.lua",
                """
                inject(fault.network.partition { target = target.netns { name = "\(near)" }, to = "10.98.0.2" })
                wait "60s"
                """
            )
            let runner = try box.begin("run", "--shadow", script)
            let agent = try box.injected(1, by: runner)[0]
            #expect(try !box.hasNoTableOfOurs(near))
            try box.tool("ping", "-c", "1", "-W", "2", "10.98.0.2", in: near)
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            let isGone = eventually(within: .seconds(1)) {
                (try? box.hasNoTableOfOurs(near)) == true
            }
            #expect(isGone)
            try box.expect(before, in: near, far)
            #expect(try box.moonquake("recover").code == 0)
            #expect(try box.moonquake("doctor", "--residue").code == 0)
        }
    }

    @Test
    func `what has no packets is left out and said to be, before anything runs`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let sleeper = try box.sleeper()
            let pause = "fault.process.pause { target = target.process { pid = \(sleeper.pid) } }"
            let alone = try box.write("alone.lua", "inject(\(pause)) wait \"1s\"")
            let refused = try box.moonquake("run", "--shadow", alone)
            #expect(refused.code == 2)
            #expect(refused.errors.contains("this experiment has none of these (process.pause)"))
            #expect(Proc.state(of: sleeper.pid) == "S")

            let both = try box.write(
                "both.lua",
                """
                inject(\(pause))
                inject(fault.network.partition { target = target.netns { name = "\(near)" }, to = "10.98.0.9" })
                wait "500ms"
                """
            )
            // Two runs of one second have no order by their names.
            for name in File.names(in: box.state + "/runs") { unlink("\(box.state)/runs/\(name)") }
            let runner = try box.begin("run", "--shadow", both)
            try counting(1, runner)
            #expect(Proc.state(of: sleeper.pid) == "S")
            // Nothing goes to that address.
            #expect(try runner.ended() == 7, "\(runner.output)\(runner.errors)")
            let left =
                "process.pause is left out of a shadow run: it hits no packets that could be counted"
            let plan = runner.errors.components(of: "FAULT_INJECTION").first ?? ""
            #expect(plan.contains(left), "\(runner.errors)")
            let report = try report(box)
            #expect(report.reasons.first?.contains("no traffic matched at least one fault") == true)
            #expect(report.reasons.contains("process.pause was left out"))
            let named = try box.write(
                "named.json",
                "{ \"name\": \"x\", \"duration\": \"1s\", \"faults\": [ { \"shadow:network.loss\": { "
                    + "\"target\": { \"host\": {} }, \"percent\": \"1%\" } } ] }"
            )
            #expect(try box.moonquake("check", named).code == 2)
            let neither = try box.moonquake("run", "--shadow", "--dry-run", both)
            #expect(neither.code == 2)
        }
    }

    @Test
    func `a policy is judged by the fault, not by its shadow`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let script = try box.write(
                "shadow.lua",
                """
                inject(fault.network.partition { target = target.netns { name = "\(near)" }, to = "10.98.0.2" })
                wait "1s"
                """
            )
            func run(_ limit: String) throws -> Moonquake.Ended {
                try box.moonquake("run", "--shadow", script, "--limit", limit)
            }
            let refused = try run("forbid_faults=network.*")
            #expect(refused.code == 2, "\(refused.errors)")
            #expect(refused.errors.contains("the policy forbids network.*"), "\(refused.errors)")
            #expect(!box.hasEverGranted)
            let allowed = try run("allow_faults=network.*")
            #expect([0, 7].contains(allowed.code), "\(allowed.errors)")
            #expect(try report(box).faults.map(\.name) == ["shadow:network.partition"])
        }
    }

    @Test
    func `queries of names are counted and answered`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let before = try box.world(world.near, world.far)
            let script = try box.write(
                "names.lua",
                """
                inject(fault.dns.error { target = target.netns { name = "\(world.near)" }, names = "*", answer = "NXDOMAIN" })
                wait "4s"
                """
            )
            let runner = try box.begin("run", "--shadow", script)
            try counting(1, runner)
            for _ in 0..<5 { #expect(world.dig("db.test") == ["10.98.0.2"]) }
            #expect(try runner.ended() == 0, "\(runner.output)\(runner.errors)")
            let found = try figures(try #require(try report(box).faults.first))
            #expect(found["packets_matched"] == 5)
            #expect((5...25).contains(found["packets_seen"] ?? 0), "\(found)")
            #expect(runner.errors.contains("names and types are not looked at"))
            try box.expect(before, in: world.near, world.far)
        }
    }

    @Test
    func `an experiment of scripts/ runs as a shadow on its services`() throws {
        try Sandbox.with { box in
            let practice = try box.practice()
            let run = try box.moonquake("run", "--shadow", practice.experiments + "/slow-cache.lua")
            #expect(run.code == 0, "\(run.output)\(run.errors)")
            let fault = try #require(try report(box).faults.first)
            #expect(fault.name == "shadow:network.latency")
            let found = try figures(fault)
            let (matched, seen) = (found["packets_matched"] ?? 0, found["packets_seen"] ?? 0)
            #expect(matched > 20 && matched < seen, "\(found)")
            #expect(try box.hasNoTableOfOurs(practice.web))
        }
    }
}

extension String {
    fileprivate func components(of separator: String) -> [Substring] { split(separator: separator) }
}
