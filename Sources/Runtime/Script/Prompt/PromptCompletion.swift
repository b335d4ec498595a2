// What TAB means: a pure function of the text up to the cursor. Where it stands decides what fits: the name of something,
// an option of the table that is open, a choice of an option, or a metric in a condition.

import ChaosModel

/// Completes what is written at a prompt.
package struct PromptCompletion: Sendable {
    /// What fits.
    package struct Found: Sendable, Hashable {
        /// What to insert at the cursor: all that the choices have in common.
        package var insert: String
        /// The choices, sorted; empty when nothing fits.
        package var choices: [String]
    }

    private let names: PromptNames
    private let commands: [String]

    /// Makes a completion of names, and of the prompt's own commands at the start of an input.
    package init(_ names: PromptNames, commands: [String]) {
        self.names = names
        self.commands = commands
    }

    /// What fits at the end of a text.
    ///
    /// - Parameters:
    ///   - text: The input up to the cursor, its earlier lines included.
    ///   - metrics: The metrics that are watched.
    ///   - variables: The variables of the prompt.
    /// - Returns: What to insert, and the choices.
    package func complete(_ text: String, metrics: [String], variables: [String]) -> Found {
        let place = PromptPlace(text)
        let (prefix, choices) = candidates(at: place, metrics, variables)
        let fitting = Set(choices.filter { $0.hasPrefix(prefix) }).sorted()
        guard let first = fitting.first else { return Found(insert: "", choices: []) }
        let common = fitting.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
        return Found(insert: String(common.dropFirst(prefix.count)), choices: fitting)
    }

    private func candidates(
        at place: PromptPlace,
        _ metrics: [String],
        _ variables: [String]
    ) -> (prefix: String, choices: [String]) {
        let options = place.table.flatMap(self.options)
        if let quoted = place.quoted {
            if Self.conditions.contains(place.table ?? "") {
                return (quoted.lastWord, metrics)
            }
            let option = options?.first { $0.name == place.key }
            return (quoted, (option?.shape.choices ?? []).map { "\($0)\"" })
        }
        if place.isKey, let table = place.table, let options {
            let live = names[table]?.live ?? []
            let keys = live + options.map(\.name)
            return (place.word, keys.filter { !place.given.contains($0) }.map { "\($0) = " })
        }
        if place.word.isEmpty, let option = options?.first(where: { $0.name == place.key }) {
            if option.shape.json == "boolean" { return ("", ["true", "false"]) }
            if let choices = option.shape.choices { return ("", choices.map { "\"\($0)\"" }) }
            return ("", [option.shape.example])
        }
        let isTarget = place.key == "target" && place.word.isEmpty
        return (isTarget ? "" : place.word, dotted(place, isTarget: isTarget, variables))
    }

    private static let conditions: Set<String> = ["check_metric", "abort_if"]

    /// The options of a table by the name of its builder, or by the option that it is the value of.
    private func options(_ table: String) -> [ParameterDescriptor]? { names[table]?.options }

    /// The names that go on from a word, a segment further each time.
    private func dotted(
        _ place: PromptPlace,
        isTarget: Bool,
        _ variables: [String]
    ) -> [String] {
        let word = place.word
        var all = names.all.map { $0.options == nil ? $0.name : "\($0.name) {" }
        if isTarget { all = all.filter { $0.hasPrefix("target.") } }
        if place.isHelp { all = names.all.map(\.name) }
        if !isTarget, !place.isHelp { all += variables }
        if place.isStart { all += commands }
        return all.filter { $0.hasPrefix(word) }.map { name in
            let rest = name.dropFirst(word.count)
            guard let dot = rest.firstIndex(of: ".") else { return name }
            return word + rest[...dot]
        }
    }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> String {
        String(zip(self, other).prefix { $0 == $1 }.map(\.0))
    }

    /// The letters, digits and underscores at the end.
    fileprivate var lastWord: String {
        String(reversed().prefix { $0 == "_" || $0.isLetter || $0.isNumber }.reversed())
    }
}
