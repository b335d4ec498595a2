// The body of a run whose script is a person.

import ChaosEngine
import ChaosModel
import Synchronization

/// Lets the person act until the run is over.
final class PromptBody: RunBody {
    private let session: PromptSession
    private let isStopped = Mutex(false)
    private let began = Mutex(false)

    /// Computes the metrics of the file that the prompt was given.
    private let file: (any RunBody)?

    init(_ session: PromptSession, file: (any RunBody)?) {
        self.session = session
        self.file = file
    }

    /// Whether the person was asked at all.
    var hasBegun: Bool { began.withLock { $0 } }

    func run(_ controls: any RunControls) async throws(BodyError) {
        guard let controls = controls as? any PromptControls else {
            throw .raised(message: "a prompt needs a run of its own", traceback: "")
        }
        began.withLock { $0 = true }
        await session.run(controls) { self.isOver }
        if isOver { throw .stopped }
    }

    func stop(reason: String) {
        isStopped.withLock { $0 = true }
        session.stop(reason: reason)
    }

    func evaluate(metric name: String) async -> Reading {
        guard let file, !session.prompt.declares(metric: name) else {
            return await session.prompt.evaluate(metric: name)
        }
        return await file.evaluate(metric: name)
    }

    private var isOver: Bool { isStopped.withLock { $0 } }
}
