// The lines between agent and worker: `{"id":7,"call":{…}}` there, `{"id":7,…}` back, one answer for each.

import ChaosModel

/// A line to the worker.
struct QueueRequest: Sendable, Codable {
    /// What is asked.
    enum Call: Sendable, Codable {
        case shape(ShapingRules, in: NetworkNamespace)
        case widen(ShapingRules, in: NetworkNamespace)
        case unshape(String, in: NetworkNamespace)
        case count(String, in: NetworkNamespace)
    }

    /// Chosen by the agent; the reply repeats it.
    var id: Int
    var call: Call
}

/// A line from the worker.
struct QueueReply: Sendable, Codable {
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

    var id: Int
    var failure: Failure?
    var count: ShapingCount?
}
