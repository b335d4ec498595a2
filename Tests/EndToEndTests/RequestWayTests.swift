// How requests come to the proxy, and what does not: both families, TLS, a port of our own, a proxy that dies.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct RequestWayTests {
    @Test(arguments: ["egress", "ingress"])
    func `IPv6 is met on either side, and goes direct after`(direction: String) throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let before = try box.world(world.near, world.far)
            let side = direction == "egress" ? world.near : world.far
            let url = "http://[fd98::2]:8080/"
            let options = "port = 8080, direction = \"\(direction)\", path = \"/hit\", status = 418"
            let runner = try world.hold(world.fault("error", in: side, options))
            #expect(try world.status(url + "hit") == "418")
            #expect(try world.text(url) == "ok", "and our own upstream connections are of IPv6 too")
            #expect(try world.status(RequestWorld.url + "hit") == "418", "IPv4 beside it")
            #expect(try box.moonquake("abort").code == 0)
            #expect(try world.status(url + "hit") == "200")
            try runner.ended()
            let fault = try #require(try box.lastReport().faults.first)
            #expect(fault.measured?.figures.first { $0.name == "requests_hit" }?.value == 2)
            #expect(try box.lastReport().restoration == .restored)
            try box.expect(before, in: world.near, world.far)
        }
    }

    @Test
    func
        `a client that is pointed at a port of ours is met in both families, without any redirect`()
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let options =
                "port = 8080, to = \"fd98::2\", listen = 40123, path = \"/hit\", status = 418"
            let runner = try world.hold(world.fault("error", in: world.near, options))
            #expect(try box.hasNoTableOfOurs(world.near))
            for host in ["127.0.0.1", "[::1]", "10.98.0.1"] {
                #expect(try world.text("http://\(host):40123/") == "ok", "\(host)")
                #expect(try world.status("http://\(host):40123/hit") == "418", "\(host)")
            }
            #expect(try world.status(RequestWorld.url + "hit") == "200", "others are not met")
            #expect(try box.moonquake("abort").code == 0)
            try runner.ended()
            #expect(try world.status("http://127.0.0.1:40123/") == "000")
            let file = try box.write(
                "listen.lua",
                "inject(\(world.fault("error", in: world.near, options)))"
            )
            let plan = try box.moonquake("check", "--plan", file)
            #expect(plan.output.contains("ip_local_port_range is 32768 to 60999"), "\(plan.output)")
        }
    }

    @Test
    func
        `a port that speaks TLS is refused with the reason, and faults of connections still apply`()
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            try world.serve(["8443 ssl", "[::]:8443 ssl"])
            let url = "https://10.98.0.2:8443/"
            #expect(eventually { (try? world.text(url)) == "ok" })
            let before = try box.world(world.near, world.far)
            for (side, options) in [
                (world.far, "port = 8443"), (world.near, "port = 8443, to = \"10.98.0.2\""),
                (world.near, "port = 8443, to = \"fd98::2\", listen = 18443"),
            ] {
                let file = try box.write(
                    "tls.lua",
                    "inject(\(world.fault("error", in: side, options)))\nwait '5s'"
                )
                let run = try box.moonquake("run", file)
                #expect(run.code == ExitCode.definition.rawValue, "\(run.code) \(run.errors)")
                #expect(run.errors.contains(" TLS, which is passed through untouched"))
                #expect(run.errors.contains("use network faults"), "\(run.errors)")
                try box.expect(before, in: world.near, world.far)
            }
            let file = try box.write(
                "cut.lua",
                """
                inject(fault.network.partition {
                  target = target.netns { name = "\(world.near)" }, to = "10.98.0.2:8443", action = "reject",
                })
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            try box.injected(1, by: runner)
            #expect(try world.status(url) == "000")
            #expect(try box.moonquake("abort").code == 0)
            try runner.ended()
            #expect(try world.status(url) == "200")
        }
    }

    @Test
    func `TLS that comes up in the middle of a run passes untouched, and is counted`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let runner = try world.hold(
                world.fault("error", in: world.near, "port = 8443, direction = \"egress\"")
            )
            try world.serve(["8443 ssl"])
            #expect(eventually { (try? world.text("https://10.98.0.2:8443/")) == "ok" })
            runner.signal(SIGINT)
            try runner.ended()
            let report = try box.lastReport()
            let fault = try #require(report.faults.first)
            let figures = fault.measured?.figures ?? []
            #expect(figures.first { $0.name == "tls_connections" }?.value ?? 0 >= 1, "\(figures)")
            #expect(figures.first { $0.name == "requests_hit" }?.value == 0, "\(figures)")
            #expect(fault.measured?.seen.contains("the traffic is TLS") == true, "\(fault)")
            #expect(report.verdict == .inconclusive)
        }
    }

    @Test(.rounds)
    func
        `a proxy that is killed ends the fault, connections go direct at once, and the run says so`()
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let before = try box.world(world.near, world.far)
            let options = "port = 8080, direction = \"egress\", status = 418"
            let runner = try world.hold(world.fault("error", in: world.near, options), for: "2s")
            #expect(try world.status() == "418")
            let worker = try #require(box.worker("requests"))
            let began = ContinuousClock.now
            kill(worker, SIGKILL)
            #expect(eventually { (try? box.hasNoTableOfOurs(world.near)) == true })
            let took = (ContinuousClock.now - began).milliseconds
            print("after kill -9 of the proxy: the redirect is gone in \(shown(took))")
            #expect(took < 300, .ofFigure)
            #expect(try world.status() == "200")
            #expect(try runner.ended() == ExitCode.inconclusive.rawValue)
            let report = try box.lastReport()
            let end = try #require(report.faults.first?.endedEarly)
            #expect(end.seen.contains("was killed by signal 9 (SIGKILL)"), "\(end)")
            #expect(report.verdict == .inconclusive)
            #expect(report.restoration == .restored)
            #expect(runner.errors.contains("the fault ended early"), "\(runner.errors)")
            try box.expect(before, in: world.near, world.far)
        }
    }

    @Test
    func `the port is found where only one is listened on, and asked for where there are more`()
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let fault = world.fault("error", in: world.far, "status = 418")
            let runner = try world.hold(fault)
            #expect(try world.status() == "418")
            #expect(try box.moonquake("abort").code == 0)
            try runner.ended()
            try world.serve(["8081"])
            #expect(eventually { (try? world.text("http://10.98.0.2:8081/")) == "ok" })
            let run = try box.moonquake("run", try box.write("two.lua", "inject(\(fault))"))
            #expect(run.errors.contains("ports 8080, 8081 are listened on"), "\(run.errors)")
            #expect(run.code == ExitCode.definition.rawValue)
        }
    }
}

extension Sandbox {
    /// The worker of a kind that an agent of this test started.
    func worker(_ kind: String) -> pid_t? {
        Proc.pids().first { pid in
            Proc.commandLine(of: pid).contains("worker \(kind)")
                && Proc.commandLine(of: Proc.parent(of: pid) ?? 0).contains(folder)
        }
    }
}
