// Edits of a target's resolv.conf and hosts, in place: the same file with its mode, owner, attributes and links, also
// when it is mounted from elsewhere.

import ChaosModel
import Glibc
import Synchronization

/// The files that are edited now, held open: they can be put back although the target's last process has ended.
final class NameFileEdits: Sendable {
    private struct Edit {
        var fault: NameFault
        var descriptor: Int32
    }

    /// In the order in which they were made.
    private let open = Mutex<[Edit]>([])

    /// Makes the edit of a fault.
    func make(_ fault: NameFault) throws(KernelError) {
        guard let path = fault.method.file else { return }
        let file = try file(of: fault, path)
        try change(file, path) { content in
            if !content.has(fault.name) { content.apply(fault) }
        }
        var owned = file
        let edit = Edit(fault: fault, descriptor: owned.release())
        open.withLock { $0.append(edit) }
    }

    /// Whether the edit is in the file now; nil when there is no such file any more.
    func isMade(_ fault: NameFault) throws(KernelError) -> Bool {
        guard let path = fault.method.file,
            let bytes = try TargetRoot(fault.place).bytes(path)
        else { return false }
        return NameFile(bytes).has(fault.name)
    }

    /// Takes the edit back, in the file that was edited and in what stands in its place now.
    func undo(_ fault: NameFault) throws(KernelError) {
        guard let path = fault.method.file else { return }
        let (held, later) = open.withLock { edits -> (Int32?, [NameFault]) in
            guard let index = edits.firstIndex(where: { $0.fault.name == fault.name }) else {
                return (nil, [])
            }
            let later = edits[(index + 1)...].map(\.fault)
            return (edits.remove(at: index).descriptor, later)
        }
        if let held { try change(Descriptor(held), path) { $0.restore(fault, before: later) } }
        do throws(KernelError) {
            guard let now = try TargetRoot(fault.place).open(path, O_RDWR) else { return }
            try change(now, path) { $0.restore(fault, before: later) }
        } catch  where error.kind == .gone && held != nil {
            // The process has ended; the file that it had is restored.
        }
    }

    private func file(of fault: NameFault, _ path: String) throws(KernelError) -> Descriptor {
        guard let file = try TargetRoot(fault.place).open(path, O_RDWR) else {
            throw KernelError(.unsupported, "edit \(path)", "the target has no such file")
        }
        return file
    }

    /// Writes a file anew in one call, when its text changes.
    private func change(
        _ file: borrowing Descriptor,
        _ path: String,
        _ body: (inout NameFile) -> Void
    ) throws(KernelError) {
        let operation = "edit \(path) of the target"
        guard lseek(file.number, 0, SEEK_SET) == 0 else { throw .system(errno, operation) }
        let before = try file.readAll(operation, limit: NameFile.limit)
        var content = NameFile(before)
        body(&content)
        let after = content.bytes
        guard after != before else { return }
        let number = file.number
        let written = after.withUnsafeBytes { pwrite(number, $0.baseAddress, $0.count, 0) }
        guard written == after.count else {
            let code = written < 0 ? errno : ENOSPC
            // A part of the new text is worse than the old.
            _ = before.withUnsafeBytes { pwrite(number, $0.baseAddress, $0.count, 0) }
            ftruncate(number, before.count)
            throw .system(code, operation)
        }
        guard ftruncate(number, after.count) == 0, fsync(number) == 0 else {
            throw .system(errno, operation)
        }
    }
}

extension NameFile {
    /// Makes the edit of a fault.
    mutating func apply(_ fault: NameFault) {
        switch (fault.method, fault.rule.action) {
        case (.resolvConf, _): redirect(to: fault.listeners, mark: fault.name)
        case (.hosts, .spoof(let addresses, _)):
            give(fault.rule.exactNames, addresses, mark: fault.name)
        default: break
        }
    }

    /// Takes the edit of a fault back; those made later, which may have put its lines behind their marks, are made anew.
    mutating func restore(_ fault: NameFault, before later: [NameFault]) {
        let later = later.filter { has($0.name) }
        for other in later.reversed() { restore(other.name) }
        restore(fault.name)
        for other in later { apply(other) }
    }
}

extension NameRule {
    /// The names that are meant one by one.
    var exactNames: [String] {
        names.compactMap { if case .one(let name) = $0 { name } else { nil } }
    }
}
