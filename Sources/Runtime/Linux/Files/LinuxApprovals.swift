// Gates and answers as files of the state directory: the question in one file, each answer in a file of its own, which
// is made once and never changed. Who waits is woken by the kernel (inotify).

package import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// The gates of a state directory.
package struct LinuxApprovals: ApprovalPort {
    private let folder: String

    /// Makes the gates of a state directory.
    package init(stateDirectory: String) { folder = "\(stateDirectory)/approvals" }

    package func open(_ gate: Gate) throws(KernelError) {
        let operation = "open gate \(gate.id)"
        do throws(JournalError) {
            try LinuxJournals.makeFolder(answersFolder(gate.id))
        } catch {
            throw KernelError(.failed, operation, error.description)
        }
        // One of that name is of the same day, which was cut off at it; the answers that it has got count.
        try close(gate)
        try write(gate, to: gateFile(gate.id), operation)
    }

    package func answers(to gate: Gate) throws(KernelError) -> [GateAnswer] {
        let path = answersFolder(gate.id)
        var answers: [GateAnswer] = []
        for name in try Self.names(in: path) where name.hasSuffix(".json") {
            guard let answer = try read(GateAnswer.self, "\(path)/\(name)") else { continue }
            // The file's owner is what the kernel vouches for; root's may speak for who used sudo.
            var status = stat()
            guard stat("\(path)/\(name)", &status) == 0 else { continue }
            let owner = Self.userName(status.st_uid)
            guard status.st_uid == 0 || owner == answer.who else { continue }
            answers.append(answer)
        }
        return answers
    }

    package func changes(of gate: Gate) throws(KernelError) -> AsyncStream<Void> {
        try Self.changes(in: answersFolder(gate.id))
    }

    package func close(_ gate: Gate) throws(KernelError) {
        guard unlink(gateFile(gate.id)) == 0 || errno == ENOENT else {
            throw .system(errno, "close gate \(gate.id)")
        }
    }

    /// The gates that wait for answers, by their names.
    package func waiting() throws(KernelError) -> [Gate] {
        guard access(folder, F_OK) == 0 else { return [] }
        var gates: [Gate] = []
        for name in try Self.names(in: folder) where name.hasSuffix(".json") {
            if let gate = try read(Gate.self, "\(folder)/\(name)") { gates.append(gate) }
        }
        return gates.sorted { $0.id < $1.id }
    }

    /// Answers a gate as the user who runs this program, or who runs it through sudo.
    ///
    /// - Throws: `.failed` when this person has answered already: an answer is not changed.
    package func answer(
        _ gate: Gate,
        approves: Bool,
        comment: String?,
        at secondsSince1970: Double
    ) throws(KernelError) {
        let who = Self.person
        let operation = "answer gate \(gate.id) as \(who)"
        let answer = GateAnswer(
            who: who,
            approves: approves,
            comment: comment,
            at: secondsSince1970,
            planDigest: gate.planDigest
        )
        guard !who.contains("/"), !who.hasPrefix(".") else {
            throw KernelError(.failed, operation, "the name cannot be one of a file")
        }
        let path = "\(answersFolder(gate.id))/\(who).json"
        guard access(path, F_OK) != 0 else {
            throw KernelError(
                .failed,
                operation,
                "\(who) has answered already; an answer is not changed"
            )
        }
        try write(answer, to: path, operation)
    }

    // MARK: Files

    private func gateFile(_ id: String) -> String { "\(folder)/\(id).json" }

    private func answersFolder(_ id: String) -> String { "\(folder)/\(id).answers" }

    /// Writes a file that is there whole or not at all, and never over another.
    private func write(_ value: some Encodable, to path: String, _ operation: String)
        throws(KernelError)
    {
        guard let line = try? WireJSON.line(value) else {
            throw KernelError(.failed, operation, "it is not JSON")
        }
        let hidden = "\(path).\(getpid())"
        do {
            let file = try Descriptor(
                Glibc.open(hidden, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o644).orErrno,
                operation
            )
            try file.writeAll(Array(line.utf8) + [10], operation)
        } catch {
            unlink(hidden)
            throw error
        }
        let code = link(hidden, path) == 0 ? 0 : errno
        unlink(hidden)
        guard code == 0 else { throw .system(code, operation) }
    }

    /// Reads a file; nil when it has gone meanwhile or is not whole.
    private func read<Value: Decodable>(_ type: Value.Type, _ path: String) throws(KernelError)
        -> Value?
    {
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if number < 0, errno == ENOENT { return nil }
        let file = try Descriptor(number.orErrno, "read \(path)")
        let bytes = try file.readAll("read \(path)", limit: 65_536)
        return try? WireJSON.value(type, from: String(decoding: bytes, as: UTF8.self))
    }

    private static func names(in path: String) throws(KernelError) -> [String] {
        guard let names = try ProcFile.names(in: path) else {
            throw .system(ENOENT, "list \(path)")
        }
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }

    // MARK: People

    /// The name of the person at the keyboard.
    private static var person: String {
        if geteuid() == 0, let sudo = getenv("SUDO_USER") {
            let name = String(cString: sudo)
            if !name.isEmpty { return name }
        }
        return userName(geteuid())
    }

    private static func userName(_ uid: uid_t) -> String {
        var buffer = [CChar](repeating: 0, count: 16_384)
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        guard getpwuid_r(uid, &entry, &buffer, buffer.count, &found) == 0, found != nil,
            let name = entry.pw_name
        else { return "uid \(uid)" }
        return String(cString: name)
    }

    // MARK: Waiting

    /// An element when something in a folder has changed; the kernel says so.
    private static func changes(in path: String) throws(KernelError) -> AsyncStream<Void> {
        let operation = "watch \(path)"
        var watcher = try Descriptor(inotify_init1(Int32(IN_CLOEXEC)).orErrno, operation)
        let watch = inotify_add_watch(watcher.number, path, UInt32(IN_CREATE | IN_MOVED_TO))
        guard watch >= 0 else { throw .system(errno, operation) }
        let number = watcher.release()
        let (stream, changed) = AsyncStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let over = SharedFlag()
        changed.onTermination = { _ in
            over.raise()
            // Removing the watch is an event of its own, which wakes the thread.
            inotify_rm_watch(number, watch)
        }
        try OwnThread.start {
            var buffer = [UInt8](repeating: 0, count: 4096)
            while Glibc.read(number, &buffer, buffer.count) > 0, !over.isRaised { changed.yield() }
            Glibc.close(number)
        }
        return stream
    }
}

/// A flag that two threads share.
private final class SharedFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isRaised: Bool { flag.load(ordering: .acquiring) }

    func raise() { flag.store(true, ordering: .releasing) }
}

extension Int32 {
    /// A descriptor, or the negated errno of the call that just failed.
    fileprivate var orErrno: Int32 { self >= 0 ? self : -errno }
}
