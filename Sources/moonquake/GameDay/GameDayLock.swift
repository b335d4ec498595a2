// One GameDay of a file at a time: a POSIX record lock, which the kernel drops when its process dies (fcntl(2)), and
// which can be asked for without being taken.

import ChaosLinux
import ChaosModel
import Glibc

/// The lock of the GameDay that a file defines.
struct GameDayLock {
    private let path: String

    /// Makes the lock of a file, named by its whole path.
    init(of file: String, stateDirectory: String) {
        let name = SHA256.hexDigest(of: RegisteredGameDays.wholePath(file).utf8).prefix(16)
        path = "\(stateDirectory)/gamedays/.\(name).lock"
    }

    /// Takes it until this process ends.
    ///
    /// - Throws: who has it, or why it cannot be taken.
    func take() throws {
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
        let holder = self.holder.map { " (process \($0))" } ?? ""
        throw CommandFailure(
            .definition,
            "this GameDay runs already\(holder): wait for its end, or stop it"
        )
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
