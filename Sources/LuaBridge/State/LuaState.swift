// The owner of one lua_State and of everything that Swift keeps for it.
//
// Not Sendable: it lives inside the actor. The state is closed by deinit, on whatever thread the
// actor goes away; nobody else can hold it then. While Swift runs, the allocator refuses nothing
// (see control.h), so Lua's API may be called here without a protected call: it cannot longjmp.

import CLua
import CLuaShim

final class LuaState {
    let main: OpaquePointer
    let limits: LuaLimits
    let references = LuaReferences()
    /// Set by the trampoline when a script calls a function that waits.
    var pending: LuaPending?
    /// The stack as it was when an uncaught error was raised.
    var captured: [LuaStackFrame] = []
    var errors = LuaErrorMemory()
    var liveThreads = 0
    var metatables: [String: Int32] = [:]
    var modules: LuaModules
    var onPrint: @Sendable (String, LuaLocation?) -> Void = { text, _ in print(text) }
    var clock: (@Sendable () -> Double)?
    /// References to the stock functions and tables that the sandbox has hidden.
    var hidden: [String: Int32] = [:]
    /// The dotted paths that have been defined.
    var defined: Set<String> = []

    init(limits: LuaLimits, stop: LuaStop, modules: LuaModules) {
        self.limits = limits
        self.modules = modules
        // `self` cannot be handed to C before every property is set, so the host comes in a box.
        let host = LuaHostBox()
        let bounds = lb_limits(
            total_bytes: max(0, limits.memoryBytes),
            allocation_bytes: max(0, limits.allocationBytes)
        )
        guard let state = lb_open(host.callbacks(), bounds, stop.pointer) else {
            // The process has no memory for a few kilobytes; there is nobody to tell, and no state to tell it by.
            fatalError("no memory for a Lua state")
        }
        main = state
        self.host = host
        host.state = self
        openLibraries()
    }

    private let host: LuaHostBox

    deinit {
        lb_close(main)
    }

    /// Drops the references that Swift let go since the last run.
    func dropReleased() {
        for reference in references.take() {
            luaL_unref(main, lb_registry_index(), reference)
        }
    }

    /// Keeps the value on top of a stack; pops it.
    func keep(_ stack: OpaquePointer) -> Int32 {
        luaL_ref(stack, lb_registry_index())
    }

    /// Pushes a kept value.
    func pushKept(_ reference: Int32, on stack: OpaquePointer) {
        lua_rawgeti(stack, lb_registry_index(), lua_Integer(reference))
    }

    var memoryUsed: Int {
        lb_memory_used(main)
    }

    /// The innermost script line on a stack.
    func location(_ stack: OpaquePointer) -> LuaLocation? {
        var file: UnsafePointer<CChar>?
        var line: Int32 = 0
        guard lb_script_line(stack, &file, &line), let file else { return nil }
        return LuaLocation(file: String(cString: file), line: Int(line))
    }
}

/// What the C side calls back; it does not retain the state.
final class LuaHostBox {
    unowned(unsafe) var state: LuaState?

    /// The callbacks, with this box as their context; the box must outlive the Lua state.
    func callbacks() -> lb_host {
        lb_host(
            context: Unmanaged.passUnretained(self).toOpaque(),
            call: luaCallHost,
            capture: luaCapture,
            release: luaRelease
        )
    }
}

/// A stack as raw functions see it.
struct LuaFrame {
    let stack: OpaquePointer
    let state: LuaState
}

/// A call that waits: what to run while the script is suspended.
struct LuaPending {
    let call: LuaCall
    let handler: LuaAsyncHandler
}
