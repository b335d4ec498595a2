// The types of options in JSON Schema. A type that is not in the table is described by the JSON type that carries it.

import ChaosModel

/// Types of options as schemas.
enum SchemaType {
    /// `{ param: NAME }`, `{ env: NAME }`, `{ secret: NAME }` in place of a value.
    static let reference: ParameterValue = [
        "description":
            "A value from outside: of a parameter, of a variable, or of a variable that is masked.",
        "type": "object",
        "oneOf": [
            reference("param"),
            reference("env", ["default": ["type": "string"]]),
            reference("secret"),
        ],
    ]

    /// A number and its unit, as `Units` reads them.
    static let patterns: [String: String] = [
        "duration": "^(\(number)(ns|us|µs|ms|s|m|h|d))+$",
        "percent": "^\(number)%$",
        "rate": "^\(number)/(s|m|h)$",
        "size": "^\(number)([kKMGT]?B|[KMGT]iB)$",
        "bit rate": "^\(number)([kmg]?bit|[kmg]?bps)$",
        "url": "^https?://[^/]",
        "interface": "^[^\\s\"*:/\\\\]{1,15}$",
    ]

    private static let number = "\\+?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)"

    /// One option, with its help, its default and an example.
    static func option(_ option: ParameterDescriptor, references: Bool = true) -> ParameterValue {
        var schema: [String: ParameterValue] = [
            "description": .string(description(of: option))
        ]
        if let fallback = option.fallback { schema["default"] = fallback }
        let value = value(option.shape)
        if references {
            schema["anyOf"] = [value, ["$ref": "#/$defs/reference"]]
            return .table(schema)
        }
        guard case .table(let fields) = value else { return .table(schema) }
        return .table(schema.merging(fields) { first, _ in first })
    }

    private static func description(of option: ParameterDescriptor) -> String {
        let allowed = option.shape.choices == nil ? option.shape.allowed : nil
        return option.help + (allowed.map { " Allowed: \($0)." } ?? "")
    }

    /// A value of a type.
    private static func value(_ shape: ParameterShape) -> ParameterValue {
        if shape.type.hasPrefix("list of ") {
            var element = shape
            element.type = String(shape.type.dropFirst("list of ".count))
            element.json = element.type == "integer" ? "number" : "string"
            let item: ParameterValue = [
                "anyOf": [scalar(element), ["$ref": "#/$defs/reference"]]
            ]
            let list: ParameterValue = ["type": "array", "minItems": 1, "items": item]
            return ["anyOf": [scalar(element), list]]
        }
        return scalar(shape)
    }

    private static func scalar(_ shape: ParameterShape) -> ParameterValue {
        if let choices = shape.choices {
            return ["enum": .list(choices.map { .string($0) })]
        }
        if let pattern = patterns[shape.type] {
            let text: ParameterValue = [
                "type": "string", "pattern": .string(pattern), "examples": [example(shape)],
            ]
            return text
        }
        switch (shape.type, shape.json) {
        case ("integer", _):
            var whole: [String: ParameterValue] = ["type": "integer"]
            whole["minimum"] = shape.minimum.map { .number($0) }
            whole["maximum"] = shape.maximum.map { .number($0) }
            return .table(whole)
        case ("percent or integer", _):
            return [
                "anyOf": [
                    ["type": "string", "pattern": .string(patterns["percent"] ?? "")],
                    ["type": "integer", "minimum": 1],
                ]
            ]
        case ("threshold", _), ("value", _): return ["type": ["string", "number", "boolean"]]
        case ("restart", _):
            return [
                "anyOf": [
                    ["enum": ["none", "supervised"]],
                    ["type": "array", "minItems": 1, "items": ["type": "string"]],
                ]
            ]
        case (_, "object"):
            let field: ParameterValue = [
                "anyOf": [["type": "string"], ["$ref": "#/$defs/reference"]]
            ]
            return ["type": "object", "additionalProperties": field]
        case (_, "number"): return ["type": "number"]
        case (_, "boolean"): return ["type": "boolean"]
        case (_, "array"): return ["type": "array"]
        case (_, "string or number"): return ["type": ["string", "number"]]
        default: return ["type": "string", "minLength": 1]
        }
    }

    /// The example of a shape without its quotes.
    private static func example(_ shape: ParameterShape) -> ParameterValue {
        let text = shape.example
        let isQuoted = text.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
        return .string(isQuoted ? String(text.dropFirst().dropLast()) : text)
    }

    private static func reference(
        _ key: String,
        _ more: [String: ParameterValue] = [:]
    ) -> ParameterValue {
        let name: ParameterValue = ["type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"]
        return [
            "type": "object",
            "required": [.string(key)],
            "additionalProperties": false,
            "properties": .table(more.merging([key: name]) { first, _ in first }),
        ]
    }
}
