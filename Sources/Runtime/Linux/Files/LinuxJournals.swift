// Journals as files: STATE/journals/open/RUN.jsonl while leases may be open, STATE/journals/closed/ after.
//
// A live agent holds a lock (flock) on its journal, which the kernel takes away when it dies: whoever gets the
// lock may recover. A journal is made under a hidden name and appears, locked, by renaming, so that a recovery
// never takes one that is being made. Its room is allocated in advance and padded with NUL bytes.

package import ChaosModel
import Glibc
import Synchronization

/// Journals in a state directory.
package struct LinuxJournals: JournalStore {
    private let open: String
    private let closed: String

    /// How many closed journals are kept.
    private static let keptClosed = 200

    /// Makes a store below a state directory, which is made when it is first needed.
    package init(stateDirectory: String) {
        open = "\(stateDirectory)/journals/open"
        closed = "\(stateDirectory)/journals/closed"
    }

    package var folder: String? {
        open.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
            .joined(separator: "/")
    }

    package func create(run: String) throws(JournalError) -> any JournalFile {
        for folder in [open, closed] { try Self.makeFolder(folder) }
        let hidden = "\(open)/.\(run).\(getpid())"
        let file = try LinuxJournal(
            opening: hidden,
            closedFolder: closed,
            flags: O_CREAT | O_EXCL | O_RDWR
        )
        guard try file.lock() else { throw JournalError("\(hidden) is locked by another process") }
        for attempt in 1...99 {
            let path = attempt == 1 ? "\(open)/\(run).jsonl" : "\(open)/\(run)-\(attempt).jsonl"
            if try file.appear(at: path) { return file }
        }
        throw JournalError("run \(run) has 99 open journals in \(open)")
    }

    package func orphans() throws(JournalError) -> [any JournalFile] {
        var found: [any JournalFile] = []
        for name in try names(in: open) {
            guard
                let file = try? LinuxJournal(
                    opening: "\(open)/\(name)",
                    closedFolder: closed,
                    flags: O_RDWR
                )
            else {
                try refuseUnreadable("\(open)/\(name)")
                continue
            }
            guard try take(file), file.isStillThere else { continue }
            if name.hasPrefix(".") {
                file.remove()
            } else {
                found.append(file)
            }
        }
        prune()
        return found
    }

    package func closedLines(of run: String) throws(JournalError) -> [[String]] {
        var found: [[String]] = []
        for name in try names(in: closed) where name == "\(run).jsonl" || name.hasPrefix("\(run)-")
        {
            let file = try LinuxJournal(
                opening: "\(closed)/\(name)",
                closedFolder: closed,
                flags: O_RDONLY
            )
            found.append(try file.lines())
        }
        return found
    }

    /// The journals of agents that are alive, with what their first line says.
    package func live() throws(JournalError) -> [LiveJournal] {
        var found: [LiveJournal] = []
        for name in try names(in: open) where !name.hasPrefix(".") {
            let path = "\(open)/\(name)"
            let file: LinuxJournal
            do throws(JournalError) {
                file = try LinuxJournal(opening: path, closedFolder: closed, flags: O_RDONLY)
            } catch {
                try refuseUnreadable(path)
                continue
            }
            guard try !file.lock(), let first = try file.lines().first,
                let entry = try? WireJSON.value(JournalEntry.self, from: first),
                let run = entry.run, let agent = entry.agent
            else { continue }
            found.append(LiveJournal(run: run, agent: agent, file: file))
        }
        return found
    }

    /// Takes the lock of a journal, also when its agent was killed but is not quite gone.
    private func take(_ file: LinuxJournal) throws(JournalError) -> Bool {
        if try file.lock() { return true }
        guard let first = try file.lines().first,
            let agent = (try? WireJSON.value(JournalEntry.self, from: first))?.agent
        else { return false }
        DyingAgent.awaitEnd(of: agent)
        return try file.lock()
    }

    private func names(in folder: String) throws(JournalError) -> [String] {
        guard let directory = opendir(folder) else {
            if errno == ENOENT { return [] }
            throw .system("read \(folder)")
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".jsonl") || (name.hasPrefix(".") && name != "." && name != "..") {
                names.append(name)
            }
        }
        return names.sorted()
    }

    private func refuseUnreadable(_ path: String) throws(JournalError) {
        if access(path, R_OK) != 0, errno == EACCES { throw .system("read \(path)") }
    }

    private func prune() {
        guard let names = try? names(in: closed), names.count > Self.keptClosed else { return }
        for name in names.prefix(names.count - Self.keptClosed) { unlink("\(closed)/\(name)") }
    }

    /// Makes a folder and those above it, readable by its owner only.
    package static func makeFolder(_ path: String) throws(JournalError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if mkdir(path.hasPrefix("/") ? made : String(made.dropFirst()), 0o700) != 0,
                errno != EEXIST
            {
                throw .system("make the folder \(path)")
            }
        }
    }
}

