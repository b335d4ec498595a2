// Undos without their Swift types: what the agent keeps in memory, and what the journal carries.

/// How one fault is put back, without its Swift type.
///
/// In memory it is the fault's own value; only what comes from a journal is decoded, and only the journal encodes.
package struct AnyUndo: Sendable, Codable {
    private enum Form: Sendable {
        case typed(any Codable & Sendable)
        case plain(ParameterValue)
    }

    private let form: Form

    /// Wraps a fault's own value.
    package init(_ undo: some Codable & Sendable) { form = .typed(undo) }

    package init(from decoder: any Decoder) throws {
        form = .plain(try ParameterValue(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        switch form {
        case .typed(let undo): try undo.encode(to: encoder)
        case .plain(let value): try value.encode(to: encoder)
        }
    }

    /// The fault's own value.
    func value<Undo: Codable & Sendable>() throws(FaultError) -> Undo {
        if case .typed(let undo as Undo) = form { return undo }
        do {
            return try WireJSON.value(Undo.self, from: try WireJSON.line(self))
        } catch {
            throw .refused("the undo in the journal cannot be read: \(error)")
        }
    }
}
