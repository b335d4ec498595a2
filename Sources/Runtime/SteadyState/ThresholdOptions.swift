// From the threshold options to the two thresholds of a metric, in base units.

import ChaosModel

/// The thresholds of one metric, read in the unit of its measure.
struct ThresholdOptions {
    let healthy: Threshold?
    let tolerated: Threshold?

    init(
        _ parameters: Parameters,
        measure: (name: String, unit: MetricUnit)
    ) throws(DefinitionError) {
        let reader = Reader(parameters: parameters, measure: measure)
        healthy = try Self.healthy(reader)
        tolerated = try Self.tolerated(reader)
    }

    private static func healthy(_ reader: Reader) throws(DefinitionError) -> Threshold? {
        let names = ["below", "above", "equals", "between", "one_of"]
        let given = names.filter(reader.parameters.given.contains)
        guard given.count <= 1 else { throw reader.parameters.error(exclusion(given)) }
        if let limit = try reader.value(CommonOptions.below) { return .below(limit) }
        if let limit = try reader.value(CommonOptions.above) { return .above(limit) }
        if let wanted = try reader.value(CommonOptions.equals) { return .equals(wanted) }
        if let wanted = try reader.values(CommonOptions.oneOf) { return .oneOf(wanted) }
        guard let ends = try reader.values(CommonOptions.between) else { return nil }
        guard ends[0] <= ends[1] else {
            throw reader.parameters.error(
                "between must name the lower value first, got \(reader.spelled(CommonOptions.between))"
            )
        }
        return .between(ends[0], ends[1])
    }

    /// `abort_above = x` tolerates x itself, so the span of what is tolerated has both ends in it.
    private static func tolerated(_ reader: Reader) throws(DefinitionError) -> Threshold? {
        let high = try reader.value(CommonOptions.abortAbove)
        let low = try reader.value(CommonOptions.abortBelow)
        guard high != nil || low != nil else { return nil }
        if let high, let low, low > high {
            throw reader.parameters.error(
                "abort_below must not be more than abort_above, got abort_below = "
                    + "\(reader.spelled(CommonOptions.abortBelow)) and abort_above = "
                    + "\(reader.spelled(CommonOptions.abortAbove))"
            )
        }
        return .between(low ?? -.infinity, high ?? .infinity)
    }

    private static func exclusion(_ given: [String]) -> String {
        let pair = given.joined(separator: " and ")
        guard given.contains("below"), given.contains("above"), given.count == 2 else {
            return "\(pair) exclude each other: give one of them"
        }
        return "below and above exclude each other: write between = { low, high }, both included"
    }
}

/// Reads thresholds in the unit of the measure.
private struct Reader {
    let parameters: Parameters
    let measure: (name: String, unit: MetricUnit)

    func value(_ option: Parameter<ParameterValue>) throws(DefinitionError) -> Double? {
        guard let written = parameters[option] else { return nil }
        return try read(written, of: option.name)
    }

    func values(_ option: Parameter<[ParameterValue]>) throws(DefinitionError) -> [Double]? {
        guard let written = parameters[option] else { return nil }
        var numbers: [Double] = []
        for item in written { numbers.append(try read(item, of: option.name)) }
        return numbers
    }

    func spelled<Value>(_ option: Parameter<Value>) -> String {
        parameters.values[option.name]?.description ?? "nothing"
    }

    private func read(_ value: ParameterValue, of option: String) throws(DefinitionError) -> Double
    {
        do throws(ParameterProblem) {
            let number = try measure.unit.parse(value)
            guard number.isFinite else {
                throw ParameterProblem("must be a finite value, got \(value)")
            }
            return number
        } catch {
            throw parameters.error("\(option) \(error.text) (the measure is \(measure.name))")
        }
    }
}
