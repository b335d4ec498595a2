// The one error of this module: what ended a script, where, and the Swift error behind it.

/// Why a script ended, with the line and the calls that led there.
public struct LuaError: Error, CustomStringConvertible {
    /// What ended the script.
    public enum Kind: String, Sendable {
        /// The text is not Lua.
        case syntax
        /// An error was raised and not caught.
        case runtime
        /// A limit on memory refused an allocation.
        case memory
        /// The abort token, or the cancellation of the caller's task.
        case aborted
        /// The instructions or the time are used up.
        case limit
    }

    /// What ended the script.
    public var kind: Kind
    /// The message without file and line.
    public var message: String
    /// The script line that the message is about, nil when none is known.
    public var location: LuaLocation?
    /// The calls that led there, innermost first, one `file:line: in …` a line; script lines only.
    public var traceback: String
    /// The error that a Swift function threw, when that was the cause.
    public var underlying: (any Error)?
    /// What the script raised, when it was not a string.
    public var value: LuaValue?

    /// Makes an error by hand, as a host function that runs scripts may need to.
    public init(
        kind: Kind,
        message: String,
        location: LuaLocation? = nil,
        traceback: String = "",
        underlying: (any Error)? = nil,
        value: LuaValue? = nil
    ) {
        self.kind = kind
        self.message = message
        self.location = location
        self.traceback = traceback
        self.underlying = underlying
        self.value = value
    }

    /// `message (file:line)`.
    public var description: String {
        guard let location else { return message }
        return "\(message) (\(location))"
    }
}

extension LuaError {
    /// How far a stopped activation had come.
    enum Phase {
        case notBegun
        case stopped
        case leftBehind
    }

    static func stopped(_ reason: LuaStopReason, phase: Phase) -> LuaError {
        let suffix =
            switch phase {
            case .notBegun: "; it had not begun: the script was busy and did not wait for anything"
            case .stopped: ""
            case .leftBehind: "; it could not be stopped and was left behind on its thread"
            }
        switch reason {
        case .aborted(let reason):
            return LuaError(kind: .aborted, message: reason + (phase == .leftBehind ? suffix : ""))
        case .cancelled:
            return LuaError(kind: .aborted, message: "cancelled" + suffix)
        case .timedOut(let time):
            return LuaError(kind: .limit, message: "no result within \(time)" + suffix)
        case .instructions(let count):
            return LuaError(kind: .limit, message: "used up \(count) instructions" + suffix)
        }
    }
}
