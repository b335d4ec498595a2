// Processes as faults and targets see them, and what can be done to one.

/// What is known of a process at one moment.
package struct ProcessSnapshot: Sendable, Hashable {
    /// Which process.
    package var identity: ProcessIdentity
    /// Its parent.
    package var parent: Int32
    /// The kernel's short name, at most 15 bytes.
    package var shortName: String
    /// The command line; empty for kernel threads and zombies.
    package var arguments: [String]
    /// The executable, where it may be read.
    package var executable: String?
    /// The effective user id.
    package var userID: UInt32
    /// The state letter of /proc/PID/stat, such as R, S, D, T, t or Z.
    package var state: Character
    /// Whether it is a thread of the kernel.
    package var isKernelThread: Bool

    /// Makes a snapshot from its parts.
    package init(
        identity: ProcessIdentity,
        parent: Int32,
        shortName: String,
        arguments: [String],
        executable: String?,
        userID: UInt32,
        state: Character,
        isKernelThread: Bool = false
    ) {
        self.identity = identity
        self.parent = parent
        self.shortName = shortName
        self.arguments = arguments
        self.executable = executable
        self.userID = userID
        self.state = state
        self.isKernelThread = isKernelThread
    }

    /// The names a user may know it by: the executable's, argv[0]'s (up to a blank or colon), the kernel's.
    package var names: [String] {
        let first = arguments.first ?? ""
        let title = first.prefix { $0 != " " && $0 != ":" }
        let paths = [executable ?? "", first, String(title)]
        let files = paths.map { $0.split(separator: "/").last.map(String.init) ?? "" }
        return (files + [shortName]).filter { !$0.isEmpty }
    }

    /// The name for messages: its own title before the executable's, which may be a link to another's.
    package var displayName: String {
        let title = arguments.first?.prefix { $0 != " " && $0 != ":" }.split(separator: "/").last
        return title.map(String.init) ?? names.first ?? "?"
    }
}

/// Processes and signals.
///
/// Every call on an identity first makes sure that it is still that process.
package protocol ProcessPort: Sendable {
    /// The process ids that are there now.
    func pids() throws(KernelError) -> [Int32]

    /// A process by its id; nil when there is none.
    func snapshot(pid: Int32) throws(KernelError) -> ProcessSnapshot?

    /// The control group of a process (v2 path, else that of the v1 hierarchy with the longest path).
    func controlGroup(of process: ProcessIdentity) throws(KernelError) -> String?

    /// The paths of a process in all hierarchies of control groups; empty when it has ended.
    func controlGroups(of process: ProcessIdentity) throws(KernelError) -> Set<String>

    /// The control group by which systemd knows a process (the v2 path, else that of the hierarchy `name=systemd`).
    func serviceGroup(of process: ProcessIdentity) throws(KernelError) -> String?

    /// The inode of the pid namespace of a process; nil when it is gone.
    func pidNamespace(of process: ProcessIdentity) throws(KernelError) -> UInt64?

    /// The processes that listen on a port in the agent's network namespace.
    func listening(on port: Int) throws(KernelError) -> Set<Int32>

    /// The id of a user by name; nil when there is none.
    func userID(named name: String) throws(KernelError) -> UInt32?

    /// Sends a signal through a pidfd.
    ///
    /// Returns false when that process is gone.
    func signal(_ process: ProcessIdentity, _ signal: Int32) throws(KernelError) -> Bool

    /// Waits until a process has ended; false when it is still there after `limit`.
    func ended(_ process: ProcessIdentity, within limit: Duration) async throws(KernelError) -> Bool

    /// Starts a program in its own session and does not wait for it.
    func start(_ arguments: [String]) throws(KernelError) -> ProcessIdentity

    /// Stops all threads of a process as its tracer; the kernel lets it go on when this process ends.
    ///
    /// Returns false when that process is gone; one that is held already is no error.
    func hold(_ process: ProcessIdentity) async throws(KernelError) -> Bool

    /// Lets a held process go on; one that this process does not hold is no error.
    func letGo(_ process: ProcessIdentity) async throws(KernelError)

    /// Who traces a process; nil for nobody.
    func tracer(of process: ProcessIdentity) throws(KernelError) -> Int32?

    /// The limit of open files of a process and what it has open; nil when it is gone.
    ///
    /// - Throws: when the limit may not be changed either: the kernel asks the same rights for both.
    func fileLimit(of process: ProcessIdentity) throws(KernelError) -> FileLimit?

    /// Sets the soft limit of open files of a process; false when it is gone.
    func setFileLimit(_ soft: UInt64, of process: ProcessIdentity) throws(KernelError) -> Bool
}

/// The limit of open files of a process (RLIMIT_NOFILE).
package struct FileLimit: Sendable, Hashable, Codable {
    /// Descriptors from this number on cannot be opened.
    package var soft: UInt64
    /// How far the process may raise it.
    package var hard: UInt64
    /// The numbers that are open, ascending.
    package var open: [Int]

    /// Makes a limit.
    package init(soft: UInt64, hard: UInt64, open: [Int]) {
        self.soft = soft
        self.hard = hard
        self.open = open
    }

    /// How many more can be opened.
    package var free: Int { Int(clamping: soft) - open.prefix { $0 < Int(clamping: soft) }.count }

    /// The limit below which exactly `free` numbers are unused.
    package func limit(leaving free: Int) -> UInt64 {
        var (left, next) = (free, 0)
        for number in open {
            let gap = number - next
            if gap > left || (gap == left && left > 0) { break }
            left -= gap
            next = number + 1
        }
        return UInt64(next + left)
    }
}

extension ProcessPort {
    package func controlGroups(of process: ProcessIdentity) throws(KernelError) -> Set<String> {
        try controlGroup(of: process).map { [$0] } ?? []
    }

    package func serviceGroup(of process: ProcessIdentity) throws(KernelError) -> String? {
        try controlGroup(of: process)
    }

    package func pidNamespace(of process: ProcessIdentity) throws(KernelError) -> UInt64? { nil }

    /// The process of an identity; nil when it has ended or its pid belongs to another now.
    package func snapshot(of process: ProcessIdentity) throws(KernelError) -> ProcessSnapshot? {
        guard let found = try snapshot(pid: process.pid), found.identity == process,
            found.state != "Z",
            found.state != "X"
        else { return nil }
        return found
    }

    /// The processes below these, children before their children, found in one pass.
    package func descendants(of roots: [ProcessIdentity]) throws(KernelError) -> [ProcessSnapshot] {
        var children: [Int32: [ProcessSnapshot]] = [:]
        for pid in try pids() {
            guard let process = try snapshot(pid: pid), process.state != "Z", process.state != "X"
            else { continue }
            children[process.parent, default: []].append(process)
        }
        var found: [ProcessSnapshot] = []
        var known = Set(roots.map(\.pid))
        var left = roots.map(\.pid)
        while let next = left.popLast() {
            for child in children[next] ?? [] where known.insert(child.identity.pid).inserted {
                found.append(child)
                left.append(child.identity.pid)
            }
        }
        return found
    }
}
