// Memory that is held: mapped, written with bytes that neither merging nor compression can make less, and locked where
// that is allowed. Filled in pieces, each after a look at how much is in use, so that it never goes beyond what was
// asked; then only watched, with pieces given back when the host comes near its end.

import CLinux
import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Held memory.
final class HeldMemory: HeldResource {
    private struct Piece {
        // SAFETY: mapped by this object, used by its one filling thread, and unmapped once, by `giveBack`.
        nonisolated(unsafe) let start: UnsafeMutableRawPointer
        let size: Int
    }

    private struct State {
        var pieces: [Piece] = []
        var held = 0
        var isLocked = true
        var isFull = false
        var gaveBack = 0
        var fullAt = 0.0
        var usedWhenFull = 0.0
    }

    /// The kernel counts a group's memory in batches of this size for each processor.
    private static let tolerance = 256 << 10
    private static let page = 4096

    private let load: MemoryLoad
    private let holding = Mutex(State())

    init(_ load: MemoryLoad) { self.load = load }

    func begin(_ say: @escaping @Sendable (String) -> Void) async throws(KernelError) {
        try Self.volunteer()
        let hasRamp = load.rampMs > 0
        let first = try remaining()
        if hasRamp {
            try OwnThread.start { [self] in
                do throws(KernelError) {
                    try fill(first, say)
                } catch {
                    say("filling stopped: \(error)")
                }
                watch(say)
            }
        } else {
            try await OwnThread.value { [self] () throws(KernelError) in try fill(first, say) }
            try OwnThread.start { [self] in watch(say) }
        }
    }

    func state() throws(KernelError) -> LoadState {
        let now = holding.withLock { state in
            (
                held: state.held, isFull: state.isFull, isLocked: state.isLocked,
                gaveBack: state.gaveBack,
                busy: state.isFull
                    ? (LoadClock.process - state.usedWhenFull)
                        / max(0.1, LoadClock.now - state.fullAt) : nil
            )
        }
        let resident = try Self.resident()
        let inUse = try inUse()
        var figures = [
            Figure("held", Double(now.held), unit: "B"),
            Figure("resident", Double(resident), unit: "B"),
        ]
        if load.limit > 0 {
            let share = Double(inUse) / Double(load.limit) * 100
            figures.append(Figure("in_use", share, unit: "%"))
        }
        switch load.amount {
        case .bytes(let bytes):
            figures.insert(Figure("asked", Double(bytes), unit: "B"), at: 0)
            figures.insert(Figure("measured", Double(now.held), unit: "B"), at: 1)
        case .inUse(let share):
            let measured = Double(inUse) / Double(max(1, load.limit)) * 100
            figures.insert(Figure("asked", share * 100, unit: "%"), at: 0)
            figures.insert(Figure("measured", measured, unit: "%"), at: 1)
        }
        if let busy = now.busy { figures.append(Figure("worker_cpu", busy * 100, unit: "%")) }
        var seen = "holds \(MetricUnit.bytes.spelled(Double(now.held)))"
        if !now.isFull { seen += ", still filling" }
        if now.isLocked { seen += ", locked" }
        if now.gaveBack > 0 {
            seen += ", gave back \(MetricUnit.bytes.spelled(Double(now.gaveBack))) for the host"
        }
        return LoadState(seen, figures: figures)
    }

