// A comparison of two parts of a run, as the report has it. The figures are made by ChaosSteadyState.

extension RunReport {
    /// One metric in two parts of the run, or a metric and its control in the same part.
    package struct Comparison: Sendable, Hashable, Codable {
        /// What is compared with what; the second part less the first.
        package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
            /// The metric in the warm-up, and while faults were on.
            case beforeDuring = "before_during"
            /// The metric in the warm-up, and after the rollback.
            case beforeAfter = "before_after"
            /// Control and metric, both in the warm-up: were they alike to begin with?
            case controlBefore = "control_before"
            /// Control and metric, both while faults were on.
            case controlDuring = "control_during"

            /// The two parts in words.
            package func parts(control: String?) -> (first: String, second: String) {
                switch self {
                case .beforeDuring: ("before", "during")
                case .beforeAfter: ("before", "after")
                case .controlBefore: ("\(control ?? "control") before", "before")
                case .controlDuring: ("\(control ?? "control") during", "during")
                }
            }
        }

        /// What the test says at α = 0.05.
        package enum Result: String, Sendable, Hashable, Codable {
            case differs
            case noDifference = "no_difference"
            case tooFewSamples = "too_few_samples"
        }

        package var kind: Kind
        package var metric: String
        /// The metric that the first part is of, when that is another one.
        package var control: String?
        package var unit: MetricUnit
        /// How many values the first part has.
        package var firstCount = 0
        /// How many values the second part has.
        package var secondCount = 0
        package var result = Result.tooFewSamples
        /// Mann-Whitney's U of the second part; nil like the rest with too few samples.
        package var u: Double?
        /// Two-sided.
        package var pValue: Double?
        /// `exact` or `asymptotic`.
        package var method: String?
        /// The Hodges-Lehmann shift, in the unit of the metric; nil also when a value is infinite.
        package var shift: Double?
        /// The lower end of its 95 % interval.
        package var shiftLow: Double?
        /// The upper end of its 95 % interval.
        package var shiftHigh: Double?
        /// Cliff's delta: 1 when every value of the second part is above every one of the first, -1 when below.
        package var cliffsDelta: Double?

        package init(kind: Kind, metric: String, control: String? = nil, unit: MetricUnit) {
            self.kind = kind
            self.metric = metric
            self.control = control
            self.unit = unit
        }

        /// The size of Cliff's delta in a word, by the bounds of Romano and others (2006).
        package var effect: String? {
            cliffsDelta.map { delta in
                switch abs(delta) {
                case ..<0.147: "negligible"
                case ..<0.33: "small"
                case ..<0.474: "medium"
                default: "large"
                }
            }
        }

        /// The comparison in one line: `p99 before → during: +120ms (95 %: +100ms to +140ms), p 0.0012, …`.
        package var sentence: String {
            let (first, second) = kind.parts(control: control)
            let subject = "\(metric) \(first) → \(second): "
            guard let pValue, let cliffsDelta, let effect else {
                return subject
                    + "too few samples (\(firstCount) and \(secondCount), 8 each are needed)"
            }
            var parts: [String] = []
            if let shift, let shiftLow, let shiftHigh {
                parts.append(
                    "\(signed(shift)) (95 %: \(signed(shiftLow)) to \(signed(shiftHigh)))"
                )
            }
            parts.append(result == .differs ? "differs" : "no difference shown")
            parts.append(pValue < 0.0001 ? "p < 0.0001" : "p \(Self.digits(pValue, 4))")
            parts.append("Cliff's delta \(Self.digits(cliffsDelta, 2)) (\(effect))")
            return subject + parts.joined(separator: ", ")
        }

        private func signed(_ value: Double) -> String {
            if value == 0 { return unit.spelled(0) }
            return (value < 0 ? "-" : "+") + unit.spelled(abs(value))
        }

        private static func digits(_ value: Double, _ places: Int) -> String {
            let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
            return ParameterValue.shortest((value * scale).rounded() / scale)
        }
    }
}
