// Tables to Decodable types.

import LuaBridge
import Testing

private struct Experiment: Decodable, Equatable {
    struct Metric: Decodable, Equatable {
        let below: String
        let between: [Double]?
    }

    struct SteadyState: Decodable, Equatable {
        let every: String
        let metrics: [String: Metric]
    }

    let owner: String
    let retries: UInt8
    let steady_state: SteadyState
    let run: LuaValue?
}

@Suite
struct DecoderTests {
    private func decode(_ source: String) async throws -> Experiment {
        let value = try await run("return \(source)")[0]
        return try LuaDecoder(name: "experiment").decode(Experiment.self, from: value)
    }

    @Test
    func `a table is decoded, functions included`() async throws {
        let experiment = try await decode(
            """
            { owner = "me", retries = 3.0, run = function() end,
              steady_state = { every = "1s", metrics = { p99 = { below = "1s", between = { 1, 2.5 } } } } }
            """
        )
        #expect(experiment.owner == "me")
        #expect(experiment.retries == 3)
        #expect(experiment.steady_state.metrics["p99"]?.between == [1, 2.5])
        #expect(experiment.run?.function != nil)
    }

    @Test(arguments: [
        ("7", "experiment: expected a table, got 7 (integer)"),
        ("{ retries = 1 }", "experiment.owner: is missing"),
        ("{ owner = 1 }", "experiment.owner: expected a string, got 1 (integer)"),
        (
            "{ owner = 'x', retries = 300 }",
            "experiment.retries: expected an integer between 0 and 255, got 300 (integer)"
        ),
        (
            "{ owner = 'x', retries = 1.5 }",
            "experiment.retries: expected an integer, got 1.5 (number)"
        ),
        (
            "{ owner = 'x', retries = 1, steady_state = { every = '1s', metrics = { p99 = { below = 3 } } } }",
            "experiment.steady_state.metrics.p99.below: expected a string, got 3 (integer)"
        ),
        (
            """
            { owner = 'x', retries = 1, steady_state = { every = '1s',
              metrics = { p99 = { below = '1s', between = { 1, true } } } } }
            """,
            "experiment.steady_state.metrics.p99.between[2]: expected a number, got true (boolean)"
        ),
        (
            """
            { owner = 'x', retries = 1, steady_state = { every = '1s',
              metrics = { p99 = { below = '1s', between = { x = 1 } } } } }
            """,
            "experiment.steady_state.metrics.p99.between: expected a list, got a table with the key x"
        ),
    ])
    func `errors name the path`(source: String, message: String) async throws {
        let error = await #expect(throws: LuaDecodingError.self) { try await decode(source) }
        #expect(error?.description == message)
    }

    @Test
    func `tables are written as literals`() throws {
        let table: LuaTable = ["every": "1s", "list": [1, 2.5, nil, true], "nested": ["x": [:]]]
        #expect(table["list"].table?[1] == 1)
        #expect(table["list"].table?[9].isNil == true)
        #expect(table.keys == ["every", "list", "nested"])
        var changed = table
        changed["every"] = nil
        #expect(changed.sortedFields.map(\.key) == ["list", "nested"])
    }
}
