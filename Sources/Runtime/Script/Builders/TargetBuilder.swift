// `target.process {…}` and its like: selectors, checked at once.

import ChaosModel
import LuaBridge

/// Builds targets.
enum TargetBuilder {
    /// What scripts hold.
    static let objects = LuaObjectType<TargetSelector>("target").description { "\($0)" }

    static func build(_ kind: TargetKind, _ call: LuaCall) throws(DefinitionError) -> LuaValue {
        try build(kind, try call.options(such: kind.spelling), at: call.place)
    }

    static func build(
        _ kind: TargetKind,
        _ table: LuaTable,
        at place: SourceLocation?
    ) throws(DefinitionError) -> LuaValue {
        let options = try OptionTable(table, of: kind.parameterSet, at: place)
        let selector = TargetSelector(kind: kind, options: options.plain, location: place)
        _ = try selector.validated()
        return .object(objects.make(selector))
    }

    /// The option `target` of a fault or metric.
    static func target(
        _ value: LuaValue?,
        of subject: String,
        such kind: TargetKind
    ) throws(DefinitionError) -> TargetSelector {
        guard let value else {
            throw DefinitionError(subject, "target is missing: write target = \(kind.spelling)")
        }
        guard let selector = value.object?.payload(of: objects) else {
            throw DefinitionError(
                subject,
                "target must be a target: write target = \(kind.spelling), got \(value.given)"
            )
        }
        return selector
    }
}
