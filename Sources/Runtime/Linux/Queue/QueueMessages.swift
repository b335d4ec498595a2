// What the agent asks of the packet worker.

import ChaosModel

/// A request to the packet worker.
enum QueueRequest: Sendable, Codable {
    case shape(ShapingRules, in: NetworkNamespace)
    case widen(ShapingRules, in: NetworkNamespace)
    case unshape(String, in: NetworkNamespace)
    case count(String, in: NetworkNamespace)
}

/// Its answer.
struct QueueReply: Sendable, Codable {
    /// To `count`, unless there is no lease of this name.
    var count: ShapingCount?
}
