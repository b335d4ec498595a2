// Locks on targets as POSIX record locks: one file, one byte for each target, at the place that the hash of its
// identity says. The kernel drops a process's locks when it dies, tells who holds one, and a thousand targets need
// no more than one open file. A lock is the process's: nothing else here may open the file, since closing any
// descriptor of it would drop them all (fcntl(2)).
//
// All state directories of this host share the file, so that runs that do not know of each other still do not
// meet on one target.

package import ChaosModel
import Glibc
import Synchronization

/// Locks on targets of this host.
package final class LinuxTargetLocks: TargetLocks {
    private struct State {
        /// The open file; nil until the first lock is taken.
        var file: Int32?
        /// How often each byte is taken by this process.
        var taken: [Int: Int] = [:]
    }

    private let folders: [String]
    private let state = Mutex(State())

    /// Makes the locks.
    ///
    /// - Parameter folders: Where they may be; the first that can be used is.
    package init(folders: [String] = LinuxTargetLocks.standardFolders) { self.folders = folders }

    /// Where locks are kept unless a trusted environment says otherwise.
    package static var standardFolders: [String] {
        if let folder = TrustedEnvironment.variable("MOONQUAKE_LOCKS") { return [folder] }
        return ["/run/moonquake", "/tmp/moonquake-\(geteuid())"]
    }

    package func take(
        _ target: TargetIdentity,
        for run: String
    ) throws(KernelError) -> String? {
        let place = Self.place(of: target)
        let result: Result<String?, KernelError> = state.withLock { state in
            Result { () throws(KernelError) in
                if let count = state.taken[place] {
                    state.taken[place] = count + 1
                    return nil
                }
                let file = try open(&state, run: run)
                if let holder = try Self.lock(file, place) { return name(of: holder) }
                state.taken[place] = 1
                return nil
            }
        }
        return try result.get()
    }

    package func release(_ target: TargetIdentity) {
        let place = Self.place(of: target)
        state.withLock { state in
            guard let count = state.taken[place], let file = state.file else { return }
            state.taken[place] = count > 1 ? count - 1 : nil
            guard count == 1 else { return }
            var range = Self.range(F_UNLCK, place)
            _ = fcntl(file, F_SETLK, &range)
            if state.taken.isEmpty { unlink(holderPath(of: getpid())) }
        }
    }

    /// FNV-1a, of which two targets share a value less often than a disk fails.
    private static func place(of target: TargetIdentity) -> Int {
        let hash = target.description.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        return Int(hash >> 2)
    }

    private static func range(_ type: Int32, _ place: Int) -> flock {
        var range = flock()
        range.l_type = Int16(type)
        range.l_whence = Int16(SEEK_SET)
        range.l_start = place
        range.l_len = 1
        return range
    }

    /// Locks a byte; returns the pid of who has it, if somebody has.
    private static func lock(_ file: Int32, _ place: Int) throws(KernelError) -> pid_t? {
        // Who held it may be gone between two calls.
        for _ in 0..<10 {
            var asked = range(F_WRLCK, place)
            if fcntl(file, F_SETLK, &asked) == 0 { return nil }
            let code = errno
            guard code == EACCES || code == EAGAIN else { throw .system(code, "lock a target") }
            var found = range(F_WRLCK, place)
            guard fcntl(file, F_GETLK, &found) == 0 else {
                throw .system(errno, "ask who holds a target")
            }
            if Int32(found.l_type) != F_UNLCK { return found.l_pid }
        }
        throw KernelError(.failed, "lock a target", "its holder changes all the time")
    }

    // MARK: The folder

    private func open(_ state: inout State, run: String) throws(KernelError) -> Int32 {
        if let file = state.file {
            if state.taken.isEmpty { write(run) }
            return file
        }
        var reasons: [String] = []
        for folder in folders {
            mkdir(folder, 0o755)
            // Others must be able to lock too, and to say who they are; umask would take that away.
            if mkdir(folder + "/holders", 0o700) == 0 { chmod(folder + "/holders", 0o1777) }
            let path = folder + "/targets.lock"
            let file = Self.openForAll(path)
            guard file >= 0 else {
                reasons.append("\(path): \(String(cString: strerror(errno)).lowercased())")
                continue
            }
            state.file = file
            used.withLock { $0 = folder }
            write(run)
            return file
        }
        throw KernelError(.failed, "lock targets", reasons.joined(separator: "; "))
    }

    private static func openForAll(_ path: String) -> Int32 {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW
        let existing = Glibc.open(path, flags)
        guard existing < 0, errno == ENOENT else { return existing }
        let made = Glibc.open(path, flags | O_CREAT, 0o666)
        if made >= 0 { fchmod(made, 0o666) }
        return made
    }

    /// The folder in use.
    private let used = Mutex<String?>(nil)

    private func holderPath(of pid: pid_t) -> String {
        "\(used.withLock { $0 } ?? folders.first ?? "")/holders/\(pid)"
    }

    /// Says which run this process is, for those who are refused.
    private func write(_ run: String) {
        let path = holderPath(of: getpid())
        unlink(path)
        let file = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard file >= 0 else { return }
        defer { close(file) }
        // A name that cannot be written costs a worse message, nothing else.
        _ = run.withCString { Glibc.write(file, $0, strlen($0)) }
    }

    private func name(of holder: pid_t) -> String {
        let run = (try? ProcFile.text(holderPath(of: holder))).flatMap { $0 }
        return run.map { "run \($0.escapedForDisplay)" } ?? "the run of process \(holder)"
    }
}
