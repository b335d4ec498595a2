// `blast_radius = {…}`: the limits of a run.

import ChaosModel
import LuaBridge

/// The limits of a run, read from a table.
enum BlastRadiusOptions {
    /// How many targets: a share or a number.
    enum Targets: Sendable {
        case share(Double)
        case count(Int)
    }

    static let targets = Parameter(
        "targets",
        targetsKind,
        help: "The most targets at once: a share of the matches, or a number."
    )
    static let traffic = Parameter(
        "traffic",
        ParameterKind<Double>.percent,
        default: "100%",
        help: "The largest share of traffic that may be hit."
    )
    static let maxDuration = Parameter(
        "max_duration",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(86_400)),
        default: "10m",
        help: "How long any fault may last."
    )

    static let parameterSet = ParameterSet(
        of: "blast_radius",
        [targets.erased, traffic.erased, maxDuration.erased]
    )

    static func read(
        _ table: LuaTable,
        at place: SourceLocation?
    ) throws(DefinitionError) -> BlastRadius {
        let options = try OptionTable(table, of: parameterSet, at: place)
        let parameters = try parameterSet.validate(options.plain, at: place)
        var radius = BlastRadius(
            traffic: try parameters.value(traffic),
            maxDurationMs: try parameters.value(maxDuration).inMilliseconds
        )
        switch parameters[targets] {
        case .share(let share): radius.targetShare = share
        case .count(let count): radius.targetCount = count
        case nil: break
        }
        return radius
    }

    private static let targetsKind = ParameterKind<Targets>(
        shape: ParameterShape(
            type: "percent or integer",
            json: "string or number",
            example: "\"50%\"",
            allowed: "a share such as \"50%\", or a number of targets"
        )
    ) { value throws(ParameterProblem) in
        switch value {
        case .string(let text):
            if let share = Units.share(text), (0...1).contains(share) { return .share(share) }
        case .number(let number):
            if let count = Int(exactly: number), count >= 1 { return .count(count) }
        default: break
        }
        throw ParameterProblem(
            "must be a share between 0% and 100% such as \"50%\", or a number of targets from 1, got \(value)"
        )
    }
}
