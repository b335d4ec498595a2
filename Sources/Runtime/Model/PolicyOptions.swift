// The keys of a policy, described once, and how a file or a flag becomes a policy.

import FoundationEssentials

extension Policy {
    private static let maxTargetsOption = Parameter(
        "max_targets",
        ParameterKind<Int>.integer(1...1_000_000),
        help: "The most targets that one run hits at once."
    )
    private static let maxTargetShareOption = Parameter(
        "max_target_share",
        ParameterKind<Double>.percent,
        help: "The largest share of what a selector matches that is hit at once, rounded down."
    )
    private static let maxTrafficOption = Parameter(
        "max_traffic",
        ParameterKind<Double>.percent,
        help: "The largest share of traffic that a network fault hits."
    )
    private static let maxDurationOption = Parameter(
        "max_duration",
        ParameterKind<Duration>.duration(from: .milliseconds(1)),
        help: "How long any fault may last."
    )
    private static let maxFaultsOption = Parameter(
        "max_faults",
        ParameterKind<Int>.integer(1...1_000_000),
        help: "The most faults of one run that are on at once."
    )
    private static let forbidFaultsOption = Parameter(
        "forbid_faults",
        ParameterKind<[String]>.list(of: .string(example: "\"process.kill\"")),
        help: "Faults that are never made; `*` and `?` as in file names."
    )
    private static let allowFaultsOption = Parameter(
        "allow_faults",
        ParameterKind<[String]>.list(of: .string(example: "\"network.*\"")),
        help: "The only faults that are made."
    )
    private static let forbidTargetsOption = Parameter(
        "forbid_targets",
        ParameterKind<[String]>.list(of: .targetPattern),
        help: "Targets that are never hit: \"host\", or a kind and a name with `*` and `?`."
    )

    /// All keys.
    package static let parameterSet = ParameterSet(
        of: "policy",
        [
            maxTargetsOption.erased, maxTargetShareOption.erased, maxTrafficOption.erased,
            maxDurationOption.erased, maxFaultsOption.erased, forbidFaultsOption.erased,
            allowFaultsOption.erased, forbidTargetsOption.erased,
        ]
    )

    /// Reads the keys of a policy.
    ///
    /// - Throws: `DefinitionError` that names the source, for an unknown key or a wrong value.
    package init(
        _ options: [String: ParameterValue],
        from source: String
    ) throws(DefinitionError) {
        let set = ParameterSet(of: "policy \(source)", Self.parameterSet.parameters)
        let read = try set.validate(options)
        self.init()
        sources = [source]
        maxTargets = read[Self.maxTargetsOption].map { Bound(Double($0), from: source) }
        maxTargetShare = read[Self.maxTargetShareOption].map { Bound($0, from: source) }
        maxTraffic = read[Self.maxTrafficOption].map { Bound($0, from: source) }
        maxDurationMs = read[Self.maxDurationOption].map {
            Bound($0.inMilliseconds, from: source)
        }
        maxFaults = read[Self.maxFaultsOption].map { Bound(Double($0), from: source) }
        func rules(_ option: Parameter<[String]>) -> [Rule] {
            (read[option] ?? []).map { Rule($0, from: source) }
        }
        forbiddenFaults = rules(Self.forbidFaultsOption)
        forbiddenTargets = rules(Self.forbidTargetsOption)
        let allowed = rules(Self.allowFaultsOption)
        if !allowed.isEmpty { allowedFaults = [allowed] }
    }

    /// Reads a policy file: JSON, in which comments and trailing commas are allowed (JSON5).
    package static func parse(_ text: String, from source: String) throws(DefinitionError) -> Policy
    {
        let decoder = JSONDecoder()
        decoder.allowsJSON5 = true
        let value: ParameterValue
        do {
            value = try decoder.decode(ParameterValue.self, from: Data(text.utf8))
        } catch {
            throw DefinitionError("policy \(source)", "is no JSON: \(Self.words(error))")
        }
        guard case .table(let options) = value else {
            throw DefinitionError("policy \(source)", "must be an object, got \(value)")
        }
        return try Policy(options, from: source)
    }

    /// Reads a flag: `max_targets=2`, `forbid_faults=process.*,cpu.*`.
    package static func parse(flag: String) throws(DefinitionError) -> Policy {
        let parts = flag.split(separator: "=", maxSplits: 1).map(String.init)
        let key = parts.first ?? ""
        guard parts.count == 2, !key.isEmpty else {
            throw DefinitionError(
                "--limit",
                "must be KEY=VALUE such as max_targets=2, got \"\(flag.escapedForDisplay)\""
            )
        }
        let isList = parameterSet.parameters.contains {
            $0.name == key && $0.shape.json == "array"
        }
        let value: ParameterValue =
            if isList {
                .list(parts[1].split(separator: ",").map { .string(String($0)) })
            } else {
                Double(parts[1]).map(ParameterValue.number) ?? .string(parts[1])
            }
        return try Policy([key: value], from: "--limit \(key)")
    }

    private static func words(_ error: any Error) -> String {
        guard let error = error as? DecodingError, case .dataCorrupted(let context) = error else {
            return "\(error)"
        }
        return context.underlyingError.map { "\($0)" } ?? context.debugDescription
    }
}

extension ParameterKind where Value == String {
    /// `host`, or `KIND:NAME`.
    fileprivate static var targetPattern: ParameterKind {
        let kinds = TargetKind.allCases.filter { $0 != .host }.map(\.rawValue)
        let example = "\"process:postgres*\""
        let plain = string(example: example)
        return ParameterKind(shape: plain.shape) { value throws(ParameterProblem) in
            let text = try plain.parse(value)
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let isNamed = parts.count == 2 && kinds.contains(String(parts[0])) && !parts[1].isEmpty
            guard isNamed || text == TargetKind.host.rawValue else {
                throw ParameterProblem(
                    "must be \"host\", or KIND:NAME such as \(example), where KIND is one of "
                        + "\(kinds.joined(separator: ", ")), got \(value)"
                )
            }
            return text
        }
    }
}
