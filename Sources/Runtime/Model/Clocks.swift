// The port to the wall clocks of wrapped services.

/// What the clock of a wrapped service says.
package struct ServiceClock: Sendable, Hashable, Codable {
    /// The memory file that the service shares, by its inode.
    package var inode: UInt64
    /// How far it is off now, in nanoseconds.
    package var offset: Int64
    /// How often a shifted time was handed out so far.
    package var reads: UInt64

    /// Makes it.
    package init(inode: UInt64, offset: Int64 = 0, reads: UInt64 = 0) {
        self.inode = inode
        self.offset = offset
        self.reads = reads
    }
}

/// Wall clocks of wrapped services.
package protocol ClockPort: Sendable {
    /// The clock of a process; nil when it was not started by `moonquake wrap`, or does not use the C library.
    func clock(of process: ProcessIdentity) throws(KernelError) -> ServiceClock?

    /// Shifts it; the kernel ends that when this process ends.
    func shift(_ process: ProcessIdentity, by nanoseconds: Int64) async throws(KernelError)

    /// Ends the shift of a clock; one that this process does not shift is no error.
    func unshift(_ inode: UInt64) async throws(KernelError)
}

/// A machine on which no service is wrapped.
package struct NoClocks: ClockPort {
    /// Makes the port.
    package init() {}

    package func clock(of process: ProcessIdentity) throws(KernelError) -> ServiceClock? { nil }

    package func shift(
        _ process: ProcessIdentity,
        by nanoseconds: Int64
    ) async throws(KernelError) {
        throw KernelError(.unsupported, "shift a clock", "not on this machine")
    }

    package func unshift(_ inode: UInt64) async throws(KernelError) {}
}
