// What the agent asks of a load worker.

import ChaosModel

/// A request to a load worker.
enum LoadRequest: Sendable, Codable {
    /// Begin, once, under this name; answered when the load is there or has begun to grow.
    case begin(Load, name: String)
    /// What it does now.
    case state
}

/// Its answer.
struct LoadReply: Sendable, Codable {
    var state: LoadState?
}
