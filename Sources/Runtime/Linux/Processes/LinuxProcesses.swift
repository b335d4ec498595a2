// Processes from /proc alone: no ps, no pgrep, nothing that a small container lacks.

import CLinux
package import ChaosModel
import ChaosThreads
import Glibc

/// Processes and signals on Linux.
package struct LinuxProcesses: ProcessPort {
    private let holds = TraceHolds()

    /// Makes the port.
    package init() {}

    package func pids() throws(KernelError) -> [Int32] { try ProcFile.pids() }

    package func snapshot(pid: Int32) throws(KernelError) -> ProcessSnapshot? {
        let folder = "/proc/\(pid)"
        guard let before = try status(of: pid),
            let arguments = try ProcFile.bytes("\(folder)/cmdline"),
            let text = try ProcFile.text("\(folder)/status"),
            let userID = ProcessStatus.effectiveUser(of: text)
        else { return nil }
        let executable = ProcFile.link("\(folder)/exe")?.withoutDeletedMark
        // Asked again at the end: otherwise the parts might be of two processes that had this pid in turn.
        guard let after = try status(of: pid), after.startTime == before.startTime else {
            return nil
        }
        return ProcessSnapshot(
            identity: ProcessIdentity(pid: pid, startTime: after.startTime),
            parent: after.parent,
            shortName: after.name,
            arguments: Self.arguments(arguments),
            executable: executable,
            userID: userID,
            state: after.state,
            isKernelThread: after.isKernelThread
        )
    }

    package func controlGroup(of process: ProcessIdentity) throws(KernelError) -> String? {
        guard try isThere(process), let text = try ProcFile.text("/proc/\(process.pid)/cgroup"),
            try isThere(process)
        else { return nil }
        return ControlGroupFile.path(of: text)
    }

    package func controlGroups(of process: ProcessIdentity) throws(KernelError) -> Set<String> {
        guard try isThere(process), let text = try ProcFile.text("/proc/\(process.pid)/cgroup"),
            try isThere(process)
        else { return [] }
        return ControlGroupFile.paths(of: text)
    }

    package func serviceGroup(of process: ProcessIdentity) throws(KernelError) -> String? {
        guard try isThere(process), let text = try ProcFile.text("/proc/\(process.pid)/cgroup"),
            try isThere(process)
        else { return nil }
        return ControlGroupFile.servicePath(of: text)
    }

    package func pidNamespace(of process: ProcessIdentity) throws(KernelError) -> UInt64? {
        guard let link = ProcFile.link("/proc/\(process.pid)/ns/pid"), try isThere(process) else {
            return nil
        }
        // `pid:[4026531836]`
        return UInt64(link.dropFirst("pid:[".count).dropLast())
    }

    package func listening(on port: Int) throws(KernelError) -> Set<Int32> {
        var inodes: Set<UInt64> = []
        for (file, state) in SocketTable.files {
            // Not there: the kernel has no IPv6.
            guard let table = try ProcFile.bytes("/proc/self/net/\(file)") else { continue }
            inodes.formUnion(SocketTable.inodes(in: table, port: port, state: state))
        }
        return inodes.isEmpty ? [] : try owners(of: inodes, port: port)
    }

    package func userID(named name: String) throws(KernelError) -> UInt32? {
        var buffer = [CChar](repeating: 0, count: 1024)
        while true {
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            let code = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
            switch code {
            case 0, ENOENT, ESRCH: return found == nil ? nil : entry.pw_uid
            case EINTR: continue
            case ERANGE where buffer.count < 1 << 20:
                buffer = [CChar](repeating: 0, count: buffer.count * 2)
            default: throw .system(code, "look up user \(name)")
            }
        }
    }

    package func signal(
        _ process: ProcessIdentity,
        _ signal: Int32
    ) throws(KernelError) -> Bool {
        let operation = "send signal \(signal) to process \(process.pid)"
        guard let handle = try ProcessHandle.open(process, operation) else { return false }
        return try handle.send(signal, operation)
    }

    package func ended(
        _ process: ProcessIdentity,
        within limit: Duration
    ) async throws(KernelError) -> Bool {
        try await ProcessEnd.wait(for: process, within: limit)
    }

    package func hold(_ process: ProcessIdentity) async throws(KernelError) -> Bool {
        try await OwnThread.value { () throws(KernelError) in try holds.hold(process) }
    }

    package func letGo(_ process: ProcessIdentity) async throws(KernelError) {
        try await OwnThread.value { () throws(KernelError) in try holds.letGo(process) }
    }

    package func tracer(of process: ProcessIdentity) throws(KernelError) -> Int32? {
        guard let text = try ProcFile.text("/proc/\(process.pid)/status"), try isThere(process),
            let field = ProcessStatus.field("TracerPid", of: text), let thread = Int32(field),
            thread != 0
        else { return nil }
        // The kernel names the thread that traces; people know its process.
        let status = try ProcFile.text("/proc/\(thread)/status")
        return status.flatMap { ProcessStatus.field("Tgid", of: $0) }.flatMap { Int32($0) }
            ?? thread
    }

    package func fileLimit(of process: ProcessIdentity) throws(KernelError) -> FileLimit? {
        guard let (soft, hard) = try fileLimitNow(of: process) else { return nil }
        let folder = "/proc/\(process.pid)/fd"
        guard let names = try ProcFile.names(in: folder), try isThere(process) else { return nil }
        return FileLimit(soft: soft, hard: hard, open: names.compactMap { Int($0) }.sorted())
    }

    package func setFileLimit(
        _ soft: UInt64,
        of process: ProcessIdentity
    ) throws(KernelError) -> Bool {
        guard var (_, hard) = try fileLimitNow(of: process) else { return false }
        var wanted = soft
        let code = clinux_file_limit(process.pid, true, &wanted, &hard)
        if code == ESRCH { return false }
        guard code == 0 else { throw Self.limitError(code, process) }
        return try isThere(process)
    }

    private func fileLimitNow(
        of process: ProcessIdentity
    ) throws(KernelError) -> (UInt64, UInt64)? {
        guard let handle = try ProcessHandle.open(process, "read the limits of \(process.pid)")
        else { return nil }
        var (soft, hard): (UInt64, UInt64) = (0, 0)
        let code = clinux_file_limit(process.pid, false, &soft, &hard)
        // Still not reaped by anybody else: the handle names the process that was asked.
        guard try handle.send(0, "look at process \(process.pid)"), code != ESRCH else {
            return nil
        }
        guard code == 0 else { throw Self.limitError(code, process) }
        return (soft, hard)
    }

    private static func limitError(_ code: Int32, _ process: ProcessIdentity) -> KernelError {
        .system(
            code,
            "use the limit of open files of process \(process.pid)",
            needs: "CAP_SYS_RESOURCE, or to run as the process's user and group"
        )
    }

    /// Starts a program in its own session and does not wait for it.
    ///
    /// For a moment after that, until the kernel has set the program up, its command line is still empty.
    package func start(_ arguments: [String]) throws(KernelError) -> ProcessIdentity {
        guard let name = arguments.first, !name.isEmpty else {
            throw KernelError(.failed, "start a program", "no program given")
        }
        guard let path = Spawn.executable(name) else {
            throw KernelError(
                .failed,
                "start \(name)",
                "no such program, or it may not be executed"
            )
        }
        let pid = try Spawn.start(path, arguments, newSession: true)
        // Ours and not reaped before the thread below starts: the pid is still that child's.
        let status = try? self.status(of: pid)
        try OwnThread.start { Spawn.reap(pid) }
        guard let status else {
            throw KernelError(
                .failed,
                "start \(name)",
                "it runs as \(pid), but /proc does not show it"
            )
        }
        return ProcessIdentity(pid: pid, startTime: status.startTime)
    }

    /// The processes that have one of these sockets open.
    private func owners(of inodes: Set<UInt64>, port: Int) throws(KernelError) -> Set<Int32> {
        var found: Set<Int32> = []
        var isRefused = false
        for pid in try pids() {
            do throws(KernelError) {
                if try hasOpen(inodes, pid: pid) { found.insert(pid) }
            } catch  where error.kind == .notPermitted {
                isRefused = true
            }
        }
        if found.isEmpty, isRefused {
            throw KernelError(
                .notPermitted,
                "find who listens on port \(port)",
                "needs CAP_SYS_PTRACE, to read the open files of other users' processes"
            )
        }
        return found
    }

    private func hasOpen(_ inodes: Set<UInt64>, pid: Int32) throws(KernelError) -> Bool {
        let folder = "/proc/\(pid)/fd"
        guard let names = try ProcFile.names(in: folder) else { return false }
        return names.contains { name in
            let inode = ProcFile.link("\(folder)/\(name)").flatMap(SocketTable.inode(ofLink:))
            return inode.map(inodes.contains) ?? false
        }
    }

    private static func arguments(_ bytes: [UInt8]) -> [String] {
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension LinuxProcesses {
    /// Whether the pid is still that process and it has not ended.
    func isThere(_ process: ProcessIdentity) throws(KernelError) -> Bool {
        guard let status = try status(of: process.pid) else { return false }
        return status.startTime == process.startTime && !status.hasEnded
    }

    /// The identity of a child that is not reaped yet; nil when /proc does not show it.
    static func identity(ofChild pid: Int32) -> ProcessIdentity? {
        let status = try? LinuxProcesses().status(of: pid)
        return status.map { ProcessIdentity(pid: pid, startTime: $0.startTime) }
    }

    private func status(of pid: Int32) throws(KernelError) -> ProcessStatus? {
        guard let bytes = try ProcFile.bytes("/proc/\(pid)/stat") else { return nil }
        guard let status = ProcessStatus(stat: bytes) else {
            throw KernelError(.failed, "read /proc/\(pid)/stat", "it is not of the known form")
        }
        return status
    }
}
