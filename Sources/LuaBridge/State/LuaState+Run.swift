// Running a function on a thread of its own, step by step.

import CLua
import CLuaShim

/// A Lua thread that runs one activation.
final class LuaThread {
    let stack: OpaquePointer
    /// Keeps the thread from being collected.
    let reference: Int32
    /// How many values the next resume takes.
    var valueCount: Int32
    /// Instructions left; negative for no bound.
    var budget: Int64

    init(stack: OpaquePointer, reference: Int32, valueCount: Int32, budget: Int64) {
        self.stack = stack
        self.reference = reference
        self.valueCount = valueCount
        self.budget = budget
    }
}

/// What a resume came to.
enum LuaStep {
    case finished([LuaValue])
    case failed(LuaError)
    case waiting(LuaPending)
    /// A stop was obeyed; the stack is as it was, for a traceback.
    case stopped(isOverBudget: Bool)
}

extension LuaState {
    /// Compiles a text and leaves the function on a stack.
    func compile(_ text: String, name: String, on stack: OpaquePointer) throws(LuaError) {
        var text = text
        let status = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                lb_load(stack, characters.baseAddress, characters.count, "@\(name)")
            }
        }
        guard status != LUA_OK else { return }
        defer { lb_pop(stack, 1) }
        throw syntaxError(status: status, file: name, stack)
    }

    /// Compiles a text to a function.
    func load(_ text: String, name: String) throws(LuaError) -> LuaFunction {
        dropReleased()
        try compile(text, name: name, on: main)
        let location = LuaLocation(file: name, line: 1)
        return LuaFunction(reference: keep(main), owner: references, location: location)
    }

    /// A thread that is ready to call a function.
    func makeThread(
        _ function: LuaFunction,
        _ arguments: [LuaValue]
    ) throws(LuaError) -> LuaThread {
        dropReleased()
        // lua_newthread gives a thread or does not return.
        guard let stack = lb_new_thread(main) else { fatalError("no Lua thread") }
        let reference = keep(main)
        do throws(LuaPushError) {
            try push(.function(function), on: stack)
            let count = try push(arguments, on: stack)
            guard lb_prepare(stack, count) else {
                throw LuaPushError(description: "too many arguments")
            }
            liveThreads += 1
            let budget = limits.instructions.map { Int64($0) } ?? -1
            return LuaThread(
                stack: stack,
                reference: reference,
                valueCount: count + 1,
                budget: budget
            )
        } catch {
            luaL_unref(main, lb_registry_index(), reference)
            throw LuaError(kind: .runtime, message: error.description)
        }
    }

    /// Runs a thread until it ends, waits or is stopped.
    func resume(_ thread: LuaThread, _ stop: LuaStop) -> LuaStep {
        let step = lb_resume(thread.stack, thread.valueCount, stop.pointer, &thread.budget)
        switch step.outcome {
        case LB_FINISHED: return results(of: thread, step.count)
        case LB_FAILED: return .failed(error(status: step.status, thread.stack))
        case LB_WAITING:
            if let waiting = pending {
                pending = nil
                return .waiting(waiting)
            }
            return .stopped(isOverBudget: false)
        default: return .stopped(isOverBudget: lb_budget_is_spent(thread.stack))
        }
    }

    /// Hands over what a waiting function came to.
    func deliver(_ result: Result<[LuaValue], any Error>, at call: LuaCall, to thread: LuaThread) {
        do {
            thread.valueCount = try push(result.get(), on: thread.stack)
            lb_deliver(thread.stack, thread.valueCount, false)
        } catch {
            pushError(error, at: call.location, on: thread.stack)
            thread.valueCount = 1
            lb_deliver(thread.stack, 1, true)
        }
    }

    /// Runs the closers of a stopped thread; returns where it was, and what a closer failed with.
    func close(_ thread: LuaThread) -> (frames: [LuaStackFrame], failure: String?) {
        let frames = captured.isEmpty ? LuaStackFrame.all(of: thread.stack) : captured
        captured = []
        guard !lb_close_thread(thread.stack) else { return (frames, nil) }
        let reader = LuaReader(state: self, stack: thread.stack)
        if lb_is_stop_mark(thread.stack, -1) {
            return (frames, "a closer did not end and was stopped")
        }
        let isText = lua_type(thread.stack, -1) == LUA_TSTRING
        return (frames, isText ? reader.string(-1) : "a closer failed")
    }

    /// Lets go of a thread that has ended; with the last one go the errors that nobody asked for.
    func drop(_ thread: LuaThread) {
        liveThreads -= 1
        if liveThreads == 0 {
            errors.forget()
        }
        luaL_unref(main, lb_registry_index(), thread.reference)
    }

    private func results(of thread: LuaThread, _ count: Int32) -> LuaStep {
        var reader = LuaReader(state: self, stack: thread.stack)
        var values: [LuaValue] = []
        for index in 0..<count {
            do throws(LuaReadError) {
                values.append(try reader.read(index - count))
            } catch {
                let path = error.path.isEmpty ? "" : ", \(error.path)"
                return .failed(
                    LuaError(
                        kind: .runtime,
                        message: "result \(index + 1)\(path): \(error.message)"
                    )
                )
            }
        }
        return .finished(values)
    }
}
