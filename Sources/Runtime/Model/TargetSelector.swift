// How a person names targets: a kind, what they must match, and how many of the matches are meant.

/// How a person names targets: a kind, what they must match, and how many of the matches are meant.
package struct TargetSelector: Sendable, Hashable, Codable {
    /// The kind: `process` in `target.process {…}`.
    package var kind: TargetKind
    /// The options as given, those of the kind and the common ones.
    package var options: [String: ParameterValue]
    /// The line of the script.
    package var location: SourceLocation?

    /// Makes a selector; call `validated()` before use.
    package init(
        kind: TargetKind,
        options: [String: ParameterValue],
        location: SourceLocation? = nil
    ) {
        self.kind = kind
        self.options = options
        self.location = location
    }

    /// The options, checked.
    package func validated() throws(DefinitionError) -> Parameters {
        let parameters = try kind.parameterSet.validate(options, at: location)
        let criteria = TargetOptions.criteria(of: kind)
        if !criteria.isEmpty, !criteria.contains(where: parameters.given.contains) {
            let names = criteria.joined(separator: ", ")
            throw parameters.error(
                "selects every \(kind.rawValue): give at least one of \(names)"
            )
        }
        if parameters[TargetOptions.count] != nil, parameters[TargetOptions.percent] != nil {
            throw parameters.error("count and percent exclude each other: give one of them")
        }
        return parameters
    }
}

extension TargetSelector: CustomStringConvertible {
    package var description: String {
        let fields = ParameterValue.table(options)
        return options.isEmpty ? "target.\(kind.rawValue) {}" : "target.\(kind.rawValue) \(fields)"
    }
}

extension TargetSelector {
    /// Whether it is no error that nothing matches.
    package var mayBeAbsent: Bool {
        options[TargetOptions.ifAbsent.name] == .string(TargetOptions.absentIsFine)
    }
}
