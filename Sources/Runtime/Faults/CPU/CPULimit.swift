// `cpu.limit`: less processor time for a control group, by the quota that container runtimes and systemd use too:
// `cpu.max` in v2, `cpu.cfs_quota_us` in v1.

package import ChaosModel

/// Limits the processor time of a target's control group.
package struct CPULimit: Fault {
    /// The quota to put back.
    package struct Undo: Codable, Sendable {
        var setting: GroupSetting
        var throttling: ControlGroupThrottling
    }

    static let quota = Parameter(
        required: "quota",
        ParameterKind<Double>.processors,
        help: "The processor time that the group may use, in percent of one processor."
    )

    package static let descriptor = FaultDescriptor(
        name: "cpu.limit",
        summary: "Limits the processor time of the control group that the target is in.",
        parameters: [quota.erased],
        targets: [.process],
        reach: .leader,
        holder: .journal,
        needs: [
            "a control group of the target's own with the cpu controller, v1 or v2, that the agent may write"
        ],
        changesGroup: .cpu
    )

    /// The kernel takes no quota below a millisecond.
    private static let leastQuota = 1000.0

    private let quota: Double

    package init(_ parameters: Parameters) throws(DefinitionError) {
        quota = try parameters.value(Self.quota)
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let name = Self.descriptor.name
        let group = try kernel.limitableGroup(of: target, for: .cpu, name)
        let file = Self.file(of: group)
        try kernel.requireWritable(file, of: group)
        let former = try Self.limit(of: group, on: kernel)
        let asked = try text(period: former.period, in: group)
        let setting = try kernel.setting(file, of: group, asked: asked)
        if let before = former.quota, setting.asked != nil, before <= quota {
            throw .refused(
                "\(name): \(group) is limited to \(Self.spelled(before)) of a processor already: "
                    + "ask for less, got \(Self.spelled(quota))"
            )
        }
        try requireRoomBelow(group, on: kernel)
        let throttling = try kernelCall { () throws(KernelError) in
            try kernel.groups.throttling(of: group)
        }
        let before = former.quota.map { "\(Self.spelled($0)) of a processor" } ?? "no limit"
        return FaultPlan(
            changes: [
                "limits \(group) (\(try kernel.population(of: group))) to \(Self.spelled(quota)) of a processor: "
                    + "\(file) \(asked), now \(before); the former value at the end"
            ],
            undo: Undo(setting: setting, throttling: throttling),
            holder: .journal,
            engine: "cgroup-v\(group.version.rawValue)"
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try undo.setting.apply(on: kernel)
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        guard try undo.setting.isInForce(on: kernel) else {
            throw .noEffect(
                "\(undo.setting.file) of \(undo.setting.group) did not take the value \(undo.setting.asked ?? "")"
            )
        }
        return Effect("\(undo.setting.file) of \(undo.setting.group) reads back as written")
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        undo.setting.touches
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let counted = try kernelCall { () throws(KernelError) in
            try kernel.groups.throttling(of: undo.setting.group)
        }.since(undo.throttling)
        let changed = try !undo.setting.isInForce(on: kernel)
        return Effect(
            (changed ? "somebody else changed the limit meanwhile; " : "")
                + "held back in \(counted.throttled) of \(counted.periods) periods",
            figures: [
                Figure("periods", Double(counted.periods)),
                Figure("throttled_periods", Double(counted.throttled)),
                Figure("throttled", counted.throttledMs, unit: "ms"),
            ],
            hit: counted.throttled > 0
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

    private static func file(of group: ControlGroup) -> String {
        group.version == .v1 ? "cpu.cfs_quota_us" : "cpu.max"
    }

    /// What is written to have the quota with the period that the group has.
    private func text(period: Double, in group: ControlGroup) throws(FaultError) -> String {
        let microseconds = (quota * period).rounded()
        guard microseconds >= Self.leastQuota else {
            let least = Self.spelled(Self.leastQuota / period)
            throw .refused(
                "cpu.limit: the kernel gives \(group) at least \(least) with its period of \(Int(period)) us, "
                    + "got \(Self.spelled(quota))"
            )
        }
        return group.version == .v1
            ? "\(Int(microseconds))" : "\(Int(microseconds)) \(Int(period))"
    }

    /// The quota of a group as a share of one processor, nil for none, and its period in microseconds.
    private static func limit(
        of group: ControlGroup,
        on kernel: Kernel
    ) throws(FaultError) -> (quota: Double?, period: Double) {
        let text = try kernelCall { () throws(KernelError) in
            guard group.version == .v1 else { return try kernel.groups.read("cpu.max", of: group) }
            let quota = try kernel.groups.read("cpu.cfs_quota_us", of: group)
            let period = try kernel.groups.read("cpu.cfs_period_us", of: group)
            return quota.flatMap { quota in period.map { "\(quota) \($0)" } }
        }
        let words = (text ?? "").split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let period = Double(words[1]), period > 0 else {
            throw .unavailable("the limit of \(group) cannot be read: \(text ?? "no such file")")
        }
        let quota = Double(words[0]).flatMap { $0 < 0 ? nil : $0 / period }
        return (quota, period)
    }

    /// In v1 a group may not have less than one below it.
    private func requireRoomBelow(_ group: ControlGroup, on kernel: Kernel) throws(FaultError) {
        guard group.version == .v1 else { return }
        let below = try kernelCall { () throws(KernelError) in
            try kernel.groups.groups(below: group)
        }
        for inner in below {
            guard let limit = try Self.limit(of: inner, on: kernel).quota, limit > quota else {
                continue
            }
            throw .refused(
                "cpu.limit: \(inner), below \(group), has a limit of \(Self.spelled(limit)) of a processor, "
                    + "and control groups v1 allow no lower one above it: target that group, or ask for more"
            )
        }
    }

    private static func spelled(_ share: Double) -> String {
        ParameterValue.shortest((share * 1000).rounded() / 10) + "%"
    }
}

extension ParameterKind where Value == Double {
    /// Processor time in percent of one processor, as a number of processors.
    static var processors: ParameterKind {
        let quantity = Quantity(
            "percent",
            noun: "a percentage of one processor such as \"50%\" or \"250%\"",
            example: "50%",
            units: ["%"],
            allowed: "between 0.1% and 1000000%",
            range: 0.001...10_000,
            read: Units.share
        )
        return .quantity(quantity) { $0 }
    }
}
