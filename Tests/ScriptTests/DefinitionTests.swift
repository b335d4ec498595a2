// What a file defines.

import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite
struct `Loading a script` {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private static let checkout = """
        local api = target.process { name = "checkout-api" }

        experiment "checkout survives a paused worker" {
          owner        = "payments",
          description  = "Why we do it.",
          hypothesis   = "p99 stays under 300 ms",
          tags         = { "database", "latency" },
          steady_state = {
            every = "2s", warmup = "10s", recovery = "1m",
            metrics = {
              p99        = metric.prometheus { server = "http://10.9.0.9:9090", query = "up", below = "300ms", abort_above = "2s" },
              error_rate = metric.http { url = "http://10.9.0.2:8080/health", measure = "error_rate", below = "1%", abort_above = "5%" },
            },
          },
          blast_radius = { targets = "50%", traffic = "10%", max_duration = "2m" },

          run = function()
            abort_if("error_rate > 5%")
            local paused = inject(fault.process.pause { target = api })
            wait "30s"
            check_metric("p99 < 300ms")
            rollback(paused)
          end,
        }
        """

    @Test
    func `the experiment of the design is read as it says`() async throws {
        let loaded = try await folder.experiment(Self.checkout)
        let definition = loaded.definition
        #expect(definition.name == "checkout survives a paused worker")
        #expect(definition.owner == "payments")
        #expect(definition.description == "Why we do it.")
        #expect(definition.hypothesis == "p99 stays under 300 ms")
        #expect(definition.tags == ["database", "latency"])
        #expect(definition.hasBody)
        #expect(definition.faults == [])
        #expect(definition.durationMs == nil)
        #expect(
            definition.blastRadius
                == BlastRadius(targetShare: 0.5, traffic: 0.1, maxDurationMs: 120_000)
        )
        #expect(folder.short(definition.file) == "x.lua")
        #expect(definition.digest.hasPrefix("sha256:"))
        #expect(definition.digest.count == 71)
        #expect(!loaded.isPlain)
    }

    @Test
    func `its metrics come in the order of their names`() async throws {
        let steady = try await folder.experiment(Self.checkout).definition.steadyState
        #expect(steady.metrics.map(\.name) == ["error_rate", "p99"])
        #expect([steady.everyMs, steady.warmupMs, steady.recoveryMs] == [2000, 10_000, 60_000])
        #expect(steady.metrics[0].healthy == .below(0.01))
        #expect(steady.metrics[1].tolerated == .between(-.infinity, 2))
        #expect(steady.metrics[1].location?.line == 11)
    }

    @Test
    func `what is left out has its default`() async throws {
        let definition = try await folder.experiment(
            "experiment 'small' { run = function() end }"
        ).definition
        #expect(definition.steadyState == SteadyStateDefinition())
        #expect(definition.blastRadius == BlastRadius())
    }

    @Test
    func `faults and a duration make an experiment without a body`() async throws {
        let definition = try await folder.experiment(
            """
            experiment "declared" {
              faults = { fault.noop { target = target.host {} }, fault.network.partition {
                target = target.netns { name = "shop" }, to = { "10.9.0.3:5432" } } },
              duration = "30s",
              blast_radius = { targets = 3 },
            }
            """
        ).definition
        #expect(definition.faults.map(\.fault) == ["noop", "network.partition"])
        #expect(definition.faults[1].options == ["to": ["10.9.0.3:5432"]])
        #expect(definition.faults[1].target.options == ["name": "shop"])
        #expect(definition.faults[1].location?.line == 2)
        #expect(definition.durationMs == 30_000)
        #expect(!definition.hasBody)
        #expect(definition.blastRadius.targetCount == 3)
    }

    @Test
    func `a file may define several experiments`() async throws {
        let experiments = try await folder.load(
            """
            for _, name in ipairs { "one", "two" } do
              experiment(name) { run = function() end }
            end
            """
        )
        #expect(experiments.map(\.definition.name) == ["one", "two"])
    }

    @Test
    func `title and table may come in one call`() async throws {
        let loaded = try await folder.experiment("experiment('both', { run = function() end })")
        #expect(loaded.definition.name == "both")
    }

    @Test
    func `steady_state makes a value that experiments can share`() async throws {
        let experiments = try await folder.load(
            """
            local steady = steady_state { metrics = { load = metric.lua(function() return 1 end) } }
            experiment "one" { steady_state = steady, run = function() end }
            experiment "two" { steady_state = steady, run = function() end }
            """
        )
        #expect(
            experiments.map { $0.definition.steadyState.metrics.map(\.name) } == [
                ["load"], ["load"],
            ]
        )
    }

    @Test(arguments: [
        "inject(fault.noop { target = target.host {} })", "rollback()", "wait '1s'",
        "check_metric('p99 < 1s')", "abort_if('p99 > 1s')", "abort('why')",
        "pcall(wait, '1s') error('not seen at load')",
    ])
    func `a verb at the top level makes a plain script`(verb: String) async throws {
        let file = try folder.write(
            "log('hello') observe('hello')\n\(verb)\nnot_reached()",
            as: "slow-db.lua"
        )
        let loaded = try await folder.loader().load(file: file)
        #expect(loaded.map(\.definition.name) == ["slow-db"])
        #expect(loaded[0].isPlain)
        #expect(loaded[0].definition.hasBody)
    }

    @Test
    func `modules come from the script's folder and then from the libraries`() async throws {
        let library = try TestFolder()
        try library.write("return { title = 'from the library' }", as: "names.lua")
        try folder.write("return { run = function() end }", as: "bodies.lua")
        let file = try folder.write(
            "experiment(require('names').title) { run = require('bodies').run }"
        )
        let loaded = try await folder.loader(libraries: [library.path]).load(file: file)
        #expect(loaded.map(\.definition.name) == ["from the library"])
    }

    @Test
    func `objects say what they are`() async throws {
        let text = """
            local t = target.process { name = "nginx", count = 2 }
            local f = fault.process.pause { target = t, duration = "5s" }
            local m = metric.http { url = "http://h/", below = "1%" }
            error(table.concat({ tostring(t), tostring(f), tostring(m) }, "; "))
            """
        #expect(
            await folder.refusal(text)
                == "target.process { count = 2, name = \"nginx\" }; "
                + "fault.process.pause { target = target.process { count = 2, name = \"nginx\" }, duration = \"5s\" }; "
                + "metric.http { below = \"1%\", url = \"http://h/\" } (x.lua:4)"
        )
    }

    @Test
    func `what may be a secret is not shown`() async {
        let text = """
            error(tostring(metric.prometheus { server = "http://h", query = "up", password = "s3cret",
              username = "me", headers = { Cookie = "s3cret" } }))
            """
        #expect(
            await folder.refusal(text)
                == "metric.prometheus { query = \"up\", server = \"http://h\", username = \"me\" } (x.lua:1)"
        )
    }

    @Test
    func `the first line may be for the shell, and lines keep their numbers`() async {
        #expect(await folder.refusal("#!/usr/bin/env moonquake\nerror('here')") == "here (x.lua:2)")
    }
}
