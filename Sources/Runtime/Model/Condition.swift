// Conditions on metrics: `"p99 > 2s and error_rate > 5%"`.
//
//     condition  = conjunct { "or" conjunct }
//     conjunct   = term { "and" term }
//     term       = "not" term | "(" condition ")" | metric operator value
//     operator   = "<" | "<=" | ">" | ">=" | "==" | "!=" | "~="

/// A condition on the values of metrics.
package indirect enum Condition: Sendable, Hashable {
    /// A metric compared with a value, which is kept as written until the metric's unit is known.
    case comparison(metric: String, Comparison, value: String)
    case not(Condition)
    case and(Condition, Condition)
    case or(Condition, Condition)

    /// How two values are compared.
    package enum Comparison: String, Sendable, Hashable, CaseIterable {
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="
        case equal = "=="
        case unequal = "!="

        func holds(_ left: Double, _ right: Double) -> Bool {
            switch self {
            case .less: left < right
            case .atMost: left <= right
            case .greater: left > right
            case .atLeast: left >= right
            case .equal: Threshold.equals(right).admits(left)
            case .unequal: !Threshold.equals(right).admits(left)
            }
        }
    }

    /// The names of the metrics in it, each once, in order.
    package var metrics: [String] {
        switch self {
        case .comparison(let metric, _, _): return [metric]
        case .not(let inner): return inner.metrics
        case .and(let left, let right), .or(let left, let right):
            let first = left.metrics
            return first + right.metrics.filter { !first.contains($0) }
        }
    }

    /// Checks that every metric is known and every value fits its metric's unit.
    package func check(against units: [String: MetricUnit]) throws(ParameterProblem) {
        switch self {
        case .comparison(let metric, _, let value):
            guard let unit = units[metric] else {
                let hint = NearestName.hint(for: metric, among: Array(units.keys))
                throw ParameterProblem("unknown metric \"\(metric.escapedForDisplay)\"\(hint)")
            }
            guard unit.read(value) == nil else { return }
            if let number = Double(value) {
                _ = try unit.parse(.number(number))
            }
            do throws(ParameterProblem) {
                _ = try unit.parse(.string(value))
            } catch {
                throw ParameterProblem("the value for \(metric) \(error.text)")
            }
        case .not(let inner): try inner.check(against: units)
        case .and(let left, let right), .or(let left, let right):
            try left.check(against: units)
            try right.check(against: units)
        }
    }

    /// Whether it holds: nil when a value that decides it is missing.
    ///
    /// NaN is a missing value.
    package func holds(
        _ values: [String: Double],
        units: [String: MetricUnit]
    ) -> Bool? {
        switch self {
        case .comparison(let metric, let comparison, let text):
            guard let value = values[metric], !value.isNaN,
                let wanted = units[metric]?.read(text)
            else { return nil }
            return comparison.holds(value, wanted)
        case .not(let inner):
            return inner.holds(values, units: units).map { !$0 }
        case .and(let left, let right):
            let sides = (left.holds(values, units: units), right.holds(values, units: units))
            if sides.0 == false || sides.1 == false { return false }
            return sides.0 == nil || sides.1 == nil ? nil : true
        case .or(let left, let right):
            let sides = (left.holds(values, units: units), right.holds(values, units: units))
            if sides.0 == true || sides.1 == true { return true }
            return sides.0 == nil || sides.1 == nil ? nil : false
        }
    }
}

extension Condition: CustomStringConvertible {
    package var description: String {
        switch self {
        case .comparison(let metric, let comparison, let value):
            "\(metric) \(comparison.rawValue) \(value)"
        case .not(let inner): "not (\(inner))"
        case .and(let left, let right): "\(left.grouped) and \(right.grouped)"
        case .or(let left, let right): "\(left) or \(right)"
        }
    }

    private var grouped: String {
        if case .or = self { return "(\(self))" }
        return description
    }
}

extension Condition {
    /// Reads a condition.
    package init(parsing text: String) throws(ParameterProblem) {
        guard text.utf8.count <= 4096 else {
            throw ParameterProblem("must be at most 4096 bytes long")
        }
        var parser = ConditionParser(text)
        self = try parser.condition(depth: 0)
        try parser.expectEnd()
    }
}

/// Reads conditions by recursive descent; the depth is bounded, since the text comes from outside.
private struct ConditionParser {
    private let text: String
    private var tokens: [Substring]
    private var next = 0

    init(_ text: String) {
        self.text = text
        tokens = Self.tokens(of: text)
    }

    mutating func condition(depth: Int) throws(ParameterProblem) -> Condition {
        var left = try conjunct(depth: depth)
        while take("or") { left = .or(left, try conjunct(depth: depth)) }
        return left
    }

    private mutating func conjunct(depth: Int) throws(ParameterProblem) -> Condition {
        var left = try term(depth: depth)
        while take("and") { left = .and(left, try term(depth: depth)) }
        return left
    }

    private mutating func term(depth: Int) throws(ParameterProblem) -> Condition {
        guard depth < 64 else { throw ParameterProblem("is nested more than 64 deep") }
        if take("not") { return .not(try term(depth: depth + 1)) }
        if take("(") {
            let inner = try condition(depth: depth + 1)
            guard take(")") else { throw expected("\")\"") }
            return inner
        }
        guard let metric = peek, Self.isName(metric) else { throw expected("the name of a metric") }
        next += 1
        let sign = peek == "~=" ? "!=" : peek.map(String.init) ?? ""
        guard let comparison = Condition.Comparison(rawValue: sign) else {
            throw expected("<, <=, >, >=, == or !=")
        }
        next += 1
        guard let value = peek, UnitText(String(value)) != nil else {
            throw expected("a value such as 300ms, 5% or 3")
        }
        next += 1
        return .comparison(metric: String(metric), comparison, value: String(value))
    }

    func expectEnd() throws(ParameterProblem) {
        guard next == tokens.count else { throw expected("\"and\", \"or\" or the end") }
    }

    private var peek: Substring? { next < tokens.count ? tokens[next] : nil }

    private mutating func take(_ word: Substring) -> Bool {
        guard peek == word else { return false }
        next += 1
        return true
    }

    private func expected(_ what: String) -> ParameterProblem {
        let found = peek.map { "\"\(String($0).escapedForDisplay)\"" } ?? "the end"
        return ParameterProblem(
            "\"\(text.escapedForDisplay)\" is no condition: expected \(what), found \(found)"
        )
    }

    private static func isName(_ token: Substring) -> Bool {
        guard let first = token.first else { return false }
        return (first.isLetter || first == "_") && !["and", "or", "not"].contains(token)
    }

    private static func tokens(of text: String) -> [Substring] {
        var tokens: [Substring] = []
        var rest = Substring(text)
        while let first = rest.first {
            if first.isWhitespace {
                rest = rest.dropFirst()
                continue
            }
            let token: Substring =
                switch first {
                case "(", ")": rest.prefix(1)
                case "<", ">", "=", "!", "~": rest.prefix { "<>=!~".contains($0) }
                default: rest.prefix { !$0.isWhitespace && !"()<>=!~".contains($0) }
                }
            tokens.append(token)
            rest = rest.dropFirst(token.count)
        }
        return tokens
    }
}
