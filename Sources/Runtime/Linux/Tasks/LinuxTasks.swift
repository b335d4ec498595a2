// Tasks that only take places, held by a child of this process: it ends when we do, by PR_SET_PDEATHSIG and by the
// end of a pipe, each alone enough.

import CLinux
package import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Places on Linux.
package final class LinuxTasks: TaskPort {
    private struct Occupants: Sendable {
        var process: ProcessIdentity
        /// Our end of its pipe.
        var lifeline: Int32
        var wasAsked = false
    }

    private let occupants = Mutex<[String: Occupants]>([:])

    /// Makes the port.
    package init() {}

    package func occupy(_ order: TaskOrder) async throws(KernelError) -> Int {
        let operation = "start \(order.count) tasks as \(order.name)"
        guard occupants.withLock({ $0[order.name] == nil }) else {
            throw KernelError(.failed, operation, "they are there already")
        }
        let procs = order.group.map { "\($0.folder)/cgroup.procs" }
        let current = order.limited.map { "\($0.folder)/pids.current" }
        let user = try order.userID.map { id throws(KernelError) in
            (id: id, group: try Self.group(of: id, operation))
        }
        // The thread that starts them must not end before this process: the kernel ends them with it.
        let (found, count) = try LastingThread.run {
            () throws(KernelError) -> (Occupants, Int) in
            var (pid, lifeline, count): (pid_t, Int32, Int32) = (0, -1, 0)
            let code = withText(procs) { procs in
                withText(current) { current in
                    var tasks = clinux_tasks(
                        procs: procs,
                        user: user?.id ?? UInt32.max,
                        group: user?.group ?? UInt32.max,
                        count: Int32(clamping: order.count),
                        limit: Int32(clamping: order.limit ?? 0),
                        current: current
                    )
                    return clinux_occupy(&tasks, &pid, &lifeline, &count)
                }
            }
            guard code == 0 else {
                throw .system(
                    code,
                    operation,
                    needs: "CAP_SETUID and CAP_SETGID for another user's places"
                )
            }
            guard let process = LinuxProcesses.identity(ofChild: pid) else {
                throw KernelError(.failed, operation, "/proc does not show process \(pid)")
            }
            return (Occupants(process: process, lifeline: lifeline), Int(count))
        }
        occupants.withLock { $0[order.name] = found }
        try OwnThread.start { Spawn.reap(found.process.pid) }
        return count
    }

    package func vacate(_ name: String) async throws(KernelError) {
        let found = occupants.withLock { occupants in
            occupants[name]?.wasAsked = true
            return occupants[name]
        }
        guard let found else { return }
        _ = try LinuxProcesses().signal(found.process, SIGKILL)
        guard try await ProcessEnd.wait(for: found.process, within: .seconds(10)) else {
            throw KernelError(.failed, "end the tasks of \(name)", "they are there after 10 s")
        }
        let isOurs = occupants.withLock { $0.removeValue(forKey: name) != nil }
        if isOurs { close(found.lifeline) }
    }

    package func occupied(_ name: String) throws(KernelError) -> Int {
        guard let found = occupants.withLock({ $0[name] }),
            try LinuxProcesses().isThere(found.process),
            let text = try ProcFile.text("/proc/\(found.process.pid)/status"),
            let field = ProcessStatus.field("Threads", of: text)
        else { return 0 }
        return Int(field) ?? 0
    }

    package func occupantsEnded(_ name: String) async -> String? {
        while let found = occupants.withLock({ $0[name] }) {
            let ended = try? await ProcessEnd.wait(for: found.process, within: .seconds(3600))
            if Task.isCancelled { return nil }
            guard ended == true else { continue }
            let wasAsked = occupants.withLock { $0[name]?.wasAsked ?? true }
            return wasAsked
                ? nil
                : "the process that held the tasks (\(found.process.pid)) was ended by somebody else"
        }
        return nil
    }

    package func hostPlaces() throws(KernelError) -> TaskPlaces {
        let text = try ProcFile.text("/proc/loadavg") ?? ""
        let fields = text.split(separator: " ")
        let used = fields.count > 3 ? fields[3].split(separator: "/").last.flatMap { Int($0) } : nil
        var limits: [Int] = []
        for name in ["pid_max", "threads-max"] {
            let text = try ProcFile.text("/proc/sys/kernel/\(name)") ?? ""
            limits += Int(text.prefix { $0.isNumber }).map { [$0] } ?? []
        }
        guard let used, let limit = limits.min() else {
            throw KernelError(.failed, "count the tasks of this host", "/proc does not tell")
        }
        return TaskPlaces(used: used, limit: limit)
    }

    package func userPlaces(of process: ProcessIdentity) throws(KernelError) -> TaskPlaces {
        let operation = "count the tasks of the user of process \(process.pid)"
        guard let limits = try ProcFile.text("/proc/\(process.pid)/limits"),
            let status = try ProcFile.text("/proc/\(process.pid)/status"),
            try LinuxProcesses().isThere(process), let user = Self.realUser(of: status)
        else { throw KernelError(.gone, operation, "it has ended") }
        let line = limits.split(separator: "\n").first { $0.hasPrefix("Max processes") }
        let soft = line?.dropFirst("Max processes".count).split(separator: " ").first
        var used = 0
        for pid in try ProcFile.pids() {
            guard let text = try ProcFile.text("/proc/\(pid)/status"),
                Self.realUser(of: text) == user,
                let threads = ProcessStatus.field("Threads", of: text).flatMap({ Int($0) })
            else { continue }
            used += threads
        }
        return TaskPlaces(used: used, limit: soft.flatMap { Int($0) })
    }

    /// The kernel counts by the real user: the first number of the `Uid` line.
    private static func realUser(of status: String) -> Substring? {
        ProcessStatus.field("Uid", of: status)?.split(whereSeparator: \.isWhitespace).first.map {
            Substring(String($0))
        }
    }

    private static func group(of user: UInt32, _ operation: String) throws(KernelError) -> UInt32 {
        var buffer = [CChar](repeating: 0, count: 16384)
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        let code = getpwuid_r(user, &entry, &buffer, buffer.count, &found)
        guard code == 0 else { throw .system(code, operation) }
        // A user without an entry has no group of its own; nobody's does no harm to any.
        return found == nil ? 65534 : entry.pw_gid
    }
}

/// Lends C a text, or NULL for none.
private func withText<Result>(
    _ text: String?,
    _ body: (UnsafePointer<CChar>?) -> Result
) -> Result {
    text?.withCString(body) ?? body(nil)
}
