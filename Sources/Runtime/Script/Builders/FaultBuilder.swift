// `fault.network.partition {…}` and its like: one builder for all, made from the descriptors.

import ChaosModel
import LuaBridge

/// Builds faults.
enum FaultBuilder {
    /// What scripts hold.
    static let objects = LuaObjectType<FaultSpec>("fault").description {
        Spelling.call("fault.\($0.fault)", target: $0.target, $0.options)
    }

    static func build(
        _ descriptor: FaultDescriptor,
        from context: BuilderContext,
        _ call: LuaCall
    ) throws(DefinitionError) -> LuaValue {
        let table = try call.options(such: descriptor.spelling)
        return try build(descriptor, from: context, table, at: call.place)
    }

    static func build(
        _ descriptor: FaultDescriptor,
        from context: BuilderContext,
        _ table: LuaTable,
        at place: SourceLocation?
    ) throws(DefinitionError) -> LuaValue {
        let options = try OptionTable(
            table,
            of: descriptor.parameterSet,
            live: ["target"],
            at: place
        )
        let target = try TargetBuilder.target(
            options.live["target"],
            of: descriptor.name,
            such: descriptor.targets.first ?? .host
        )
        let spec = FaultSpec(
            fault: descriptor.name,
            target: target,
            options: options.plain,
            location: place
        )
        _ = try context.faults.instance(spec)
        try refuseSecrets(in: spec, context.inputs.redactor)
        return .object(objects.make(spec))
    }

    /// What a fault is asked goes to the agent and into its journal, which must work without us: no place for secrets.
    private static func refuseSecrets(
        in spec: FaultSpec,
        _ redactor: Redactor
    ) throws(DefinitionError) {
        let options =
            spec.options.map { ($0.key, $0.value) }
            + spec.target.options.map { ("target.\($0.key)", $0.value) }
        for (name, value) in options where redactor.mask(value) != value {
            throw DefinitionError(
                spec.fault,
                "\(name) must not be a secret, since the agent's journal keeps it; secrets are for metrics",
                at: spec.location
            )
        }
    }
}
