// The body of an experiment without one: all faults, then the time they stay on. The engine puts them back.

import ChaosEngine
import ChaosModel
import Synchronization

/// Injects the faults of a declarative experiment and waits.
final class DeclarativeBody: RunBody {
    private struct State {
        var isStopped = false
        var work: Task<Result<Void, ControlError>, Never>?
    }

    private let faults: [FaultSpec]
    private let duration: Duration
    private let functions: MetricFunctions?
    private let state = Mutex(State())

    init(_ definition: ExperimentDefinition, functions: MetricFunctions?) {
        faults = definition.faults
        duration = .seconds((definition.durationMs ?? 0) / 1000)
        self.functions = functions
    }

    func run(_ controls: any RunControls) async throws(BodyError) {
        let (faults, duration) = (faults, duration)
        let work = state.withLock { state -> Task<Result<Void, ControlError>, Never>? in
            guard !state.isStopped else { return nil }
            let work = Task { () -> Result<Void, ControlError> in
                do throws(ControlError) {
                    for fault in faults { _ = try await controls.inject(fault) }
                    try await controls.wait(duration)
                    return .success(())
                } catch {
                    return .failure(error)
                }
            }
            state.work = work
            return work
        }
        guard let outcome = await work?.value else { throw .stopped }
        do throws(ControlError) {
            try outcome.get()
        } catch {
            if case .stopped = error { throw .stopped }
            throw state.withLock { $0.isStopped } ? .stopped : .control(error, traceback: "")
        }
    }

    func stop(reason: String) {
        let work = state.withLock { state in
            state.isStopped = true
            return state.work
        }
        work?.cancel()
    }

    func evaluate(metric name: String) async -> Reading {
        await functions?.reading(of: name) ?? .noData("there is no function for \(name)")
    }
}
