// A Swift function as the trampoline sees it.

/// A handler that may wait; it starts on the script's thread and leaves it at its first real wait.
public typealias LuaAsyncHandler =
    nonisolated(nonsending) @Sendable (LuaCall) async throws -> [LuaValue]

final class LuaHostFunction: Sendable {
    enum Body: Sendable {
        case sync(@Sendable (LuaCall) throws -> [LuaValue])
        case async(LuaAsyncHandler)
        /// Takes its arguments one by one.
        case typed(@Sendable (inout LuaArgumentReader) throws -> LuaValue)
        /// Works on the stack itself, returns the number of results.
        case raw(@Sendable (LuaFrame) throws -> Int32)
        /// A close handler: waits at a scope's end, and must not while the script is being stopped.
        case close(LuaAsyncHandler, stopping: @Sendable (LuaCall) throws -> Void)
    }

    let name: String
    let body: Body

    init(name: String, _ body: Body) {
        self.name = name
        self.body = body
    }
}
