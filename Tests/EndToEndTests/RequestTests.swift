// Faults of HTTP requests through the whole program: they hold, they are counted, they abort a run, and they end with
// whoever held them. The service is nginx behind a cable.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct RequestTests {
    @Test(arguments: ["egress", "ingress"])
    func `errors are injected on either side, counted, and gone after`(direction: String) throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let (near, far) = (world.near, world.far)
            let before = try box.world(near, far)
            let side = direction == "egress" ? near : far
            let file = try box.write(
                "error.lua",
                """
                inject(\(world.fault("error", in: side, "port = 8080, direction = \"\(direction)\", status = 418")))
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            _ = try box.injected(1, by: runner)
            #expect(try world.status() == "418")
            #expect(try world.status() == "418")
            #expect(try box.moonquake("abort").code == 0)
            #expect(try world.status() == "200")
            try runner.ended()
            let report = try #require(try box.lastReport().faults.first)
            let figures = report.measured?.figures ?? []
            #expect(figures.first { $0.name == "requests_hit" }?.value == 2, "\(figures)")
            #expect(try box.lastReport().restoration == .restored)
            try box.expect(before, in: near, far)
        }
    }

    @Test(.rounds)
    func `when runner and agent are killed new connections go direct at once`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let (near, far) = (world.near, world.far)
            let before = try box.world(near, far)
            let file = try box.write(
                "hold.lua",
                "inject(\(world.fault("error", in: near, "port = 8080, status = 500")))\nwait '60s'"
            )
            let runner = try box.begin("run", file)
            let agent = try box.injected(1, by: runner)[0]
            #expect(try world.status() == "500")
            let began = ContinuousClock.now
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            #expect(eventually { (try? box.hasNoTableOfOurs(near)) == true })
            let took = (ContinuousClock.now - began).milliseconds
            print("after kill -9 of runner and agent: the redirect is gone in \(shown(took))")
            #expect(took < 300, .ofFigure)
            #expect(try world.status() == "200")
            #expect(try box.moonquake("recover").code == 0)
            try box.expect(before, in: near, far)
        }
    }

    @Test(arguments: [("reset", "500"), ("leave", "200")])
    func `a connection that was open before comes again and is hit, or is left alone`(
        choice: String,
        expected: String
    ) throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let near = world.near
            // Keeps one connection, asks when told to, and comes again when it breaks.
            let client = try box.write(
                "client.py",
                """
                import http.client, sys
                c = http.client.HTTPConnection("10.98.0.2", 8080, timeout=5)
                for line in sys.stdin:
                    for attempt in (1, 2):
                        try:
                            c.request("GET", "/")
                            answer = c.getresponse()
                            answer.read()
                            print(answer.status, attempt, flush=True)
                            break
                        except OSError:
                            c.close()
                """
            )
            let pipe = box.folder + "/ask"
            mkfifo(pipe, 0o600)
            let program = try box.start(
                ["bash", "-c", "exec python3 \(client) <>\(pipe)"],
                in: near
            )
            func ask(_ count: Int) throws -> String {
                try box.tool("bash", "-c", "echo >\(pipe)")
                let isThere = eventually { program.output.split(separator: "\n").count == count }
                #expect(isThere, "\(program.output)\(program.errors)")
                return program.output.split(separator: "\n").last.map(String.init) ?? ""
            }
            #expect(try ask(1) == "200 1")
            let options = "port = 8080, status = 500, open_connections = \"\(choice)\""
            let file = try box.write(
                "open.lua",
                "inject(\(world.fault("error", in: near, options)))\nwait '60s'"
            )
            let runner = try box.begin("run", file)
            _ = try box.injected(1, by: runner)
            #expect(try ask(2) == (choice == "reset" ? "\(expected) 2" : "\(expected) 1"))
            #expect(try world.status() == "500", "new connections are hit")
            #expect(try box.moonquake("abort").code == 0)
            try runner.ended()
        }
    }

    @Test(.rounds)
    func `errors on 10 % of the requests abort at 5 % within two intervals, and all is reverted`()
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let (near, far) = (world.near, world.far)
            let before = try box.world(near, far)
            let file = try box.write(
                "abort.lua",
                """
                experiment "abort" {
                  steady_state = {
                    every = "1s", warmup = "2s", recovery = "5s",
                    metrics = {
                      error_rate = metric.http {
                        url = "\(RequestWorld.url)", netns = "\(near)", rate = "300/s", window = "1s", below = "5%",
                      },
                    },
                  },
                  blast_radius = { max_duration = "1m" },
                  run = function()
                    abort_if("error_rate > 5%")
                    inject(\(world.fault("error", in: near, "port = 8080, traffic = \"10%\"")))
                    wait "30s"
                  end,
                }
                """
            )
            let run = try box.moonquake("run", file)
            #expect(run.code == 3, "\(run.errors)\(run.output)")
            let report = try box.lastReport()
            #expect(report.status == .aborted)
            #expect(report.restoration == .restored)
            let fault = try #require(report.faults.first)
            let injected = try #require(fault.injectedMs as Double?)
            let abort = try #require(report.abort)
            let decided = abort.atMs - injected
            print(
                "10 % errors at 5 %: aborted after \(decided) ms, reverted \(abort.tookMs) ms later"
            )
            #expect(decided < 2000, .ofFigure("two intervals"))
            #expect(abort.tookMs < 2000, .ofFigure)
            #expect(try box.hasNoTableOfOurs(near))
            try box.expect(before, in: near, far)
        }
    }

    @Test
    func `a fault that no request met is inconclusive, and says so`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let near = world.near
            let file = try box.write(
                "idle.lua",
                """
                experiment "idle" {
                  faults = { \(world.fault("error", in: near, "port = 8080, path = \"/none\"")) },
                  duration = "300ms",
                }
                """
            )
            let run = try box.moonquake("run", file)
            #expect(run.code == ExitCode.inconclusive.rawValue)
            #expect(run.output.contains("no traffic matched"), "\(run.output)")
        }
    }
}