/// The journal of an agent that is alive.
package struct LiveJournal: Sendable {
    /// Its run.
    package let run: String
    /// The agent.
    package let agent: ProcessIdentity
    /// The open file, which stays readable when the agent closes and moves it.
    package let file: any JournalFile
}

/// One journal file.
private final class LinuxJournal: JournalFile {
    private let descriptor: Descriptor
    private let closedFolder: String
    private let position: Mutex<Position>

    private struct Position {
        var path: String
        var end: off_t = 0
        var reserved: off_t = 0
    }

    init(opening path: String, closedFolder: String, flags: Int32) throws(JournalError) {
        let number = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number >= 0 else { throw .system("open \(path)") }
        descriptor = Descriptor(number)
        self.closedFolder = closedFolder
        position = Mutex(Position(path: path))
        if flags & O_CREAT == 0 { _ = try lines() }
    }

    /// Takes the lock; false when a live process has it.
    func lock() throws(JournalError) -> Bool {
        if flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw .system("lock \(path)")
    }

    /// Whether the path still names this file: its agent may have closed and moved it in between.
    var isStillThere: Bool {
        var own = stat()
        var named = stat()
        return fstat(descriptor.number, &own) == 0 && stat(path, &named) == 0
            && own.st_ino == named.st_ino
    }

    /// Gives the file its visible name; false when that is taken.
    func appear(at visible: String) throws(JournalError) -> Bool {
        let hidden = path
        guard link(hidden, visible) == 0 else {
            if errno == EEXIST { return false }
            throw .system("make \(visible)")
        }
        unlink(hidden)
        position.withLock { $0.path = visible }
        try syncFolder(of: visible)
        return true
    }

    func remove() { unlink(path) }

    func lines() throws(JournalError) -> [String] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = pread(descriptor.number, &chunk, chunk.count, off_t(bytes.count))
            guard count >= 0 else { throw .system("read \(path)") }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        let written = bytes.prefix { $0 != 0 }
        // What follows the last newline is torn: the writer died in it. The next line goes over it.
        let whole = written.lastIndex(of: 0x0a).map { written[...$0] } ?? []
        position.withLock { position in
            position.end = off_t(whole.count)
            position.reserved = max(position.reserved, off_t(bytes.count))
        }
        return whole.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
    }

    func reserve(_ bytes: Int) throws(JournalError) {
        let code = position.withLock { position in
            let wanted = position.end + off_t(bytes)
            guard wanted > position.reserved else { return Int32(0) }
            let code = posix_fallocate(
                descriptor.number,
                position.reserved,
                wanted - position.reserved
            )
            if code == 0 { position.reserved = wanted }
            return code
        }
        guard code == 0 else {
            let reason = String(cString: strerror(code))
            throw JournalError(
                "no room for the journal \(path): \(reason); without it no fault is made"
            )
        }
    }

    func append(_ lines: [String]) throws(JournalError) {
        let bytes = lines.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] }
        let written = position.withLock { position in
            var done = 0
            while done < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in
                    pwrite(
                        descriptor.number,
                        buffer.baseAddress.map { $0 + done },
                        bytes.count - done,
                        position.end + off_t(done)
                    )
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            position.end += off_t(bytes.count)
            return true
        }
        guard written, fdatasync(descriptor.number) == 0 else { throw .system("write \(path)") }
    }

    func close() throws(JournalError) {
        let from = path
        let name = from.split(separator: "/").last.map(String.init) ?? "journal.jsonl"
        let end = position.withLock { $0.end }
        _ = ftruncate(descriptor.number, end)
        let target = "\(closedFolder)/\(name)"
        guard rename(from, target) == 0 else { throw .system("move \(from) to \(target)") }
        position.withLock { $0.path = target }
        try syncFolder(of: from)
    }

    private var path: String { position.withLock { $0.path } }

    private func syncFolder(of path: String) throws(JournalError) {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/"
        )
        let number = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw .system("open \(folder)") }
        defer { Glibc.close(number) }
        guard fsync(number) == 0 else { throw .system("sync \(folder)") }
    }
}

extension JournalError {
    /// The error that errno tells of.
    static func system(_ operation: String) -> JournalError {
        let code = errno
        return JournalError(
            "\(operation): \(String(cString: strerror(code)))",
            isPermission: code == EACCES || code == EPERM
        )
    }
}
