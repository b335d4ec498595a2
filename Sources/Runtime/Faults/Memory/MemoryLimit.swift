// `memory.limit`: less memory for a control group: `memory.max` in v2, `memory.limit_in_bytes` in v1. What the
// kernel does to a group at its limit (reclaim, then kill) is the fault; how often it did is counted.

package import ChaosModel

/// Limits the memory of a target's control group.
package struct MemoryLimit: Fault {
    /// The limit to put back.
    package struct Undo: Codable, Sendable {
        var setting: GroupSetting
        var bytes: Int
        var events: ControlGroupMemoryEvents
    }

    static let limit = Parameter(
        required: "limit",
        ParameterKind<Int>.size(from: "1MiB"),
        help: "The memory that the group may use, page cache included."
    )
    static let belowUse = Parameter(
        "below_use",
        ParameterKind<Bool>.boolean,
        default: false,
        help:
            "Allow a limit below what is in use: the kernel takes pages away at once, and kills when it cannot."
    )

    package static let descriptor = FaultDescriptor(
        name: "memory.limit",
        summary: "Limits the memory of the control group that the target is in.",
        parameters: [limit.erased, belowUse.erased],
        targets: [.process],
        reach: .leader,
        holder: .journal,
        needs: [
            "a control group of the target's own with the memory controller, v1 or v2, that the agent may write"
        ],
        changesGroup: .memory
    )

    /// Limits are whole pages; this is a multiple of every page size of Linux.
    private static let largestPage = 65536

    private let bytes: Int
    private let belowUse: Bool

    package init(_ parameters: Parameters) throws(DefinitionError) {
        bytes = try parameters.value(Self.limit) / Self.largestPage * Self.largestPage
        belowUse = try parameters.value(Self.belowUse)
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let name = Self.descriptor.name
        let group = try kernel.limitableGroup(of: target, for: .memory, name)
        let file = group.version == .v1 ? "memory.limit_in_bytes" : "memory.max"
        try kernel.requireWritable(file, of: group)
        let (inUse, former, events) = try kernelCall { () throws(KernelError) in
            (
                try kernel.groups.memoryInUse(of: group), try kernel.groups.memoryLimit(of: group),
                try kernel.groups.memoryEvents(of: group)
            )
        }
        let setting = try kernel.setting(file, of: group, asked: "\(bytes)")
        if setting.asked != nil {
            try check(group, former: former, inUse: inUse)
        }
        let before = former.map(Self.spelled) ?? "no limit"
        return FaultPlan(
            changes: [
                "limits \(group) (\(try kernel.population(of: group))) to \(Self.spelled(bytes)) of memory: "
                    + "\(file) \(bytes), now \(before) with \(Self.spelled(inUse)) in use; "
                    + "the former value at the end"
            ],
            undo: Undo(setting: setting, bytes: bytes, events: events),
            holder: .journal,
            engine: "cgroup-v\(group.version.rawValue)"
        )
    }

    private func check(_ group: ControlGroup, former: Int?, inUse: Int) throws(FaultError) {
        if let former, former <= bytes {
            throw .refused(
                "memory.limit: \(group) is limited to \(Self.spelled(former)) already: "
                    + "ask for less, got \(Self.spelled(bytes))"
            )
        }
        guard belowUse || inUse <= bytes else {
            throw .refused(
                "memory.limit: \(group) uses \(Self.spelled(inUse)), more than the \(Self.spelled(bytes)) asked: "
                    + "the kernel may kill at once; ask for more, or write below_use = true"
            )
        }
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try undo.setting.apply(on: kernel)
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        guard try undo.setting.isInForce(on: kernel) else {
            throw .noEffect(
                "\(undo.setting.file) of \(undo.setting.group) did not take the value \(undo.bytes)"
            )
        }
        return Effect("\(undo.setting.file) of \(undo.setting.group) reads back as written")
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        undo.setting.touches
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let group = undo.setting.group
        let (events, inUse) = try kernelCall { () throws(KernelError) in
            (
                try kernel.groups.memoryEvents(of: group).since(undo.events),
                try kernel.groups.memoryInUse(of: group)
            )
        }
        let changed = try !undo.setting.isInForce(on: kernel)
        return Effect(
            (changed ? "somebody else changed the limit meanwhile; " : "")
                + "the limit was met \(events.limitHits) times, \(events.kills) processes were killed for it",
            figures: [
                Figure("limit_hits", Double(events.limitHits)),
                Figure("oom_kills", Double(events.kills)),
                Figure("in_use", Double(inUse), unit: "B"),
            ],
            hit: events.limitHits + events.kills > 0
        )
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try undo.setting.restore(on: kernel)
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        try undo.setting.verifyRestored(on: kernel)
    }

    private static func spelled(_ bytes: Int) -> String {
        let mebibytes = (Double(bytes) / 1_048_576 * 10).rounded() / 10
        return "\(ParameterValue.shortest(mebibytes))MiB"
    }
}
