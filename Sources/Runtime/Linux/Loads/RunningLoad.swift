// One load and its worker, from its beginning to its end: whether that was wanted, and what the kernel had to do with it.

import ChaosModel
import Glibc
import Synchronization

/// A load that a worker holds.
final class RunningLoad: Sendable {
    private typealias Worker = WorkerClient<LoadRequest, LoadReply>

    private struct State {
        var worker: Worker?
        /// Whether its end is asked for.
        var isEnding = false
        /// How it ended by itself; nil while it has not.
        var early: String?
        /// Whether it was killed for want of memory and that is what was wanted.
        var outOfMemory: String?
        var respawns = 0
        var isOver = false
        var notes: [String] = []
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// How long to wait before another worker takes the place of one that the kernel killed.
    private static let respawnPause = Duration.seconds(1)

    private let load: Load
    private let name: String
    private let groups: [ControlGroup]
    private let command: [String]
    private let progress = Mutex(State())

    init(_ load: Load, name: String, groups: [ControlGroup], command: [String]) {
        self.load = load
        self.name = name
        self.groups = groups
        self.command = command
    }

    /// The worker, while it runs.
    var worker: ProcessIdentity? {
        progress.withLock { $0.worker?.isGone == false ? $0.worker?.identity : nil }
    }

    /// Starts the worker, in its groups, and lets it begin.
    func begin() async throws(KernelError) {
        let kills = Self.outOfMemoryKills()
        let worker = try start()
        do throws(KernelError) {
            _ = try await worker.ask(.begin(load, name: name))
            supervise(worker, kills)
        } catch {
            guard error.kind == .gone else {
                worker.kill()
                throw error
            }
            // It died of it, before it had begun; what that means depends on why.
            await ended(worker, kills)
            let early = progress.withLock { $0.early }
            if let early { throw KernelError(.failed, "begin \(name)", early) }
        }
    }

    private func start() throws(KernelError) -> Worker {
        let worker = try Worker(command, name: "the worker \(name)") { [weak self] text in
            self?.progress.withLock { $0.notes.append("\(Self.time): \(text)") }
        }
        let isEnding = progress.withLock { state in
            state.worker = worker
            return state.isEnding
        }
        if isEnding { worker.kill() }
        guard let identity = worker.identity else {
            worker.kill()
            throw KernelError(.failed, "start the worker \(name)", "/proc does not show it")
        }
        do throws(KernelError) {
            for group in groups { try LinuxControlGroups().move(identity.pid, into: group) }
        } catch {
            worker.kill()
            throw error
        }
        return worker
    }

    /// What it does now.
    func state() async throws(KernelError) -> LoadState {
        let now = progress.withLock { $0 }
        if let early = now.early { throw KernelError(.gone, "measure \(name)", early) }
        if let text = now.outOfMemory { return LoadState(text, figures: []) }
        var state = LoadState("its worker is being started again", figures: [])
        do throws(KernelError) {
            if let worker = now.worker, let answer = try await worker.ask(.state).state {
                state = answer
            }
        } catch {
            guard error.kind == .gone else { throw error }
            guard case .memory(let load) = load, load.onOutOfMemory == .respawn else {
                await ended()
                let early = progress.withLock { $0.early ?? $0.outOfMemory }
                throw KernelError(.gone, "measure \(name)", early ?? error.reason)
            }
            state.seen += " after the kernel killed it"
        }
        if now.respawns > 0 {
            state.seen += ", started again \(now.respawns) times"
            state.figures.append(Figure("respawns", Double(now.respawns)))
        }
        state.seen += Self.summary(of: now.notes)
        return state
    }

    /// Waits until it is over; how it ended by itself, or nil when that was asked for or allowed.
    func endedEarly() async -> String? {
        await ended()
        return progress.withLock { $0.isEnding ? nil : $0.early }
    }

    /// Ends the worker and waits until it is gone.
    func end() async {
        let worker = progress.withLock { state in
            state.isEnding = true
            return state.worker
        }
        if let worker {
            worker.kill()
            _ = await worker.ended()
        }
        finish { _ in }
    }

    // MARK: The end

    private func ended() async {
        await withCheckedContinuation { continuation in
            let isOver = progress.withLock { state in
                if !state.isOver { state.waiting.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    private func supervise(_ worker: Worker, _ kills: Int) {
        Task { await self.ended(worker, kills) }
    }

    /// Finds out what the end of a worker means, and starts another where that is asked for.
    private func ended(_ worker: Worker, _ kills: Int) async {
        let end = await worker.ended()
        guard !progress.withLock({ $0.isEnding }) else { return finish { _ in } }
        let pid = worker.identity?.pid ?? 0
        let isOutOfMemory = end.signal == SIGKILL && Self.outOfMemoryKills() > kills
        let how = isOutOfMemory ? "killed by the kernel, which had no memory left" : end.seen
        let text = "worker \(pid) was \(how) at \(Timestamp.iso8601(end.at))"
        guard isOutOfMemory, case .memory(let load) = load, load.onOutOfMemory != .fail else {
            return finish { $0.early = $0.early ?? text }
        }
        guard load.onOutOfMemory == .respawn else {
            return finish { $0.outOfMemory = "\(text), as on_oom = \"ignore\" allows" }
        }
        progress.withLock { $0.respawns += 1 }
        Task { await self.respawn() }
    }

    private func respawn() async {
        // Not cancelled: the task is nobody's.
        try? await Task.sleep(for: Self.respawnPause)
        guard !progress.withLock({ $0.isEnding }) else { return finish { _ in } }
        do throws(KernelError) {
            try await begin()
        } catch {
            finish { $0.early = $0.early ?? "its worker could not be started again: \(error)" }
        }
    }

    private func finish(_ body: (inout State) -> Void) {
        let waiting = progress.withLock { state in
            body(&state)
            state.isOver = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// The first and the latest of what the worker told, and how many came between.
    private static func summary(of notes: [String]) -> String {
        guard let first = notes.first, let latest = notes.last else { return "" }
        let others = notes.count > 2 ? "; \(notes.count - 2) more" : ""
        return "; \(first)\(others)" + (notes.count > 1 ? "; \(latest)" : "")
    }

    private static var time: String { Timestamp.iso8601(LinuxTime().secondsSince1970) }

    /// How many processes the kernel has killed for want of memory since boot, in control groups too.
    private static func outOfMemoryKills() -> Int {
        let text = (try? ProcFile.text("/proc/vmstat")) ?? nil
        let line = text?.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
        return line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0
    }
}
