// Which processors: all, a number of them, or some by their numbers.

import ChaosModel

/// A choice of processors.
enum ProcessorChoice: Sendable, Hashable {
    case all
    case count(Int)
    case these([Int])

    /// The chosen ones among those that may be used, in order.
    func pick(from allowed: [Int]) throws(FaultError) -> [Int] {
        let shown = allowed.map(String.init).joined(separator: ",")
        switch self {
        case .all: return allowed
        case .count(let count):
            guard count <= allowed.count else {
                throw .refused("cores = \(count), but only processors \(shown) may be used")
            }
            return Array(allowed.prefix(count))
        case .these(let numbers):
            let missing = Set(numbers).subtracting(allowed).sorted()
            guard missing.isEmpty else {
                throw .refused(
                    "processor \(missing.map(String.init).joined(separator: ",")) may not be used, only \(shown)"
                )
            }
            return Array(Set(numbers)).sorted()
        }
    }
}

extension ParameterKind where Value == ProcessorChoice {
    /// `"all"`, a number, or a list of processors.
    static var processors: ParameterKind {
        let allowed = "\"all\", a number of processors, or a list such as { 0, 2 }"
        let shape = ParameterShape(
            type: "processors",
            json: "string",
            example: "\"all\"",
            allowed: allowed
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            func whole(_ value: ParameterValue, from least: Int) -> Int? {
                guard case .number(let number) = value, let whole = Int(exactly: number),
                    (least...4096).contains(whole)
                else { return nil }
                return whole
            }
            switch value {
            case .string("all"): return .all
            case .number:
                if let count = whole(value, from: 1) { return .count(count) }
            case .list(let items) where !items.isEmpty:
                let numbers = items.compactMap { whole($0, from: 0) }
                if numbers.count == items.count { return .these(numbers) }
            default: break
            }
            throw ParameterProblem("must be \(allowed), got \(value)")
        }
    }
}
