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
        from catalogue: FaultCatalogue,
        _ call: LuaCall
    ) throws(DefinitionError) -> LuaValue {
        let options = try OptionTable(
            try call.options(such: descriptor.spelling),
            of: descriptor.parameterSet,
            live: ["target"],
            at: call.place
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
            location: call.place
        )
        _ = try catalogue.instance(spec)
        return .object(objects.make(spec))
    }
}
