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
            )
        ],
        result: SignaturePart("figures", "moonquake.Figures", "Whether it held, and the values.")
    )

    private static let expected =
        "a condition such as \"p99 < 300ms\" or a metric such as metric.http {…}"

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let controls = try await session.controls(for: call)
        let value = try call.only(expected)
        if let text = value.string {
            let condition = try call.condition(text)
            return [figures(try await controls.check(condition, at: call.place))]
        }
        guard let draft = value.object?.payload(of: MetricBuilder.objects) else {
            throw DefinitionError(call.function, "expects \(expected), got \(value.given)")
        }
        let metric = try definition(of: draft, session)
        return [figures(try await controls.check(metric))]
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
        return .table(LuaTable(fields: fields))
    }
}
