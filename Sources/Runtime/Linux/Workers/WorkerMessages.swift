// The lines between agent and worker: `{"id":7,"ask":{…}}` there; back, `{"id":7,"answer":{…}}` or
// `{"id":7,"failure":{…}}` once for each, and `{"say":"…"}` for what the worker tells unasked.

import ChaosModel

/// A line to a worker.
struct WorkerQuestion<Request: Codable & Sendable>: Sendable, Codable {
    /// Chosen by the agent; the answer repeats it.
    var id: Int
    var ask: Request
}

/// A line from a worker.
struct WorkerLine<Reply: Codable & Sendable>: Sendable, Codable {
    /// A kernel error as it travels.
    struct Failure: Sendable, Codable {
        var kind: KernelError.Kind
        var operation: String
        var reason: String

        init(_ error: KernelError) {
            kind = error.kind
            operation = error.operation
            reason = error.reason
        }

        var error: KernelError { KernelError(kind, operation, reason) }
    }

    var id: Int?
    var answer: Reply?
    var failure: Failure?
    var say: String?
}

/// The answer to what has none.
package struct NoAnswer: Sendable, Codable {
    /// Makes it.
    package init() {}
}
