// The port to tasks that do nothing: processes and threads of ours that only take the places of others.

/// Places to take.
package struct TaskOrder: Sendable, Hashable, Codable {
    /// The lease's name for them.
    package var name: String
    /// The group of ours that they are put into; nil for that of the agent.
    package var group: ControlGroup?
    /// The user whose places are taken; nil for the agent's.
    package var userID: UInt32?
    /// How many tasks, the first included.
    package var count: Int
    /// The limit, where each place that becomes free later is taken too; nil for no more than `count`.
    package var limit: Int?
    /// The group that the limit is of; nil for that of the user.
    package var limited: ControlGroup?

    /// Makes an order.
    package init(
        name: String,
        group: ControlGroup?,
        userID: UInt32?,
        count: Int,
        limit: Int? = nil,
        limited: ControlGroup? = nil
    ) {
        self.name = name
        self.group = group
        self.userID = userID
        self.count = count
        self.limit = limit
        self.limited = limited
    }
}

/// How many tasks there are and may be.
package struct TaskPlaces: Sendable, Hashable, Codable {
    /// Taken.
    package var used: Int
    /// The limit; nil for none.
    package var limit: Int?

    /// Makes a count.
    package init(used: Int, limit: Int?) {
        self.used = used
        self.limit = limit
    }
}

/// Tasks of ours that only take places; the kernel ends them when the agent ends.
package protocol TaskPort: Sendable {
    /// Starts tasks that sleep, and returns how many the kernel allowed.
    func occupy(_ order: TaskOrder) async throws(KernelError) -> Int

    /// Ends them; what has ended is no error.
    func vacate(_ name: String) async throws(KernelError)

    /// How many of them there are; 0 when they have ended.
    func occupied(_ name: String) throws(KernelError) -> Int

    /// Waits until they end without having been asked to, and says how; nil when they were asked to.
    func occupantsEnded(_ name: String) async -> String?

    /// The tasks of all users of this host.
    func hostPlaces() throws(KernelError) -> TaskPlaces

    /// The tasks of the user of a process, and the process's own limit of them (RLIMIT_NPROC).
    func userPlaces(of process: ProcessIdentity) throws(KernelError) -> TaskPlaces
}

/// A machine on which no places can be taken.
package struct NoTasks: TaskPort {
    private let refusal = KernelError(.unsupported, "take places of tasks", "not on this machine")

    /// Makes the port.
    package init() {}

    package func occupy(_ order: TaskOrder) async throws(KernelError) -> Int { throw refusal }
    package func vacate(_ name: String) async throws(KernelError) {}
    package func occupied(_ name: String) throws(KernelError) -> Int { 0 }
    package func occupantsEnded(_ name: String) async -> String? { nil }
    package func hostPlaces() throws(KernelError) -> TaskPlaces { throw refusal }
    package func userPlaces(of process: ProcessIdentity) throws(KernelError) -> TaskPlaces {
        throw refusal
    }
}
