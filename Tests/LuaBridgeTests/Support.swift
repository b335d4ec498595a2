// Short ways to run a script, and events to wait for instead of times.

import LuaBridge
import Synchronization
import Testing

/// Runs a text as `scripts/test.lua`.
@discardableResult
func run(_ source: String, in vm: LuaVM = LuaVM()) async throws(LuaError) -> [LuaValue] {
    let script = try await vm.load(source: source, name: "scripts/test.lua")
    return try await vm.run(script)
}

/// The error that a text ends with.
func failure(of source: String, in vm: LuaVM = LuaVM()) async -> LuaError? {
    do {
        try await run(source, in: vm)
    } catch {
        return error
    }
    Issue.record("the script did not fail: \(source)")
    return nil
}

/// Something that happens once, and that a test waits for.
final class Event: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func happen() {
        continuation.yield()
    }

    func wait() async {
        for await _ in stream { return }
    }
}

/// What happened, in order.
final class Notes: Sendable {
    private let notes = Mutex<[String]>([])

    func add(_ note: String) {
        notes.withLock { $0.append(note) }
    }

    var all: [String] {
        notes.withLock { $0 }
    }
}

/// Waits until its task is cancelled.
func waitForCancellation() async throws {
    try await Task.sleep(for: .seconds(3600))
}

extension LuaVM {
    /// Registers `started()`, `note(text)` and `wait()`, which ends only by cancellation.
    func registerProbes(started: Event, waiting: Event = Event(), notes: Notes = Notes()) {
        register("started") { _ in
            started.happen()
            return []
        }
        register("note") { call in
            notes.add(try call.string(1, "text"))
            return []
        }
        registerAsync("wait") { _ in
            waiting.happen()
            try await waitForCancellation()
            return []
        }
    }
}

/// Starts a text, waits for its call of `started()` or `wait()`, or for `started` by other means, aborts, and returns
/// the error.
func abort(
    _ source: String,
    notes: Notes = Notes(),
    started: Event = Event(),
    limits: LuaLimits = .default,
    prepare: @Sendable (isolated LuaVM) -> Void = { _ in }
) async -> LuaError? {
    let vm = LuaVM(limits: limits)
    await vm.registerProbes(started: started, waiting: started, notes: notes)
    await vm.configure(prepare)
    let task = Task { await failure(of: source, in: vm) }
    await started.wait()
    vm.abortToken.abort("p99 over 2s")
    return await task.value
}

/// A function that a handler was given.
final class FunctionBox: Sendable {
    private let function = Mutex<LuaFunction?>(nil)

    var value: LuaFunction? {
        function.withLock { $0 }
    }

    func set(_ value: LuaFunction) {
        function.withLock { $0 = value }
    }
}
