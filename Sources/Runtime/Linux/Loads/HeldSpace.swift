// Space of a file system: allocated where the file system can, else written, then looked at again, since what a file
// takes beside its bytes (extents, indirect blocks, trees) is known only afterwards.

import CLinux
import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Held space.
final class HeldSpace: HeldResource {
    /// How much is allocated or written at once.
    private static let (step, chunk) = (1 << 30, 1 << 20)
    /// How often it is looked at again.
    private static let mostRounds = 32
    private static let mostFiles = 64

    private let load: SpaceLoad
    private let name: String
    private let held = Shared<(files: [Int32], folder: Int32, bytes: Int, isWritten: Bool)?>(nil)

    init(_ load: SpaceLoad, name: String) {
        self.load = load
        self.name = name
    }

    func begin(_ say: @escaping @Sendable (String) -> Void) async throws(KernelError) {
        try await OwnThread.value { [self] () throws(KernelError) in try fill() }
    }

    func state() throws(KernelError) -> LoadState {
        guard let held = held.value else {
            throw KernelError(.failed, "measure \(load.folder)", "nothing is held yet")
        }
        let space = try FileSystemSpace(open: held.folder, folder: load.folder)
        let unit = MetricUnit.bytes
        var figures = [
            Figure("held", Double(held.bytes), unit: "B"),
            Figure("used", space.share * 100, unit: "%"),
            Figure("available", Double(space.available), unit: "B"),
        ]
        switch load.amount {
        case .bytes(let bytes):
            figures.insert(Figure("asked", Double(bytes), unit: "B"), at: 0)
            figures.insert(Figure("measured", Double(held.bytes), unit: "B"), at: 1)
        case .used(let share):
            figures.insert(Figure("asked", share * 100, unit: "%"), at: 0)
            figures.insert(Figure("measured", space.share * 100, unit: "%"), at: 1)
        }
        let how = held.isWritten ? " (written: no fallocate there)" : ""
        return LoadState(
            "holds \(unit.spelled(Double(held.bytes))) of \(load.folder), "
                + "\(MetricUnit.share.spelled(space.share)) used\(how)",
            figures: figures
        )
    }

    private func fill() throws(KernelError) {
        let files = try UnnamedFiles(in: load.folder, on: load.device, name: name)
        var file = try GrowingFile(try files.make(1, isVisible: load.isVisible))
        var open: [Int32] = []
        var before = 0
        for _ in 0..<Self.mostRounds {
            let wanted = try missing(files.space(), held: before + file.length)
            if wanted < 0 {
                try file.shrink(by: -wanted)
                break
            }
            if wanted == 0 { break }
            let length = file.length
            do throws(KernelError) {
                try file.grow(by: min(wanted, Self.step))
            } catch {
                guard error.kind == .failed, file.isTooLong, open.count < Self.mostFiles else {
                    throw error
                }
                before += file.length
                open.append(file.release())
                file = try GrowingFile(try files.make(open.count + 1, isVisible: load.isVisible))
                continue
            }
            // The file system has no more, whatever it says is available.
            if file.length == length { break }
        }
        let bytes = before + file.length
        let isWritten = file.isWritten
        open.append(file.release())
        let folder = Glibc.open(load.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .system(errno, "open \(load.folder)") }
        held.value = (open, folder, bytes, isWritten)
    }

    /// How much has to be added; less than nothing when too much is held.
    private func missing(_ space: FileSystemSpace, held: Int) throws(KernelError) -> Int {
        let wanted =
            switch load.amount {
            case .bytes(let bytes): bytes - held
            case .used(let share): space.bytes(toUse: share)
            }
        return min(wanted, space.available - load.keepFree)
    }
}

/// A file that grows by real blocks.
private struct GrowingFile: ~Copyable {
    private static let chunk = 1 << 20

    private var file: Descriptor
    private(set) var length = 0
    /// Whether its bytes were written because they could not be allocated.
    private(set) var isWritten = false
    /// Whether the file cannot be longer, although there may be space.
    private(set) var isTooLong = false

    init(_ file: consuming Descriptor) throws(KernelError) { self.file = file }

    /// Grows by this much, or by what there is.
    mutating func grow(by bytes: Int) throws(KernelError) {
        var rest = bytes
        while rest > 0, !isWritten {
            let code = clinux_allocate(file.number, off_t(length), off_t(rest))
            switch code {
            case 0:
                length += rest
                return
            case EINTR: continue
            case ENOSPC, EDQUOT:
                // Some of it may be there already: what is beyond the length is given back, and half tried.
                ftruncate(file.number, off_t(length))
                if rest <= 4096 { return }
                rest = max(4096, rest / 2 / 4096 * 4096)
            case EOPNOTSUPP, ENOSYS: isWritten = true
            case EFBIG:
                isTooLong = true
                throw .system(code, "allocate \(rest) bytes")
            default: throw .system(code, "allocate \(rest) bytes")
            }
        }
        if isWritten { try write(bytes) }
    }

    private mutating func write(_ bytes: Int) throws(KernelError) {
        let end = length + bytes
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: Self.chunk, alignment: 4096)
        defer { buffer.deallocate() }
        clinux_fill_random(buffer, Self.chunk, UInt(length) + 1)
        while length < end {
            let count = pwrite(
                file.number,
                buffer,
                min(Self.chunk, end - length),
                off_t(length)
            )
            if count > 0 {
                length += count
            } else if count < 0, errno != EINTR {
                let code = errno
                if code == ENOSPC || code == EDQUOT { break }
                isTooLong = code == EFBIG
                throw .system(code, "write \(bytes) bytes")
            }
        }
        // What is only promised is not counted by every file system.
        if fsync(file.number) != 0, errno != ENOSPC {
            throw .system(errno, "sync what was written")
        }
    }

    mutating func shrink(by bytes: Int) throws(KernelError) {
        length = max(0, length - bytes)
        guard ftruncate(file.number, off_t(length)) == 0 else {
            throw .system(errno, "give \(bytes) bytes back")
        }
    }

    mutating func release() -> Int32 { file.release() }
}
