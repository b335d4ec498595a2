// The port to locks on targets: two runs never hold the same target at once.

/// Locks on targets, which the kernel takes away from whoever dies.
package protocol TargetLocks: Sendable {
    /// Takes a lock for a run; taking one that this process holds already is no error.
    ///
    /// - Returns: Nil when it was taken, else who holds it, in words: `run 20261125-…`.
    func take(_ target: TargetIdentity, for run: String) throws(KernelError) -> String?

    /// Gives a lock back.
    func release(_ target: TargetIdentity)
}

/// No locks: for tools that hold nothing, and tests that are about something else.
package struct NoLocks: TargetLocks {
    /// Makes the port.
    package init() {}

    package func take(
        _ target: TargetIdentity,
        for run: String
    ) throws(KernelError) -> String? { nil }

    package func release(_ target: TargetIdentity) {}
}
