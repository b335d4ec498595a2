// Reading and writing at a rate, one thread for each direction, each over and over through a file without a name.
//
// A thread sleeps until the next block is due by the clock since it began, so that short delays of the disk are made up
// for and a disk that cannot keep up is not asked for more than half a second's worth at once.

import CLinux
import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Held transfers.
final class HeldTransfers: HeldResource {
    private enum Direction: String { case read, write }

    private struct Tally: Sendable {
        var beganAt = 0.0
        var bytes = 0
        var trouble: String?
    }

    /// How long it runs before its mean counts, and before it is measured first, in seconds.
    private static let firstLook = 0.3
    private static let mostDebt = 0.5

    private let load: TransferLoad
    private let name: String
    private let tallies: [Direction: Shared<Tally>]

    init(_ load: TransferLoad, name: String) {
        self.load = load
        self.name = name
        let asked = [(Direction.read, load.readRate), (.write, load.writeRate)].filter { $0.1 > 0 }
        tallies = Dictionary(uniqueKeysWithValues: asked.map { ($0.0, Shared(Tally())) })
    }

    func begin(_ say: @escaping @Sendable (String) -> Void) async throws(KernelError) {
        for (direction, tally) in tallies {
            let number = try await OwnThread.value { [self] () throws(KernelError) in
                try prepared(direction)
            }
            try OwnThread.start { [self] in
                let trouble = run(direction, number, tally)
                tally.value.trouble = trouble
                say(trouble)
            }
        }
        try await OwnThread.value { () throws(KernelError) in
            LoadClock.sleep(until: LoadClock.now + Self.firstLook)
        }
        if let trouble = tallies.values.compactMap(\.value.trouble).first {
            throw KernelError(.failed, "read and write at \(load.folder)", trouble)
        }
    }

    func state() throws(KernelError) -> LoadState {
        var figures: [Figure] = []
        var seen: [String] = []
        for direction in [Direction.read, .write] {
            guard let tally = tallies[direction]?.value else { continue }
            let span = max(0.001, LoadClock.now - tally.beganAt)
            let rate = Double(tally.bytes) / span
            figures.append(
                Figure("asked_\(direction.rawValue)", self.rate(of: direction), unit: "B/s")
            )
            figures.append(Figure("measured_\(direction.rawValue)", rate, unit: "B/s"))
            let trouble = tally.trouble.map { " (\($0))" } ?? ""
            seen.append("\(direction.rawValue)s \(MetricUnit.bytes.spelled(rate))/s\(trouble)")
        }
        return LoadState(seen.joined(separator: ", "), figures: figures)
    }

    private func rate(of direction: Direction) -> Double {
        direction == .read ? load.readRate : load.writeRate
    }

    /// Makes the file of a direction; one that is read has real bytes, since holes and unwritten blocks need no disk.
    private func prepared(_ direction: Direction) throws(KernelError) -> Int32 {
        let files = try UnnamedFiles(in: load.folder, on: load.device, name: name)
        var file = try files.make(direction == .read ? 1 : 2)
        let size = load.fileSize / load.blockSize * load.blockSize
        let buffer = try aligned()
        defer { free(buffer) }
        var done = 0
        while done < size {
            clinux_fill_random(buffer, load.blockSize, UInt(done) + 1)
            let count = pwrite(file.number, buffer, load.blockSize, off_t(done))
            guard count > 0 else { throw .system(errno, "write \(size) bytes at \(load.folder)") }
            done += count
        }
        guard fdatasync(file.number) == 0 else { throw .system(errno, "sync at \(load.folder)") }
        posix_fadvise(file.number, 0, 0, Int32(POSIX_FADV_DONTNEED))
        if load.isDirect {
            let code = clinux_pass_by_cache(file.number)
            guard code == 0 else {
                throw KernelError(
                    .unsupported,
                    "pass by the page cache at \(load.folder)",
                    "\(String(cString: strerror(code))): the file system cannot; say direct = false"
                )
            }
        }
        return file.release()
    }

    private func aligned() throws(KernelError) -> UnsafeMutableRawPointer {
        var pointer: UnsafeMutableRawPointer?
        let code = posix_memalign(&pointer, 4096, load.blockSize)
        guard code == 0, let pointer else {
            throw .system(code, "get memory for a block of \(load.blockSize) bytes")
        }
        return pointer
    }

    /// Reads or writes until that fails; returns why.
    private func run(_ direction: Direction, _ number: Int32, _ tally: Shared<Tally>) -> String {
        let buffer: UnsafeMutableRawPointer
        do throws(KernelError) {
            buffer = try aligned()
        } catch {
            return "\(error)"
        }
        defer { free(buffer) }
        clinux_fill_random(buffer, load.blockSize, UInt(getpid()))
        let blocks = max(1, load.fileSize / load.blockSize)
        let interval = Double(load.blockSize) / rate(of: direction)
        var due = LoadClock.now
        tally.value = Tally(beganAt: due)
        var block = 0
        while true {
            let offset = off_t(block * load.blockSize)
            let count =
                direction == .read
                ? pread(number, buffer, load.blockSize, offset)
                : pwrite(number, buffer, load.blockSize, offset)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                return "\(direction.rawValue) failed: \(String(cString: strerror(errno)))"
            }
            tally.value.bytes += count
            block = (block + 1) % blocks
            // Else the second time round it would come from memory.
            if block == 0, !load.isDirect, direction == .read {
                posix_fadvise(number, 0, 0, Int32(POSIX_FADV_DONTNEED))
            }
            due = max(due + interval, LoadClock.now - Self.mostDebt)
            LoadClock.sleep(until: due)
        }
    }
}
