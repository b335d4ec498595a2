// A definition error on its way through Lua and back.

import ChaosEngine
import ChaosModel
import LuaBridge

/// A definition error that a primitive raises.
///
/// Lua puts file and line before a message, so that they are left out of this one; whoever gets it back from Lua
/// takes the error itself.
struct Refusal: Error, CustomStringConvertible {
    let error: DefinitionError

    var description: String { "\(error.subject): \(error.problem)" }
}

extension LuaError {
    /// The definition error behind an uncaught error; nil when the script raised an error of its own.
    ///
    /// What the bridge refuses (an unknown name, a primitive where nothing can wait) is one as well.
    var refusal: DefinitionError? {
        let place = location.map(SourceLocation.init)
        switch underlying {
        case nil, is ControlError, is CancellationError: return nil
        case let refusal as Refusal: return refusal.error.located(at: place)
        default: return DefinitionError(splitting: message).located(at: place)
        }
    }
}

extension LuaError {
    /// `message (file:line)`; only the file where Lua knows no line, as when the memory is used up.
    func message(in file: String) -> String {
        location == nil ? "\(message) (\(file))" : description
    }
}

extension DefinitionError {
    /// Makes an error from a message such as `inject: argument 1: …` or `fault.nop is unknown; …`.
    init(splitting message: String) {
        for (mark, start) in [(": ", ""), (" is unknown", "unknown")] {
            guard let found = message.firstRange(of: mark) else { continue }
            let subject = message[..<found.lowerBound]
            guard !subject.contains(" ") else { continue }
            self.init(String(subject), start + message[found.upperBound...])
            return
        }
        self.init("script", message)
    }
}

extension SourceLocation {
    /// The place in Lua's words.
    init(_ location: LuaLocation) {
        self.init(file: location.file, line: location.line)
    }
}

extension LuaCall {
    /// The line of the script.
    var place: SourceLocation? { location.map(SourceLocation.init) }
}
