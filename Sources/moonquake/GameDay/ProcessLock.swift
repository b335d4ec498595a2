// What one process at a time may do: a POSIX record lock, which the kernel drops when its process dies (fcntl(2)), and
// which can be asked for without being taken.

import ChaosLinux
import ChaosModel
import Glibc

/// A lock that one process has, and by which others know of it.
struct ProcessLock {
    private let path: String

    /// The lock of the one GameDay of a file that runs.
    static func gameDay(_ file: String, stateDirectory: String) -> ProcessLock {
        let name = SHA256.hexDigest(of: RegisteredGameDays.wholePath(file).utf8).prefix(16)
        return ProcessLock(path: "\(stateDirectory)/gamedays/.\(name).lock")
    }

    /// The locks of all GameDays that have run here; those of which one runs now have a holder.
    static func gameDays(stateDirectory: String) throws(CommandFailure) -> [ProcessLock] {
        let folder = "\(stateDirectory)/gamedays"
        return try StateFile.names(in: folder, hidden: true).filter { $0.hasSuffix(".lock") }
            .map { ProcessLock(path: "\(folder)/\($0)") }
    }

    /// The lock of the one process that starts registered GameDays.
    static func schedules(stateDirectory: String) -> ProcessLock {
        ProcessLock(path: "\(stateDirectory)/schedules/.lock")
    }

    /// Takes it until this process ends.
    ///
    /// - Throws: `refusal`, made from who has it (` (process 12)`), or why it cannot be taken.
    func take(_ refusal: (String) -> String) throws {
        try LinuxJournals.makeFolder(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        var range = Self.range
        guard file >= 0, fcntl(file, F_SETLK, &range) != 0 else {
            if file < 0 { throw failure }
            return
        }
        let isHeld = errno == EACCES || errno == EAGAIN
        defer { close(file) }
        guard isHeld else { throw failure }
        throw CommandFailure(.definition, refusal(holder.map { " (process \($0))" } ?? ""))
    }

    /// The process that has it; nil when nobody else has.
    var holder: pid_t? {
        let file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var found = Self.range
        guard fcntl(file, F_GETLK, &found) == 0, Int32(found.l_type) != F_UNLCK else { return nil }
        return found.l_pid
    }

    private static var range: flock {
        var range = flock()
        range.l_type = Int16(F_WRLCK)
        range.l_whence = Int16(SEEK_SET)
        range.l_len = 1
        return range
    }

    private var failure: CommandFailure {
        CommandFailure(
            .unavailable,
            "cannot lock \(path): \(String(cString: strerror(errno)).lowercased())"
        )
    }
}
