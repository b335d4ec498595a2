// `params = { delay = { type = "duration", default = "100ms" } }`: what may be set with `--param`.

import ChaosModel

/// The types that a parameter may have.
enum ParameterType: String, CaseIterable, Sendable {
    case string, boolean, integer, number, duration, percent, size, rate

    /// Throws what is wrong with a value.
    func check(_ value: ParameterValue) throws(ParameterProblem) {
        switch self {
        case .string: _ = try ParameterKind<String>.text(example: "\"text\"").parse(value)
        case .boolean: _ = try ParameterKind<Bool>.boolean.parse(value)
        case .integer: _ = try ParameterKind<Int>.integer(Self.integers).parse(value)
        case .number:
            guard case .number = value else {
                throw ParameterProblem("must be a number, got \(value)")
            }
        case .duration: _ = try ParameterKind<Duration>.duration().parse(value)
        case .percent: _ = try ParameterKind<Double>.percent.parse(value)
        case .size: _ = try ParameterKind<Int>.size().parse(value)
        case .rate: _ = try ParameterKind<Double>.rate.parse(value)
        }
    }

    /// Reads the text of `--param NAME=TEXT`.
    func read(_ text: String) -> ParameterValue {
        switch self {
        case .integer, .number:
            Double(text).flatMap { $0.isFinite ? .number($0) : nil } ?? .string(text)
        case .boolean:
            switch text {
            case "true": .boolean(true)
            case "false": .boolean(false)
            default: .string(text)
            }
        case .string, .duration, .percent, .size, .rate: .string(text)
        }
    }

    private static let integers = -9_007_199_254_740_992...9_007_199_254_740_992
}

/// What a file says about one parameter.
enum ParameterDeclaration {
    static let type = Parameter(
        required: "type",
        ParameterKind<String>.choice(ParameterType.allCases.map(\.rawValue)),
        help: "The type; a value of another type is refused."
    )
    static let fallback = Parameter(
        "default",
        ParameterKind<ParameterValue>.plainValue,
        help: "The value without `--param`; without a default the parameter must be given."
    )
    static let choices = Parameter(
        "choices",
        ParameterKind<[ParameterValue]>.list(of: .plainValue),
        help: "The only values that are allowed."
    )
    static let help = Parameter(
        "help",
        ParameterKind<String>.text(example: "\"How late answers are.\""),
        help: "What it is for."
    )

    static let parameterSet = ParameterSet(
        of: "params",
        [type.erased, fallback.erased, choices.erased, help.erased]
    )

    /// The value of one parameter: that of `--param`, else its default.
    static func value(
        of name: String,
        _ options: [String: ParameterValue],
        _ inputs: DefinitionInputs,
        at place: SourceLocation?
    ) throws(DefinitionError) -> ParameterValue {
        let isName =
            name.first?.isLetter == true && name.utf8.count <= 64
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard isName else {
            throw DefinitionError(
                "params",
                "a parameter's name is a letter followed by letters, digits or \"_\", "
                    + "got \"\(name.escapedForDisplay)\"",
                at: place
            )
        }
        let subject = "params.\(name)"
        let set = ParameterSet(of: subject, parameterSet.parameters)
        let parameters = try set.validate(options, at: place)
        let type = ParameterType(rawValue: try parameters.value(Self.type)) ?? .string
        let allowed = parameters[choices]
        func check(_ value: ParameterValue, _ subject: String, _ word: String)
            throws(DefinitionError)
        {
            do throws(ParameterProblem) {
                try type.check(value)
                guard allowed?.contains(value) ?? true else {
                    let words = (allowed ?? []).map(\.description).joined(separator: ", ")
                    throw ParameterProblem("must be one of \(words), got \(value)")
                }
            } catch {
                throw DefinitionError(subject, "\(word) \(error.text)", at: place)
            }
        }
        if let fallback = parameters[fallback] { try check(fallback, subject, "default") }
        if let text = inputs.arguments[name] {
            let given = type.read(text)
            try check(given, "--param", name)
            return given
        }
        guard let fallback = parameters[fallback] else {
            throw DefinitionError(
                "params",
                "\(name) has no default: give --param \(name)=VALUE (a \(type.rawValue))",
                at: place
            )
        }
        return fallback
    }
}

extension ParameterKind where Value == ParameterValue {
    /// A string, a number, true or false.
    static var plainValue: ParameterKind {
        let shape = ParameterShape(
            type: "value",
            json: "string or number",
            example: "\"100ms\"",
            allowed: "a string, a number, true or false"
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            switch value {
            case .string, .number, .boolean: return value
            case .list, .table:
                throw ParameterProblem("must be a string, a number, true or false, got \(value)")
            }
        }
    }
}
