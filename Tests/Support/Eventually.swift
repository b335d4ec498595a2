// Waiting for what nobody tells: only a parent is told what a process does, and tests are no parents of agents, so
// they ask, every 2 ms.

import Glibc

/// Waits until a value is there; nil when the time is over.
@discardableResult
public func eventually<Value>(
    within limit: Duration = .seconds(20),
    _ value: () throws -> Value?
) rethrows -> Value? {
    let end = ContinuousClock.now + limit
    while true {
        if let value = try value() { return value }
        if ContinuousClock.now > end { return nil }
        usleep(2000)
    }
}

/// Waits until something holds; false when the time is over.
public func eventually(
    within limit: Duration = .seconds(20),
    holds: () throws -> Bool
) rethrows -> Bool {
    try eventually(within: limit) { try holds() ? true : nil } ?? false
}

/// Waits until something holds, and lets other tasks use the thread meanwhile; false when the time is over.
public func comes(
    within limit: Duration = .seconds(20),
    holds: () async throws -> Bool
) async rethrows -> Bool {
    let end = ContinuousClock.now + limit
    while true {
        if try await holds() { return true }
        if ContinuousClock.now > end { return false }
        try? await Task.sleep(for: .milliseconds(2))
    }
}
