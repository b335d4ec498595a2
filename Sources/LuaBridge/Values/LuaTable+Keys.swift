// Options tables: an unknown key is an error that says which one was meant.

extension LuaTable {
    /// Refuses fields other than these, with the nearest known name.
    ///
    /// - Parameters:
    ///   - known: The names that may occur.
    ///   - name: What the table belongs to, for the message: `fault.network.latency`.
    ///   - allowsList: Whether values without a name may be in it.
    /// - Throws: an error that names the table and the unknown key.
    public func expectKeys(
        _ known: some Collection<String>,
        in name: String,
        allowsList: Bool = false
    ) throws(LuaArgumentError) {
        if let key = keys.first(where: { !known.contains($0) }) {
            throw LuaArgumentError(
                function: name,
                message: "\(key) is unknown" + LuaNames.hint(key, among: known)
            )
        }
        if !allowsList, let value = array.first {
            throw LuaArgumentError(
                function: name,
                message: "every option has a name, got \(value) without one"
            )
        }
    }
}
