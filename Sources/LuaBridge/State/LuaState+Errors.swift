// Errors between the two sides: a Swift error becomes a message with file and line, and the error
// itself is kept beside, so that it comes back when the message was not caught.

import CLua
import CLuaShim

/// The last Swift errors that were raised, by their message.
struct LuaErrorMemory {
    private static let most = 16
    private var entries: [(message: String, error: any Error)] = []

    mutating func remember(_ message: String, _ error: any Error) {
        if entries.count == Self.most {
            entries.removeFirst()
        }
        entries.append((message, error))
    }

    /// The error whose message this is, or ends with (`error(e)` puts a line before it).
    func find(_ message: String) -> (any Error)? {
        entries.last { message.hasSuffix($0.message) }?.error
    }

    mutating func forget() {
        entries = []
    }
}

extension LuaState {
    /// Pushes the message that a script sees of a Swift error.
    func pushError(_ error: any Error, at location: LuaLocation?, on stack: OpaquePointer) {
        let text = String(describing: error)
        let message = location.map { "\($0): \(text)" } ?? text
        errors.remember(message, error)
        push(message, on: stack)
    }

    /// The error whose value is on top of a stack.
    func error(status: Int32, _ stack: OpaquePointer) -> LuaError {
        defer { captured = [] }
        let refused = lb_memory_refused(stack)
        if status == LUA_ERRMEM { return memoryError(refused) }
        guard lua_type(stack, -1) == LUA_TSTRING else { return valueError(stack) }
        let text = LuaReader(state: self, stack: stack).string(-1)
        if text.hasSuffix("not enough memory"), refused > 0 { return memoryError(refused) }
        let (message, location) = split(text)
        return LuaError(
            kind: .runtime,
            message: message,
            location: location,
            traceback: captured.text,
            underlying: errors.find(text)
        )
    }

    /// The error of a text that did not compile; its message is on top.
    func syntaxError(status: Int32, file: String, _ stack: OpaquePointer) -> LuaError {
        if status == LUA_ERRMEM { return memoryError(lb_memory_refused(stack)) }
        let text = LuaReader(state: self, stack: stack).string(-1)
        guard let match = text.firstMatch(of: #/:(\d+): /#), let line = Int(match.1) else {
            return LuaError(kind: .syntax, message: text)
        }
        return LuaError(
            kind: .syntax,
            message: String(text[match.range.upperBound...]),
            location: LuaLocation(file: file, line: line)
        )
    }

    private func memoryError(_ refused: Int) -> LuaError {
        let message =
            if refused > limits.allocationBytes {
                "not enough memory: \(refused) bytes at once, allowed are \(limits.allocationBytes)"
                    + " (a large string or table, or a recursion without end)"
            } else {
                "not enough memory: the scripts may hold \(limits.memoryBytes) bytes"
            }
        return LuaError(
            kind: .memory,
            message: message,
            location: captured.first?.location,
            traceback: captured.text
        )
    }

    private func valueError(_ stack: OpaquePointer) -> LuaError {
        var reader = LuaReader(state: self, stack: stack)
        let value = try? reader.read(-1)
        let name = value?.typeName ?? String(cString: lua_typename(stack, lua_type(stack, -1)))
        return LuaError(
            kind: .runtime,
            message: value?.table?["message"].string ?? "the error is a \(name)",
            location: captured.first?.location,
            traceback: captured.text,
            value: value
        )
    }

    /// Takes `file:line: ` off a message, if one of the captured frames put it there.
    private func split(_ text: String) -> (String, LuaLocation?) {
        for frame in captured {
            for file in [frame.location.file, frame.shortFile] {
                let prefix = "\(file):\(frame.location.line): "
                if text.hasPrefix(prefix) {
                    return (String(text.dropFirst(prefix.count)), frame.location)
                }
            }
        }
        return (text, captured.first?.location)
    }
}
