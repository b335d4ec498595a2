// Undos as plain values: what the journal keeps and the agent's messages carry.

/// Turns a fault's typed undo into a plain value and back.
enum UndoValue {
    static func encode(_ undo: some Encodable) throws(FaultError) -> ParameterValue {
        do {
            return try WireJSON.value(ParameterValue.self, from: try WireJSON.line(undo))
        } catch {
            throw .refused("the undo cannot be written: \(error)")
        }
    }

    static func decode<Undo: Decodable>(_ value: ParameterValue) throws(FaultError) -> Undo {
        do {
            return try WireJSON.value(Undo.self, from: try WireJSON.line(value))
        } catch {
            throw .refused("the undo in the journal cannot be read: \(error)")
        }
    }
}
