// `check_metric(condition)` judges values sampled now; a false condition fails the hypothesis.

import ChaosEngine
import ChaosModel
import LuaBridge

/// The primitive `check_metric`.
enum CheckMetric: Primitive {
    static let signature = Signature(
        name: "check_metric",
        help:
            "Samples and judges now; a false condition fails the hypothesis, and the script goes on.",
        parameters: [
            SignaturePart(
                "condition",
                "string|moonquake.Metric",
                "Such as \"p99 < 300ms\", or a metric with a threshold."
            ),
            SignaturePart(
                "options?",
                "{ within?: string, counts?: boolean }",
                "within: wait until it holds, at most this long, such as \"10s\"; counts: false only looks."
            ),
        ],
        result: SignaturePart("figures", "moonquake.Figures", "Whether it held, and the values.")
    )

    private static let expected =
        "a condition such as \"p99 < 300ms\" or a metric such as metric.http {…}"

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let controls = try await session.controls(for: call)
        let options = try options(call)
        let value = options == nil ? try call.only(expected) : call[1]
        let limit = options?[within] ?? .zero
        let counts = options?[counts] ?? true
        if let text = value.string {
            let condition = try call.condition(text)
            let result = try await controls.check(
                condition,
                within: limit,
                counts: counts,
                at: call.place
            )
            return [figures(result)]
        }
        guard let draft = value.object?.payload(of: MetricBuilder.objects) else {
            throw DefinitionError(call.function, "expects \(expected), got \(value.given)")
        }
        let metric = try definition(of: draft, session)
        return [figures(try await controls.check(metric, within: limit, counts: counts))]
    }

    private static let within = Parameter(
        "within",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(86_400)),
        help: "Wait until it holds, at most this long."
    )

    private static let counts = Parameter(
        "counts",
        ParameterKind<Bool>.boolean,
        default: true,
        help: "Whether a condition that does not hold fails the hypothesis."
    )

    /// What `{ within = "10s" }` says, the second argument; nil without one.
    private static func options(_ call: LuaCall) throws(DefinitionError) -> Parameters? {
        guard call.arguments.count == 2 else { return nil }
        guard let table = call[2].table else {
            let problem = "expects options such as { within = \"10s\" }, got \(call[2].given)"
            throw DefinitionError(call.function, problem)
        }
        let set = ParameterSet(of: call.function, [within.erased, counts.erased])
        let options = try OptionTable(table, of: set, live: [], at: call.place)
        return try set.validate(options.plain, at: call.place)
    }

    /// The metric with a name; it must have a threshold to be judged by.
    private static func definition(
        of draft: MetricDraft,
        _ session: ScriptSession
    ) throws(DefinitionError) -> MetricDefinition {
        var name = draft.placeholderName
        if let function = draft.function { name = session.keep(function, as: "lua") }
        let metric = try draft.named(name, in: session.context.metrics)
        guard metric.healthy != nil else {
            throw DefinitionError(
                signature.name,
                "the metric has no threshold to be judged by: add below, above, equals, between or one_of"
            )
        }
        return metric
    }

    /// `figures.held`, `figures.values.p99`, and `figures.p99`.
    private static func figures(_ result: CheckResult) -> LuaValue {
        let values = result.values.mapValues { LuaValue.number($0) }
        var fields = values
        fields["held"] = result.held.map { .boolean($0) }
        fields["values"] = .table(LuaTable(fields: values))
        fields["took"] = .number(result.took.inSeconds)
        return .table(LuaTable(fields: fields))
    }
}
