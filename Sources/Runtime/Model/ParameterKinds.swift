// The types of options. A bare number where a unit is due is refused with the spelling to use.

/// A number with its unit in a string: what durations, shares, rates and sizes have in common.
package struct Quantity: Sendable {
    /// The name of the type, and the noun with its article for messages.
    package var type: String
    package var noun: String
    /// A value as it is written, and the units to suggest for a bare number: the first with which it is allowed.
    package var example: String
    package var units: [String]
    /// What is allowed, in words and as base units.
    package var allowed: String
    package var range: ClosedRange<Double>
    /// Reads a text into base units; nil for what is no such quantity.
    package var read: @Sendable (String) -> Double?

    /// Makes a quantity from its parts.
    package init(
        _ type: String,
        noun: String,
        example: String,
        units: [String],
        allowed: String,
        range: ClosedRange<Double>,
        read: @escaping @Sendable (String) -> Double?
    ) {
        self.type = type
        self.noun = noun
        self.example = example
        self.units = units
        self.allowed = allowed
        self.range = range
        self.read = read
    }

    /// How a bare number is written with its unit.
    func spelled(_ number: Double) -> String {
        let spellings = units.map { ParameterValue.shortest(number) + $0 }
        let fitting = spellings.first { read($0).map(range.contains) ?? false }
        return fitting ?? spellings.first ?? noun
    }
}

extension ParameterKind {
    /// A quantity; a bare number is refused with the spelling to use.
    package static func quantity(
        _ quantity: Quantity,
        as convert: @escaping @Sendable (Double) -> Value
    ) -> ParameterKind {
        let shape = ParameterShape(
            type: quantity.type,
            json: "string",
            example: "\"\(quantity.example)\"",
            allowed: quantity.allowed
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            if case .number(let number) = value {
                throw ParameterProblem(
                    "needs a unit: write \"\(quantity.spelled(number))\", got the bare number \(value)"
                )
            }
            guard case .string(let text) = value, let number = quantity.read(text) else {
                throw ParameterProblem("must be \(quantity.noun), got \(value)")
            }
            guard quantity.range.contains(number) else {
                throw ParameterProblem("must be \(quantity.allowed), got \(value)")
            }
            return convert(number)
        }
    }
}

extension ParameterKind where Value == Duration {
    /// A span of time in a string with its unit.
    package static func duration(
        from lowest: Duration = .zero,
        to highest: Duration? = nil
    ) -> ParameterKind {
        let ceiling = highest ?? .seconds(86400 * 365)
        let quantity = Quantity(
            "duration",
            noun: "a duration such as \"250ms\" or \"2m\"",
            example: "250ms",
            units: ["s", "ms"],
            allowed: highest.map { "between \(lowest.spelled) and \($0.spelled)" }
                ?? "\(lowest.spelled) or more",
            range: lowest.inSeconds...ceiling.inSeconds,
            read: Units.seconds
        )
        return .quantity(quantity) { .seconds($0) }
    }
}

extension ParameterKind where Value == Double {
    /// A share in percent, as a number between 0 and 1.
    package static var percent: ParameterKind {
        let quantity = Quantity(
            "percent",
            noun: "a percentage such as \"10%\"",
            example: "10%",
            units: ["%"],
            allowed: "between 0% and 100%",
            range: 0...1,
            read: Units.share
        )
        return .quantity(quantity) { $0 }
    }

    /// Events a second.
    package static var rate: ParameterKind {
        let quantity = Quantity(
            "rate",
            noun: "a rate such as \"20/s\"",
            example: "20/s",
            units: ["/s"],
            allowed: "more than 0",
            range: Double.leastNormalMagnitude...Double.greatestFiniteMagnitude,
            read: Units.perSecond
        )
        return .quantity(quantity) { $0 }
    }
}

extension ParameterKind where Value == Bool {
    /// true or false.
    package static var boolean: ParameterKind {
        ParameterKind(shape: ParameterShape(type: "boolean", json: "boolean", example: "true")) {
            value throws(ParameterProblem) in
            guard case .boolean(let flag) = value else {
                throw ParameterProblem("must be true or false, got \(value)")
            }
            return flag
        }
    }
}

