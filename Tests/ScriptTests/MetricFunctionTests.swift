// Functions of a script that the runtime asks while the body runs.

import ChaosEngine
import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct `Functions that only look` {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func metrics(_ text: String) async throws -> LoadedExperiment {
        try await folder.experiment(
            "experiment 'x' { steady_state = { metrics = { m = \(text) } },\nrun = function() log('busy') while true do end end }"
        )
    }

    @Test
    func `a metric is asked while the body loops`() async throws {
        let body = try await metrics("metric.lua(function() return 42 end)").body
        let controls = RecordingControls()
        let run = Task { try? await body.run(controls) }
        await controls.waitForCalls(1)
        #expect(await body.evaluate(metric: "m") == .value(42))
        body.stop(reason: "enough")
        await run.value
        #expect(await body.evaluate(metric: "m") == .value(42))
    }

    @Test(arguments: [
        ("metric.lua(function() return 1.5 end)", Reading.value(1.5)),
        ("metric.lua { function() return true end, equals = 1 }", .value(1)),
        (
            "metric.lua(function() return nil, 'the queue is away' end)",
            .noData("the queue is away")
        ),
        ("metric.lua(function() end)", .noData("the function returned nothing")),
        (
            "metric.lua(function() return 'x' end)",
            .noData("the function must return a number, got a string \"x\"")
        ),
        ("metric.lua(function() error('no luck') end)", .noData("no luck (x.lua:1)")),
        (
            "metric.lua(function() wait '1s' end)",
            .noData(
                "wait: a function of metric.lua or abort_if only looks: it cannot call wait (x.lua:1)"
            )
        ),
        (
            "metric.lua(function() while true do end end)",
            .noData("no result within 1.0 seconds (x.lua:1)")
        ),
    ])
    func `what a function returns is its reading`(text: String, reading: Reading) async throws {
        let body = try await metrics(text).body
        let found = await body.evaluate(metric: "m")
        if case .noData(let reason) = found {
            #expect(.noData(folder.short(reason)) == reading)
        } else {
            #expect(found == reading)
        }
    }

    @Test
    func `a function that was cut off is asked again in a fresh state`() async throws {
        let body = try await folder.experiment(
            """
            local calls = 0
            local function slow() calls = calls + 1 if calls > 1 then while true do end end return calls end
            experiment 'x' { steady_state = { metrics = { m = metric.lua(slow) } }, run = function() end }
            """
        ).body
        #expect(await body.evaluate(metric: "m") == .value(1))
        guard case .noData = await body.evaluate(metric: "m") else {
            Issue.record("not cut off")
            return
        }
        #expect(await body.evaluate(metric: "m") == .value(1))
    }

    @Test
    func `a plain script's metrics live in its own state`() async throws {
        let body = try await folder.experiment(
            """
            local seen = 1
            steady_state { metrics = { m = metric.lua(function() return seen end) } }
            seen = 2
            wait "10m"
            """
        ).body
        #expect(await body.evaluate(metric: "m") == .noData("the script has not declared m yet"))
        let controls = RecordingControls(mostWait: .seconds(600))
        let run = Task { try? await body.run(controls) }
        await controls.waitForCalls(2)
        #expect(await body.evaluate(metric: "m") == .value(2))
        body.stop(reason: "enough")
        await run.value
        #expect(await body.evaluate(metric: "m") == .value(2), "also while recovery is watched")
    }

    @Test
    func `a rule sees what the body knows`() async throws {
        let body = try await folder.experiment(
            """
            local isFull = false
            abort_if(function() return isFull end)
            abort_if(function() end, "forgetful")
            isFull = true
            wait "10m"
            """
        ).body
        let controls = RecordingControls(mostWait: .seconds(600))
        let run = Task { try? await body.run(controls) }
        await controls.waitForCalls(3)
        #expect(controls.calls == ["abort if x.lua:2", "abort if forgetful", "wait 10m"])
        #expect(try await controls.rules[0]())
        await #expect(throws: (any Error).self) { try await controls.rules[1]() }
        body.stop(reason: "enough")
        await run.value
    }

    @Test
    func `a rule that cannot be asked in time is an error`() async throws {
        let body = try await folder.experiment(
            "abort_if(function() return false end) log('busy') while true do end"
        ).body
        let controls = RecordingControls()
        let run = Task { try? await body.run(controls) }
        await controls.waitForCalls(2)
        await #expect(throws: (any Error).self) { try await controls.rules[0]() }
        body.stop(reason: "enough")
        await run.value
    }
}
