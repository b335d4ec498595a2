// The examples of the documents are run: each Lua, YAML and JSON definition by the real engine and agent on the simulated
// machine of `moonquake test`, with metrics that are healthy.

import FoundationEssentials
import TestSupport
import Testing

@Suite
struct `Examples in documents` {
    /// What runs one example, whatever metrics it watches: those that the first try misses are made up.
    private static let harness = """
        local function healthy(_, metric) return metric.measure == "rate" and 1000 or 0 end

        local function run(call, file, machine)
          local options = { machine = machine, metrics = {} }
          local ok, answer = pcall(call, file, options)
          if ok then return answer end
          local names = answer:match("watches (.-), and the test says nothing of it")
          if not names then error(answer, 0) end
          for name in names:gmatch("[^, ]+") do options.metrics[name] = healthy end
          return call(file, options)
        end

        local function experiment(file, machine)
          test(file, function(t)
            local result = run(t.run, file, machine)
            t.equal(result.status, "completed")
            t.ok(result.verdict == "held" or result.reasons[1]:find("nothing was judged", 1, true), result.reasons[1])
            t.equal(result.restoration, "restored")
            t.ok(#result.faults > 0, "a fault")
          end)
        end

        local function gameday(file)
          test(file, function(t)
            local day = run(t.gameday, file)
            t.equal(day.status, "completed")
            t.ok(day.passed, "the day passed")
            t.equal(#day.runs, #day.experiments)
            for _, result in ipairs(day.runs) do t.equal(result.restoration, "restored") end
          end)
        end


        """

    /// The machine that an example speaks of, where it is not any that has what the targets name.
    private static let machines = [
        "port = 8099": "{ processes = { python3 = { port = 8099 } } }",
        // Of several processes of one group only the first is seen to meet its limit in memory.
        "memory.limit": "{ processes = { [\"redis-server\"] = 1 } }",
    ]

    @Test(arguments: Document.all.filter { !$0.scripts.isEmpty || !$0.documents.isEmpty })
    func `each definition runs and is put back`(_ document: Document) async throws {
        let folder = try TestFolder()
        var tests = Self.harness
        let examples = document.scripts.map { (text: $0, ending: "lua") } + document.documents
        for (index, example) in examples.enumerated() {
            let name = "example-\(index + 1).\(example.ending)"
            try folder.write(example.text, as: name)
            let machine =
                Self.machines.first { example.text.contains($0.key) }
                .map { ", \($0.value)" } ?? ""
            tests +=
                example.text.contains("gameday \"")
                ? "gameday(\"\(name)\")\n" : "experiment(\"\(name)\"\(machine))\n"
        }
        let file = try folder.write(tests, as: "examples_test.lua")
        let answer = try await Program.run(["test", file])
        #expect(answer.code == 0, "\(answer.output)\(answer.error)")
        #expect(answer.output.contains("\(examples.count) passed"), "\(answer.output)")
    }
}