extension ParameterKind where Value == Int {
    /// A whole number in a range.
    package static func integer(_ range: ClosedRange<Int>, example: String = "1") -> ParameterKind {
        let allowed =
            range.upperBound == .max
            ? "\(range.lowerBound) or more" : "between \(range.lowerBound) and \(range.upperBound)"
        var shape = ParameterShape(
            type: "integer",
            json: "number",
            example: example,
            allowed: allowed
        )
        shape.minimum = range.lowerBound == .min ? nil : Double(range.lowerBound)
        shape.maximum = range.upperBound == .max ? nil : Double(range.upperBound)
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .number(let number) = value, let whole = Int(exactly: number) else {
                throw ParameterProblem("must be a whole number \(allowed), got \(value)")
            }
            guard range.contains(whole) else {
                throw ParameterProblem("must be \(allowed), got \(value)")
            }
            return whole
        }
    }

    /// A number of bytes in a string with its unit, between bounds that are written so as well.
    package static func size(
        from lowest: String = "0B",
        to highest: String = "1024TiB",
        example: String = "512MiB"
    ) -> ParameterKind {
        let quantity = Quantity(
            "size",
            noun: "a size such as \"\(example)\"",
            example: example,
            units: ["B", "KiB", "MiB"],
            allowed: "between \(lowest) and \(highest)",
            range: (Units.bytes(lowest) ?? 0)...(Units.bytes(highest) ?? 0),
            read: Units.bytes
        )
        return .quantity(quantity) { Int($0.rounded()) }
    }

    /// A port of TCP or UDP.
    package static var port: ParameterKind { integer(1...65535, example: "443") }
}

extension ParameterKind where Value == String {
    /// A text without control characters, of 1 to 4096 bytes.
    package static func string(example: String) -> ParameterKind {
        ParameterKind(shape: ParameterShape(type: "string", json: "string", example: example)) {
            value throws(ParameterProblem) in
            guard case .string(let text) = value else {
                throw ParameterProblem("must be a string such as \(example), got \(value)")
            }
            let hasControl = text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
            guard !text.isEmpty, text.utf8.count <= 4096, !hasControl else {
                throw ParameterProblem(
                    "must be 1 to 4096 bytes without control characters, got \(value)"
                )
            }
            return text
        }
    }

    /// The name of a network namespace, which is the name of a file.
    package static var namespaceName: ParameterKind {
        let plain = string(example: "\"shop\"")
        return ParameterKind(shape: plain.shape) { value throws(ParameterProblem) in
            let name = try plain.parse(value)
            guard name != ".", name != "..", !name.contains("/") else {
                throw ParameterProblem("must be a name as in `ip netns list`, got \(value)")
            }
            return name
        }
    }

    /// Text of any content, newlines included, up to 1 MiB.
    package static func text(example: String) -> ParameterKind {
        ParameterKind(shape: ParameterShape(type: "text", json: "string", example: example)) {
            value throws(ParameterProblem) in
            guard case .string(let text) = value, text.utf8.count <= 1_048_576 else {
                throw ParameterProblem("must be a string of at most 1 MiB, got \(value)")
            }
            return text
        }
    }

    /// One of a few words.
    package static func choice(_ words: [String]) -> ParameterKind {
        let allowed = "one of " + words.map { "\"\($0)\"" }.joined(separator: ", ")
        let shape = ParameterShape(
            type: "choice",
            json: "string",
            example: "\"\(words.first ?? "")\"",
            allowed: allowed,
            choices: words
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let word) = value, words.contains(word) else {
                throw ParameterProblem("must be \(allowed), got \(value)")
            }
            return word
        }
    }
}

extension ParameterKind {
    /// A list of values; a single value stands for a list of one.
    package static func list<Element>(
        of kind: ParameterKind<Element>,
        atMost limit: Int = 256
    ) -> ParameterKind where Value == [Element] {
        let shape = ParameterShape(
            type: "list of \(kind.shape.type)",
            json: "array",
            example: "{ \(kind.shape.example) }",
            allowed: kind.shape.allowed,
            choices: kind.shape.choices
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .list(let items) = value else { return [try kind.parse(value)] }
            guard !items.isEmpty, items.count <= limit else {
                throw ParameterProblem("must have 1 to \(limit) entries, got \(items.count)")
            }
            var parsed: [Element] = []
            for item in items { parsed.append(try kind.parse(item)) }
            return parsed
        }
    }
}

extension ParameterKind where Value == [String: String] {
    /// A table of strings, such as HTTP headers.
    package static var stringTable: ParameterKind {
        let shape = ParameterShape(
            type: "table of string",
            json: "object",
            example: "{ [\"X-Name\"] = \"value\" }"
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .table(let fields) = value else {
                throw ParameterProblem("must be a table of strings, got \(value)")
            }
            var strings: [String: String] = [:]
            for (name, field) in fields {
                guard case .string(let text) = field else {
                    throw ParameterProblem(
                        "must be a table of strings, got \(field) for \"\(name)\""
                    )
                }
                strings[name] = text
            }
            return strings
        }
    }
}
