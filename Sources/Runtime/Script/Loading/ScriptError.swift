// Why a script cannot be loaded. Nothing was touched when one of these is thrown; its exit code is 2.

package import ChaosModel

/// Why a script cannot be loaded: one message for the user, with file and line where there are any.
package enum ScriptError: Error, Sendable, CustomStringConvertible {
    /// The file is not there or cannot be read.
    case unreadable(file: String, reason: String)
    /// The file has more bytes than a script may.
    case tooLarge(file: String, mostBytes: Int)
    /// The text is not Lua.
    case syntax(message: String, at: SourceLocation)
    /// What it defines cannot be accepted.
    case definition(DefinitionError, traceback: String)
    /// Its top level raised an error, or used more than it may.
    case raised(message: String, traceback: String)

    package var description: String {
        switch self {
        case .unreadable(let file, let reason): "cannot read \(file): \(reason)"
        case .tooLarge(let file, let mostBytes):
            "cannot read \(file): it is larger than \(mostBytes / 1024) KiB"
        case .syntax(let message, let location): "syntax error: \(message) (\(location))"
        case .definition(let error, _): error.description
        case .raised(let message, _): message
        }
    }

    /// The calls that led there, innermost first; empty when there are none.
    package var traceback: String {
        switch self {
        case .unreadable, .tooLarge, .syntax: ""
        case .definition(_, let traceback), .raised(_, let traceback): traceback
        }
    }
}
