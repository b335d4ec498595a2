// Limits that no script can widen: what an operator allows on this host. Several policies hold at once, and of each
// limit the strictest counts; each limit remembers where it comes from, so that a refusal can say it.

/// What runs may do, at most.
package struct Policy: Sendable, Hashable, Codable {
    /// A limit and where it was set.
    package struct Bound: Sendable, Hashable, Codable {
        /// The value: a number, a share from 0 to 1, or milliseconds.
        package var value: Double
        /// The file or the flag.
        package var source: String

        /// Makes a bound.
        package init(_ value: Double, from source: String) {
            self.value = value
            self.source = source
        }
    }

    /// A pattern and where it was set.
    package struct Rule: Sendable, Hashable, Codable {
        /// `network.*`, or `process:postgres*`.
        package var pattern: Glob
        /// The file or the flag.
        package var source: String

        /// Makes a rule.
        package init(_ pattern: String, from source: String) {
            self.pattern = Glob(pattern)
            self.source = source
        }
    }

    /// The most targets that one run hits at once.
    package var maxTargets: Bound?
    /// The largest share of what a selector matches that is hit at once.
    package var maxTargetShare: Bound?
    /// The largest share of traffic.
    package var maxTraffic: Bound?
    /// How long any fault may last, in milliseconds.
    package var maxDurationMs: Bound?
    /// The most faults of one run that are on at once, a fault on many targets counted once.
    package var maxFaults: Bound?
    /// Faults that are not made.
    package var forbiddenFaults: [Rule] = []
    /// Faults of which one pattern of each list must match.
    package var allowedFaults: [[Rule]] = []
    /// Targets that are not hit: `KIND:NAME` with wildcards.
    package var forbiddenTargets: [Rule] = []
    /// Where it comes from, in the order in which it was read.
    package var sources: [String] = []

    /// Makes a policy that allows everything.
    package init() {}

    /// Whether it limits nothing.
    package var isOpen: Bool {
        var bare = self
        bare.sources = []
        return bare == Policy()
    }

    /// Both policies at once: of each limit the strictest.
    package func and(_ other: Policy) -> Policy {
        func strictest(_ limit: KeyPath<Policy, Bound?>) -> Bound? {
            // The first one stays when both are equal.
            [self[keyPath: limit], other[keyPath: limit]].compactMap { $0 }
                .reduce(nil as Bound?) { best, bound in
                    bound.value < best?.value ?? .infinity ? bound : best
                }
        }
        var both = Policy()
        both.maxTargets = strictest(\.maxTargets)
        both.maxTargetShare = strictest(\.maxTargetShare)
        both.maxTraffic = strictest(\.maxTraffic)
        both.maxDurationMs = strictest(\.maxDurationMs)
        both.maxFaults = strictest(\.maxFaults)
        both.forbiddenFaults = forbiddenFaults + other.forbiddenFaults
        both.allowedFaults = allowedFaults + other.allowedFaults
        both.forbiddenTargets = forbiddenTargets + other.forbiddenTargets
        both.sources = sources + other.sources.filter { !sources.contains($0) }
        return both
    }

    /// Why a fault is not made; nil when it may be.
    ///
    /// A shadow is refused where its fault is, so that it says what the run would meet.
    package func refusal(ofFault name: String) -> String? {
        let name = shadowedFault(name)
        if let rule = forbiddenFaults.first(where: { $0.pattern.matches(name) }) {
            return "the policy forbids \(rule.pattern) (\(rule.source))"
        }
        for list in allowedFaults where !list.contains(where: { $0.pattern.matches(name) }) {
            let allowed = list.map(\.pattern.pattern).joined(separator: ", ")
            return "the policy allows only \(allowed) (\(list.first?.source ?? "?"))"
        }
        return nil
    }
}

extension Policy {
    /// What it says, one sentence each, for people.
    package var sentences: [String] {
        var lines: [String] = []
        func say(_ bound: Bound?, _ text: (Double) -> String) {
            if let bound { lines.append("\(text(bound.value)) (\(bound.source))") }
        }
        say(maxTargets) { "at most \(ParameterValue.shortest($0)) targets at once" }
        say(maxTargetShare) { "at most \(MetricUnit.share.spelled($0)) of the matching targets" }
        say(maxTraffic) { "at most \(MetricUnit.share.spelled($0)) of the traffic" }
        say(maxDurationMs) { "at most \(Duration.milliseconds($0).spelled) for any fault" }
        say(maxFaults) { "at most \(ParameterValue.shortest($0)) faults at once" }
        for list in allowedFaults {
            let patterns = list.map(\.pattern.pattern).joined(separator: ", ")
            lines.append("only the faults \(patterns) (\(list.first?.source ?? "?"))")
        }
        lines += forbiddenFaults.map { "never the faults \($0.pattern) (\($0.source))" }
        lines += forbiddenTargets.map { "never the targets \($0.pattern) (\($0.source))" }
        return lines
    }
}
