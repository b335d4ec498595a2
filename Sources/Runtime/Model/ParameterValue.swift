// A value as a person wrote it: the common ground of Lua tables, YAML, JSON and the agent's messages.
//
// It is kept as written (units stay in their strings) so that a message can repeat it to the letter; a
// `ParameterKind` turns it into the typed value.

/// A value as it stands in a definition, before it is checked.
package enum ParameterValue: Sendable, Hashable {
    case boolean(Bool)
    case number(Double)
    case string(String)
    case list([ParameterValue])
    case table([String: ParameterValue])
}

extension ParameterValue {
    /// What kind of value it is, in a user's words.
    package var kindName: String {
        switch self {
        case .boolean: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .list: "a list"
        case .table: "a table"
        }
    }
}

extension ParameterValue: CustomStringConvertible {
    /// The value as it would be written in Lua.
    package var description: String {
        switch self {
        case .boolean(let flag): return String(flag)
        case .number(let number): return Self.shortest(number)
        case .string(let text): return "\"\(text.escapedForDisplay.replacing("\"", with: "\\\""))\""
        case .list(let items): return "{ " + items.map(\.description).joined(separator: ", ") + " }"
        case .table(let fields):
            let parts = fields.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
            return "{ " + parts.joined(separator: ", ") + " }"
        }
    }

    /// A number without a needless fraction: `5`, not `5.0`.
    package static func shortest(_ number: Double) -> String {
        if let whole = Int64(exactly: number) { return String(whole) }
        return String(number)
    }
}

extension ParameterValue: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // Text before numbers: the wire reads "NaN" and "+Inf" as numbers where one is asked for.
        if let text = try? container.decode(String.self) {
            self = .string(text)
        } else if let flag = try? container.decode(Bool.self) {
            self = .boolean(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let items = try? container.decode([ParameterValue].self) {
            self = .list(items)
        } else {
            self = .table(try container.decode([String: ParameterValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .boolean(let flag): try container.encode(flag)
        case .number(let number): try container.encode(number)
        case .string(let text): try container.encode(text)
        case .list(let items): try container.encode(items)
        case .table(let fields): try container.encode(fields)
        }
    }
}

extension ParameterValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(integerLiteral value: Int) { self = .number(Double(value)) }
    package init(arrayLiteral elements: ParameterValue...) { self = .list(elements) }
    package init(dictionaryLiteral elements: (String, ParameterValue)...) {
        self = .table(Dictionary(elements) { _, last in last })
    }
}

extension String {
    /// The text with control characters made visible and cut at 120 characters, for messages.
    package var escapedForDisplay: String { escapedForDisplay(limit: 120) }

    /// The text with control characters made visible and cut at a limit.
    package func escapedForDisplay(limit: Int) -> String {
        var shown = ""
        for scalar in unicodeScalars.prefix(limit) {
            switch scalar {
            case "\n": shown += "\\n"
            case "\r": shown += "\\r"
            case "\t": shown += "\\t"
            default:
                // Also what breaks lines, or shows text in another order (Unicode's bidirectional controls).
                let isControl =
                    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
                    || (0x200e...0x200f).contains(scalar.value)
                    || (0x2028...0x202e).contains(scalar.value)
                    || (0x2066...0x2069).contains(scalar.value)
                shown += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
            }
        }
        return unicodeScalars.count > limit ? shown + "…" : shown
    }
}
