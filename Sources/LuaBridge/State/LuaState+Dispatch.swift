// From Lua into Swift. Nothing here lets an error escape: C raises it after this has returned.

import CLua
import CLuaShim

private let raise = Int32(LB_RAISE)
private let wait = Int32(LB_WAIT)
private let leave = Int32(LB_LEAVE)

func luaCallHost(
    _ context: UnsafeMutableRawPointer?,
    _ stack: OpaquePointer?,
    _ function: UnsafeMutableRawPointer?
) -> Int32 {
    // The pointers are those that this bridge gave to C, which hands them back as they are: without them, or without the
    // state that owns this very call, memory is not what it was, and an error raised into Lua would not be safe either.
    guard let context, let stack, let function else { fatalError("a call without a function") }
    let box = Unmanaged<LuaHostBox>.fromOpaque(context)
    let host = Unmanaged<LuaHostFunction>.fromOpaque(function)
    return box._withUnsafeGuaranteedRef { box in
        host._withUnsafeGuaranteedRef { host in
            // A state is closed only after its last call has returned.
            guard let state = box.state else { fatalError("a call without a state") }
            return state.dispatch(host, stack)
        }
    }
}

func luaCapture(_ context: UnsafeMutableRawPointer?, _ stack: OpaquePointer?) {
    guard let context, let stack else { return }
    let box = Unmanaged<LuaHostBox>.fromOpaque(context).takeUnretainedValue()
    box.state?.captured = LuaStackFrame.all(of: stack)
}

func luaRelease(_ box: UnsafeMutableRawPointer?) {
    guard let box else { return }
    Unmanaged<AnyObject>.fromOpaque(box).release()
}

extension LuaState {
    fileprivate func dispatch(_ function: LuaHostFunction, _ stack: OpaquePointer) -> Int32 {
        do {
            return try perform(function, stack)
        } catch {
            pushError(error, at: location(stack), on: stack)
            return raise
        }
    }

    private func perform(_ function: LuaHostFunction, _ stack: OpaquePointer) throws -> Int32 {
        if case .close(let waiting, let stopping) = function.body {
            return try close(function, stack, waiting, stopping)
        }
        if lb_must_leave(stack) { return leave }
        switch function.body {
        case .raw(let body):
            return try body(LuaFrame(stack: stack, state: self))
        case .typed(let body):
            let frame = LuaFrame(stack: stack, state: self)
            var arguments = LuaArgumentReader(function: function, frame: frame)
            try push(body(&arguments), on: stack)
            return 1
        case .sync(let handler):
            return try push(handler(makeCall(function, stack)), on: stack)
        case .async(let handler):
            guard lb_is_yieldable(stack), !lb_is_stopping(stack) else {
                throw LuaWaitError(function: function.name, isStopping: lb_is_stopping(stack))
            }
            return suspend(try makeCall(function, stack), handler)
        case .close:
            return 0
        }
    }

    private func close(
        _ function: LuaHostFunction,
        _ stack: OpaquePointer,
        _ waiting: @escaping LuaAsyncHandler,
        _ stopping: @Sendable (LuaCall) throws -> Void
    ) throws -> Int32 {
        // The second argument, the error that ends the scope, may be anything.
        let call = try makeCall(function, stack, most: 1)
        guard lb_is_yieldable(stack), !lb_is_stopping(stack) else {
            try stopping(call)
            return 0
        }
        return suspend(call, waiting)
    }

    private func suspend(_ call: LuaCall, _ handler: @escaping LuaAsyncHandler) -> Int32 {
        pending = LuaPending(call: call, handler: handler)
        return wait
    }

    private func makeCall(
        _ function: LuaHostFunction,
        _ stack: OpaquePointer,
        most: Int32 = .max
    ) throws -> LuaCall {
        let count = min(most, lua_gettop(stack))
        var reader = LuaReader(state: self, stack: stack)
        var arguments: [LuaValue] = []
        arguments.reserveCapacity(Int(count))
        for index in 0..<count {
            do {
                arguments.append(try reader.read(index + 1))
            } catch {
                let place = "argument \(index + 1)\(error.path.isEmpty ? "" : ", \(error.path)")"
                throw LuaArgumentError(
                    function: function.name,
                    message: "\(place): \(error.message)"
                )
            }
        }
        return LuaCall(function: function.name, arguments: arguments, location: location(stack))
    }
}

/// A function that waits was called where nothing can wait.
struct LuaWaitError: Error, CustomStringConvertible {
    let function: String
    let isStopping: Bool

    var description: String {
        isStopping
            ? "\(function) cannot wait: the script is being stopped"
            : "\(function) cannot wait here: it was called from inside a built-in function, as "
                + "table.sort and string.gsub call theirs"
    }
}