    /// Lets the kernel kill this process first when memory is out.
    private static func volunteer() throws(KernelError) {
        let path = "/proc/self/oom_score_adj"
        let number = open(path, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { throw .system(errno, "write \(path)") }
        try Descriptor(number).writeAll(Array("1000".utf8), "write \(path)")
    }

    // MARK: Filling

    /// How much is missing.
    private func remaining() throws(KernelError) -> Int {
        switch load.amount {
        case .bytes(let bytes): bytes - holding.withLock { $0.held }
        case .inUse(let share): Int(Double(load.limit) * share) - (try inUse())
        }
    }

    /// What is in use now, of the host or of the group.
    private func inUse() throws(KernelError) -> Int {
        if let group = load.group { return try LinuxControlGroups().memoryInUse(of: group) }
        let host = try HostMemory.read()
        return host.total - host.available
    }

    private func fill(_ total: Int, _ say: (String) -> Void) throws(KernelError) {
        let began = LoadClock.now
        let ramp = load.rampMs / 1000
        let largest = max(1 << 20, min(64 << 20, total / 100))
        var filled = 0
        while true {
            var rest = try remaining()
            if case .inUse = load.amount { rest -= Self.tolerance }
            guard rest >= Self.page else { break }
            if ramp > 0 {
                let due = Int(Double(total) * min(1, (LoadClock.now - began) / ramp)) - filled
                if due < min(largest, rest) {
                    LoadClock.sleep(until: LoadClock.now + min(0.02, ramp / 50))
                    // A long ramp looks after the host all the same.
                    let isShort = try HostMemory.read().available < load.keepFree
                    if !isShort, LoadClock.now - began < ramp { continue }
                }
            }
            let size = min(rest, largest) / Self.page * Self.page
            let available = try HostMemory.read().available
            guard available - size >= load.keepFree else {
                say(
                    "stopped filling: the host has \(MetricUnit.bytes.spelled(Double(available))) left"
                )
                break
            }
            try take(size)
            filled += size
        }
        holding.withLock { state in
            state.isFull = true
            state.fullAt = LoadClock.now
            state.usedWhenFull = LoadClock.process
        }
    }

    private func take(_ size: Int) throws(KernelError) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        guard let start = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0),
            start != MAP_FAILED
        else { throw .system(errno, "map \(size) bytes") }
        clinux_fill_random(start, size, UInt(bitPattern: start) ^ UInt(getpid()))
        let isLocked = mlock(start, size) == 0
        holding.withLock { state in
            state.pieces.append(Piece(start: start, size: size))
            state.held += size
            state.isLocked = state.isLocked && isLocked
        }
    }

    // MARK: Giving back

    /// Looks after the host for ever: gives memory back when there is less than it must have left.
    private func watch(_ say: (String) -> Void) {
        var (untold, least, told) = (0, Int.max, -Double.infinity)
        while true {
            guard let available = try? HostMemory.read().available else { return }
            if available < load.keepFree {
                untold += giveBack(atLeast: load.keepFree - available)
                least = min(least, available)
            }
            // Told at once, then once a second: it comes in many pieces.
            if untold > 0, LoadClock.now - told >= 1 {
                say(
                    "gave back \(MetricUnit.bytes.spelled(Double(untold))): the host had only "
                        + "\(MetricUnit.bytes.spelled(Double(least))) left"
                )
                (untold, least, told) = (0, Int.max, LoadClock.now)
            }
            // The nearer the end, the closer the look.
            LoadClock.sleep(until: LoadClock.now + (available < load.keepFree * 2 ? 0.05 : 0.25))
        }
    }

    private func giveBack(atLeast bytes: Int) -> Int {
        holding.withLock { state in
            var given = 0
            while given < bytes, let piece = state.pieces.popLast() {
                munmap(piece.start, piece.size)
                given += piece.size
            }
            state.held -= given
            state.gaveBack += given
            return given
        }
    }

    /// The pages of this process that are in memory, in bytes.
    private static func resident() throws(KernelError) -> Int {
        let words = (try ProcFile.text("/proc/self/statm") ?? "").split(separator: " ")
        guard words.count > 1, let pages = Int(words[1]) else {
            throw KernelError(.failed, "read /proc/self/statm", "not of the known form")
        }
        return pages * page
    }
}

extension HostMemory {
    /// Reads /proc/meminfo.
    static func read() throws(KernelError) -> HostMemory {
        let text = try ProcFile.text("/proc/meminfo") ?? ""
        func bytes(_ name: String) -> Int? {
            let value = ProcessStatus.field(name, of: text)
            return value.flatMap { Int($0.prefix(while: \.isNumber)) }.map { $0 << 10 }
        }
        guard let total = bytes("MemTotal"), let available = bytes("MemAvailable") else {
            throw KernelError(.unsupported, "read /proc/meminfo", "it does not say MemAvailable")
        }
        return HostMemory(total: total, available: available)
    }
}
