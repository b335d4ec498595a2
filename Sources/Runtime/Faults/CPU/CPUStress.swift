// `cpu.stress`: keeps processors busy to a share. What 100 % is depends on where: the chosen processors of the host,
// or what the target's control group may have, which a quota can make less.

package import ChaosModel

/// Keeps processors busy.
package struct CPUStress: LoadFault {
    static let load = Parameter(
        required: "load",
        ParameterKind<Double>.percent,
        help: "The share of the processors, or of the control group's quota, to keep busy."
    )
    static let cores = Parameter(
        "cores",
        ParameterKind<ProcessorChoice>.processors,
        default: "all",
        help: "Which processors: \"all\", how many, or a list of their numbers."
    )
    static let mode = Parameter(
        "mode",
        ParameterKind<String>.choice(["added", "total"]),
        default: "added",
        help:
            "Whether the load is added to what others use, or what others use counts and only the rest is added."
    )

    package static let descriptor = FaultDescriptor(
        name: "cpu.stress",
        summary: "Keeps processors busy, of the host or within a process's control group.",
        parameters: [load.erased, cores.erased, mode.erased],
        targets: [.host, .process],
        reach: .leader,
        holder: .kernel,
        needs: ["control groups (v1 cpu and cpuacct, or v2) in which a group can be made"]
    )

    private let share: Double
    private let choice: ProcessorChoice
    private let isTotal: Bool

    package init(_ parameters: Parameters) throws(DefinitionError) {
        share = try parameters.value(Self.load)
        choice = try parameters.value(Self.cores)
        isTotal = try parameters.value(Self.mode) == "total"
        guard share > 0 else { throw parameters.error("load must be more than 0%, got 0%") }
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError) -> FaultPlan<LoadUndo>
    {
        let scope = try LoadScope(
            of: target,
            [.cpuacct] + Self.quotaController(target, kernel),
            on: kernel
        )
        let process = target.process
        let allowed = try kernelCall { () throws(KernelError) in
            try kernel.loads.processors(of: process)
        }
        let processors = try choice.pick(from: allowed)
        let quota = try process == nil ? nil : Self.quota(of: scope.parents, on: kernel)
        let capacity = min(Double(processors.count), quota ?? .infinity)
        let load = ProcessorLoad(
            share: share,
            isTotal: isTotal,
            processors: processors,
            capacity: capacity,
            group: process == nil ? nil : scope.parents.first
        )
        let what =
            capacity < Double(processors.count)
            ? "a quota of \(ParameterValue.shortest(capacity)) processors"
            : "processor\(processors.count == 1 ? "" : "s") \(processors.map(String.init).joined(separator: ","))"
        let verb = isTotal ? "brings the use of \(what) to" : "uses"
        let amount = MetricUnit.share.spelled(share) + (isTotal ? "" : " of \(what)")
        return FaultPlan(
            changes: [
                "\(verb) \(amount) in \(scope.name), by a worker in a control group of its own"
            ],
            undo: LoadUndo(
                name: ControlGroup.ownPrefix + context.lease.text,
                load: .processor(load),
                parents: scope.parents
            ),
            holder: .kernel
        )
    }

    /// The controller of quotas, where there is one; a group without it has no quota of its own.
    private static func quotaController(
        _ target: Target,
        _ kernel: Kernel
    ) -> [ControlGroupController] {
        guard let process = target.process else {
            return (try? kernel.groups.group(at: "/", for: .cpu)) == nil ? [] : [.cpu]
        }
        return (try? kernel.groups.group(of: process, for: .cpu)) == nil ? [] : [.cpu]
    }

    /// How many processors' worth a group may use: the least of its quota and those above it; nil for no limit.
    private static func quota(of groups: [ControlGroup], on kernel: Kernel) throws(FaultError)
        -> Double?
    {
        var least: Double?
        for group in groups {
            var path = group.path
            while path != "/", !path.isEmpty {
                let quota = try kernelCall { () throws(KernelError) -> Double? in
                    // A group above that has no such controller has no quota.
                    guard let found = try? kernel.groups.group(at: path, for: .cpu) else {
                        return nil
                    }
                    return try kernel.groups.processorQuota(of: found)
                }
                if let quota { least = min(least ?? quota, quota) }
                path = "/" + path.split(separator: "/").dropLast().joined(separator: "/")
            }
        }
        return least
    }
}

extension ControlGroupPort {
    /// The processors' worth of time that the quota of a group allows; nil without one.
    fileprivate func processorQuota(of group: ControlGroup) throws(KernelError) -> Double? {
        let words: [Substring]
        if group.version == .v2 {
            words = (try read("cpu.max", of: group) ?? "").split(whereSeparator: \.isWhitespace)
        } else {
            let quota = try read("cpu.cfs_quota_us", of: group) ?? ""
            let period = try read("cpu.cfs_period_us", of: group) ?? ""
            words = "\(quota) \(period)".split(whereSeparator: \.isWhitespace)
        }
        guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]),
            quota > 0, period > 0
        else { return nil }
        return quota / period
    }
}
