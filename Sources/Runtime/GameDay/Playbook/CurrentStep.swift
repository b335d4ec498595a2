// What a day waits for or runs, so that a stop can end it.

import ChaosModel

/// What a day is in the middle of.
protocol CurrentStep: Sendable {
    func stop(_ reason: String) async
}

struct WaitingStep: CurrentStep {
    let cancel: @Sendable () -> Void

    init(_ cancel: @escaping @Sendable () -> Void) { self.cancel = cancel }

    func stop(_ reason: String) { cancel() }
}

struct RunningStep: CurrentStep {
    let run: any ExperimentRun

    func stop(_ reason: String) async { await run.stop(reason) }
}
