// Options, described once. From these come validation, error texts, `moonquake faults`, the Lua builders,
// the LuaCATS types, the schema and the check of the docs.

/// What a value must look like, in a form that tools can read.
package struct ParameterShape: Sendable, Hashable, Codable {
    /// The name of the type, such as `duration` or `list of endpoint`.
    package var type: String
    /// The JSON type that carries it: `string`, `number`, `boolean`, `array`, `object`.
    package var json: String
    /// How a value is spelled, for messages: `"250ms"`.
    package var example: String
    /// The allowed range or choices in words, or nil.
    package var allowed: String?
    /// The allowed words, when it is a choice.
    package var choices: [String]?
    /// The least and the greatest value, when it is a bare number with bounds.
    package var minimum: Double?
    package var maximum: Double?

    /// Makes a shape from its parts.
    package init(
        type: String,
        json: String,
        example: String,
        allowed: String? = nil,
        choices: [String]? = nil
    ) {
        self.type = type
        self.json = json
        self.example = example
        self.allowed = allowed
        self.choices = choices
    }
}

/// Why a value was refused: the end of the sentence "`name` …".
package struct ParameterProblem: Error, Sendable {
    /// For example `must be between 0 and 1, got 7`.
    package var text: String

    /// Makes a problem from the end of its sentence.
    package init(_ text: String) { self.text = text }
}

/// A type of option: how it looks and how it is read.
package struct ParameterKind<Value: Sendable>: Sendable {
    /// How it looks.
    package var shape: ParameterShape
    /// Reads a value, or says why not.
    package var parse: @Sendable (ParameterValue) throws(ParameterProblem) -> Value

    /// Makes a kind from its shape and its reader.
    package init(
        shape: ParameterShape,
        parse: @escaping @Sendable (ParameterValue) throws(ParameterProblem) -> Value
    ) {
        self.shape = shape
        self.parse = parse
    }
}

/// One option of a fault, metric, target or block.
package struct Parameter<Value: Sendable>: Sendable {
    /// The name in Lua, YAML, the command line, the journal and the docs.
    package let name: String
    /// The type.
    package let kind: ParameterKind<Value>
    /// The value when none is given, as a user would write it.
    package let fallback: ParameterValue?
    /// Whether it must be given.
    package let isRequired: Bool
    /// One sentence for the help.
    package let help: String

    /// Makes an option that may be left out.
    package init(
        _ name: String,
        _ kind: ParameterKind<Value>,
        default fallback: ParameterValue? = nil,
        help: String
    ) {
        self.init(name, kind, fallback: fallback, isRequired: false, help: help)
    }

    /// Makes an option that must be given.
    package init(required name: String, _ kind: ParameterKind<Value>, help: String) {
        self.init(name, kind, fallback: nil, isRequired: true, help: help)
    }

    private init(
        _ name: String,
        _ kind: ParameterKind<Value>,
        fallback: ParameterValue?,
        isRequired: Bool,
        help: String
    ) {
        self.name = name
        self.kind = kind
        self.fallback = fallback
        self.isRequired = isRequired
        self.help = help
    }

    /// The option without its Swift type, for lists.
    package var erased: ParameterDescriptor {
        let kind = kind
        return ParameterDescriptor(
            name: name,
            shape: kind.shape,
            fallback: fallback,
            isRequired: isRequired,
            help: help,
            check: { value throws(ParameterProblem) in _ = try kind.parse(value) }
        )
    }
}

/// An option without its Swift type.
package struct ParameterDescriptor: Sendable, Encodable {
    /// The name.
    package let name: String
    /// How it looks.
    package let shape: ParameterShape
    /// The value when none is given.
    package let fallback: ParameterValue?
    /// Whether it must be given.
    package let isRequired: Bool
    /// One sentence for the help.
    package let help: String
    /// Throws what is wrong with a value.
    package let check: @Sendable (ParameterValue) throws(ParameterProblem) -> Void

    private enum CodingKeys: String, CodingKey {
        case name, shape, fallback = "default", isRequired = "required", help
    }
}

/// The options of one builder or block, and the check of a table against them.
package struct ParameterSet: Sendable {
    /// What the options belong to: `network.partition`.
    package let subject: String
    /// The options, in the order of the docs.
    package let parameters: [ParameterDescriptor]

    /// Makes the set of options of `subject`.
    package init(of subject: String, _ parameters: [ParameterDescriptor]) {
        self.subject = subject
        self.parameters = parameters
    }

    /// Checks names and values, fills in defaults, and returns the options as given.
    package func validate(
        _ given: [String: ParameterValue],
        at location: SourceLocation? = nil
    ) throws(DefinitionError) -> Parameters {
        for name in given.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
            let hint = NearestName.hint(for: name, among: parameters.map(\.name))
            let shown = name.escapedForDisplay
            throw DefinitionError(subject, "unknown option \"\(shown)\"\(hint)", at: location)
        }
        var values: [String: ParameterValue] = [:]
        for parameter in parameters {
            guard let value = given[parameter.name] ?? parameter.fallback else {
                guard parameter.isRequired else { continue }
                let spelling = "\(parameter.name) = \(parameter.shape.example)"
                throw DefinitionError(
                    subject,
                    "\(parameter.name) is missing: write \(spelling)",
                    at: location
                )
            }
            do throws(ParameterProblem) {
                try parameter.check(value)
            } catch {
                throw DefinitionError(subject, "\(parameter.name) \(error.text)", at: location)
            }
            values[parameter.name] = value
        }
        return Parameters(
            subject: subject,
            values: values,
            given: Set(given.keys),
            location: location
        )
    }
}

/// Options that were checked against their `ParameterSet`.
package struct Parameters: Sendable {
    /// What they belong to.
    package let subject: String
    /// The values, defaults filled in.
    package let values: [String: ParameterValue]
    /// The names that the user wrote, as against defaults.
    package let given: Set<String>
    /// The line of the script.
    package let location: SourceLocation?

    /// The value of an option; nil when it was left out and has no default.
    package subscript<Value>(_ parameter: Parameter<Value>) -> Value? {
        // The set was checked with the same parser, so a failure here cannot happen.
        values[parameter.name].flatMap { try? parameter.kind.parse($0) }
    }

    /// The value of an option that is required or has a default.
    package func value<Value>(_ parameter: Parameter<Value>) throws(DefinitionError) -> Value {
        guard let value = self[parameter] else {
            throw error(
                "\(parameter.name) is missing: write \(parameter.name) = \(parameter.kind.shape.example)"
            )
        }
        return value
    }

    /// An error about these options, with their place in the script.
    package func error(_ problem: String) -> DefinitionError {
        DefinitionError(subject, problem, at: location)
    }
}
