// Giving Swift functions and values to scripts, under dotted paths: "fault.network.latency" makes
// the namespaces `fault` and `fault.network`, which are read-only for scripts.

extension LuaVM {
    /// Registers a function under a dotted path.
    ///
    /// What it throws becomes a Lua error with the script's file and line; when no script catches
    /// it, it comes back in `LuaError.underlying`.
    public func register(
        _ path: String,
        _ handler: @escaping @Sendable (LuaCall) throws -> [LuaValue]
    ) {
        define(LuaHostFunction(name: path, .sync(handler)))
    }

    /// Registers a function with one result; its closure says so: `{ call -> LuaValue in … }`.
    @_disfavoredOverload
    public func register(
        _ path: String,
        _ handler: @escaping @Sendable (LuaCall) throws -> LuaValue
    ) {
        define(LuaHostFunction(name: path, .sync { [try handler($0)] }))
    }

    /// Registers a function that may wait; its script is suspended meanwhile.
    ///
    /// It runs in a task that an abort cancels. It begins on the script's thread and must not block
    /// that: what it awaits frees the thread.
    public func registerAsync(_ path: String, _ handler: @escaping LuaAsyncHandler) {
        define(LuaHostFunction(name: path, .async(handler)))
    }

    /// Registers a function that may wait, with one result.
    @_disfavoredOverload
    public func registerAsync(
        _ path: String,
        _ handler:
            nonisolated(nonsending) @escaping @Sendable (LuaCall) async throws -> LuaValue
    ) {
        define(LuaHostFunction(name: path, .async { [try await handler($0)] }))
    }

    /// The dotted paths of all functions and values that were registered, sorted.
    public var registered: [String] {
        let all = state.defined.sorted()
        return all.filter { path in !all.contains { $0.hasPrefix("\(path).") } }
    }

    /// Registers a value under a dotted path.
    ///
    /// - Throws: an error when the value holds a function of another state.
    public func register(_ path: String, value: LuaValue) throws {
        try state.define(path, value: value)
    }

    /// Registers a function by its Swift types.
    ///
    ///     vm.register("add", typed: { (a: Int, b: Int) in a + b })
    ///
    /// The fastest way, and the number and types of the arguments are checked.
    @inlinable
    public func register<each Argument: LuaConvertible, Result: LuaConvertible>(
        _ path: String,
        typed handler: @escaping @Sendable (repeat each Argument) throws -> Result
    ) {
        var most = 0
        for _ in repeat (each Argument).self {
            most += 1
        }
        let count = most
        define(path) { arguments in
            try arguments.expectAtMost(count)
            return try handler(repeat try arguments.next((each Argument).self)).luaValue
        }
    }

    @usableFromInline
    func define(
        _ path: String,
        typed body: @escaping @Sendable (inout LuaArgumentReader) throws -> LuaValue
    ) {
        define(LuaHostFunction(name: path, .typed(body)))
    }

    private func define(_ function: LuaHostFunction) {
        state.define(function.name) { state.push(function, on: $0) }
    }
}

extension LuaState {
    func define(_ path: String, value: LuaValue) throws {
        try push(value, on: main)
        let reference = keep(main)
        define(path) { pushKept(reference, on: $0) }
        references.release(reference)
    }
}
