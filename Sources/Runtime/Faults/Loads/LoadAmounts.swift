// The types of options that loads have: rates of bytes, and "a percentage or a size".

import ChaosModel

extension ParameterKind where Value == Double {
    /// Bytes a second.
    static var byteRate: ParameterKind {
        let quantity = Quantity(
            "byte rate",
            noun: "a rate such as \"20MB/s\"",
            example: "20MB/s",
            units: ["B/s", "MB/s"],
            allowed: "between 1kB/s and 100GB/s",
            range: 1e3...1e11,
            read: { text in
                text.hasSuffix("/s") ? Units.bytes(String(text.dropLast(2))) : nil
            }
        )
        return .quantity(quantity) { $0 }
    }
}

extension ParameterKind {
    /// A percentage or a size, as a value of one's own.
    static func shareOrSize(
        type: String,
        share: @escaping @Sendable (Double) -> Value,
        bytes: @escaping @Sendable (Int) -> Value
    ) -> ParameterKind {
        let shape = ParameterShape(
            type: type,
            json: "string",
            example: "\"80%\"",
            allowed: "more than 0% up to 100%, or a size such as \"512MiB\""
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            if case .string(let text) = value, text.hasSuffix("%") {
                let parsed = try ParameterKind<Double>.percent.parse(value)
                if parsed > 0 { return share(parsed) }
            } else {
                let parsed = try ParameterKind<Int>.size().parse(value)
                if parsed > 0 { return bytes(parsed) }
            }
            throw ParameterProblem("must be more than nothing, got \(value)")
        }
    }
}

extension Int {
    /// Bytes as a person would write them: `512MiB`, `1.5GiB`.
    var asBytes: String { MetricUnit.bytes.spelled(Double(self)) }
}
