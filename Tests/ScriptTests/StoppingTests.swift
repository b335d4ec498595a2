// A run that is stopped does not wait for its script.

import ChaosEngine
import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct `Stopping a body` {
    private let folder: TestFolder
    private static let inject = "local f <close> = inject(fault.noop { target = target.host {} })"

    init() throws { folder = try TestFolder() }

    /// Stops the body once so many calls were made; the calls, the error and the time until it ended.
    private func stop(
        _ text: String,
        after count: Int,
        _ controls: RecordingControls = RecordingControls(mostWait: .seconds(600))
    ) async throws -> (calls: [String], error: BodyError?, time: Duration) {
        let loaded = try await folder.experiment(
            "experiment 'x' { run = function()\n\(text)\nend }"
        )
        let body = loaded.body
        let run = Task { () -> BodyError? in
            do throws(BodyError) {
                try await body.run(controls)
                return nil
            } catch {
                return error
            }
        }
        await controls.waitForCalls(count)
        let start = ContinuousClock.now
        body.stop(reason: "p99 over 2s")
        let error = await run.value
        return (controls.calls, error, ContinuousClock.now - start)
    }

    @Test(
        .rounds,
        arguments: [
            "wait '10m' log('not reached')",
            "pcall(wait, '10m') log('not reached')",
            "log('busy') while true do end",
            "log('busy') while true do pcall(function() while true do end end) end",
            "log('busy') table.sort({ 3, 2, 1 }, function() while true do end end)",
        ]
    )
    func `ends within a second, whatever it does`(text: String) async throws {
        let (calls, error, time) = try await stop("\(Self.inject) \(text)", after: 2)
        guard case .stopped = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(time < .seconds(1.5), .ofFigure)
        #expect(calls.count == 2, "nothing is put back by the script: \(calls)")
    }

    @Test
    func `a body that was stopped before it began does not begin`() async throws {
        let loaded = try await folder.experiment("wait '1s'")
        let controls = RecordingControls()
        let body = loaded.body
        body.stop(reason: "early")
        await #expect(throws: BodyError.self) { try await body.run(controls) }
        #expect(controls.calls == [])
    }

    @Test
    func `a primitive of a stopped run cannot be caught`() async throws {
        let controls = RecordingControls { _ in .stopped(reason: "over") }
        let loaded = try await folder.experiment(
            """
            pcall(inject, fault.noop { target = target.host {} })
            log("not reached")
            """
        )
        guard case .stopped = await loaded.failure(controls) else {
            Issue.record("not stopped")
            return
        }
        #expect(controls.calls == ["inject noop"])
    }

    @Test
    func `abort never returns`() async throws {
        let controls = RecordingControls()
        let loaded = try await folder.experiment(
            "pcall(abort, 'the queue is full') log('not reached')"
        )
        guard case .stopped = await loaded.failure(controls) else {
            Issue.record("not stopped")
            return
        }
        #expect(controls.calls == ["abort the queue is full"])
    }

    @Test
    func `a declarative experiment ends as well`() async throws {
        let loaded = try await folder.experiment(
            "experiment 'x' { faults = fault.noop { target = target.host {} }, duration = '10m' }"
        )
        let body = loaded.body
        let controls = RecordingControls(mostWait: .seconds(600))
        let run = Task { await loaded.outcome(of: body, controls) }
        await controls.waitForCalls(2)
        body.stop(reason: "enough")
        guard case .stopped = await run.value else {
            Issue.record("not stopped")
            return
        }
    }
}

extension LoadedExperiment {
    fileprivate func outcome(of body: any RunBody, _ controls: any RunControls) async -> BodyError?
    {
        do throws(BodyError) {
            try await body.run(controls)
            return nil
        } catch {
            return error
        }
    }
}
