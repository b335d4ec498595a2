// The script lines of a stack, for tracebacks and for finding what a message is about.

import CLua
import CLuaShim

/// One call of a script function.
struct LuaStackFrame {
    private static let most: Int32 = 40

    let location: LuaLocation
    /// The file as Lua shortens it in the messages that it makes.
    let shortFile: String
    let place: String

    /// The script's frames, innermost first; frames of C and of the bridge are left out.
    static func all(of stack: OpaquePointer) -> [LuaStackFrame] {
        (0..<most).lazy
            .map { level -> lua_Debug? in
                var info = lua_Debug()
                return lb_where(stack, level, &info) ? info : nil
            }
            .prefix { $0 != nil }
            .compactMap { $0.flatMap(LuaStackFrame.init) }
    }

    /// Where the function on top is defined; pops it.
    static func definition(ofTopOf stack: OpaquePointer) -> LuaLocation? {
        var info = lua_Debug()
        guard lua_getinfo(stack, ">S", &info) != 0, let file = file(info) else { return nil }
        return LuaLocation(file: file, line: max(1, Int(info.linedefined)))
    }

    private init?(_ info: lua_Debug) {
        guard let file = Self.file(info) else { return nil }
        location = LuaLocation(file: file, line: Int(info.currentline))
        var info = info
        shortFile = lb_short_source(&info).map { String(cString: $0) } ?? file
        place = Self.place(info, file)
    }

    /// The file of a chunk that came from one.
    private static func file(_ info: lua_Debug) -> String? {
        guard let source = info.source, source.pointee == CChar(UInt8(ascii: "@")) else {
            return nil
        }
        return String(cString: source + 1)
    }

    private static func place(_ info: lua_Debug, _ file: String) -> String {
        if info.what.map({ String(cString: $0) }) == "main" { return "in the main chunk" }
        if let name = info.name { return "in function '\(String(cString: name))'" }
        return "in the function defined at line \(info.linedefined)"
    }
}

extension [LuaStackFrame] {
    /// The traceback as text.
    var text: String {
        map { "\($0.location): \($0.place)" }.joined(separator: "\n")
    }
}
