// `memory.pressure`: a worker holds memory, of the host or in the target's control group, until so much is in use.
//
// The worker is the first that the kernel kills when memory is out, and it gives memory back before the host is.

package import ChaosModel

/// Holds memory.
package struct MemoryPressure: LoadFault {
    static let use = Parameter(
        required: "use",
        ParameterKind<MemoryLoad.Amount>.memoryAmount,
        help:
            "A percentage: how much of the host's memory, or of the group's limit, is in use in all; a size: how much the worker holds."
    )
    static let ramp = Parameter(
        "ramp",
        ParameterKind<Duration>.duration(to: .seconds(3600)),
        default: "0s",
        help:
            "How long filling takes; the injection returns when it has begun, without a ramp when it is full."
    )
    static let onOOM = Parameter(
        "on_oom",
        ParameterKind<String>.choice(MemoryLoad.OnOutOfMemory.allCases.map(\.rawValue)),
        default: "fail",
        help:
            "When the kernel kills the worker for want of memory: the fault has ended early (\"fail\"), another takes its place (\"respawn\"), or that is what you wanted (\"ignore\")."
    )
    static let keepFree = Parameter(
        "keep_free",
        ParameterKind<Int>.size(),
        help:
            "What the host must have left; below it the worker gives memory back. Without it 2% of the host's memory, at least 64MiB."
    )

    package static let descriptor = FaultDescriptor(
        name: "memory.pressure",
        summary: "Holds memory, of the host or within a process's control group.",
        parameters: [use.erased, ramp.erased, onOOM.erased, keepFree.erased],
        targets: [.host, .process],
        reach: .leader,
        holder: .kernel,
        needs: ["control groups with the memory controller in which a group can be made"]
    )

    private let amount: MemoryLoad.Amount
    private let ramp: Duration
    private let onOutOfMemory: MemoryLoad.OnOutOfMemory
    private let keepFree: Int?

    package init(_ parameters: Parameters) throws(DefinitionError) {
        amount = try parameters.value(Self.use)
        ramp = try parameters.value(Self.ramp)
        onOutOfMemory =
            MemoryLoad.OnOutOfMemory(rawValue: try parameters.value(Self.onOOM)) ?? .fail
        keepFree = parameters[Self.keepFree]
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError) -> FaultPlan<LoadUndo>
    {
        let scope = try LoadScope(of: target, [.memory], on: kernel)
        let host = try kernelCall { () throws(KernelError) in try kernel.loads.memory() }
        let floor = keepFree ?? max(host.total / 50, 64 << 20)
        var group: ControlGroup?
        if case .process = target { group = scope.parents.first }
        let (limit, inUse) = try kernelCall { () throws(KernelError) in
            guard let group else { return (host.total, host.total - host.available) }
            return (
                try kernel.groups.memoryLimit(ofAll: group) ?? 0,
                try kernel.groups.memoryInUse(of: group)
            )
        }
        let wanted = try wanted(limit: limit, inUse: inUse, in: scope)
        guard wanted <= host.available - floor else {
            throw .refused(
                "\(wanted.asBytes) more in use would leave the host less than \(floor.asBytes): "
                    + "\(host.available.asBytes) are available; ask for less, or set keep_free lower"
            )
        }
        let load = MemoryLoad(
            amount: amount,
            limit: limit,
            rampMs: ramp.inMilliseconds,
            keepFree: floor,
            onOutOfMemory: onOutOfMemory,
            group: group
        )
        let slowly = ramp > .zero ? " over \(ramp.spelled)" : ""
        return FaultPlan(
            changes: [
                "takes \(wanted.asBytes) of memory in \(scope.name)\(slowly), by a worker that the kernel kills first "
                    + "and that gives back what the host needs to have \(floor.asBytes) left"
            ],
            undo: LoadUndo(
                name: ControlGroup.ownPrefix + context.lease.text,
                load: .memory(load),
                parents: scope.parents
            ),
            holder: .kernel
        )
    }

    /// How much has to be added now.
    private func wanted(limit: Int, inUse: Int, in scope: LoadScope) throws(FaultError) -> Int {
        switch amount {
        case .bytes(let bytes): return bytes
        case .inUse(let share):
            guard limit > 0 else {
                throw .refused(
                    "\(scope.name) has no limit of memory, so a percentage of it means nothing: give a size"
                )
            }
            let wanted = Int(Double(limit) * share) - inUse
            guard wanted > 0 else {
                throw .refused(
                    "\(inUse.asBytes) of \(limit.asBytes) are in use already in \(scope.name), which is "
                        + "\(MetricUnit.share.spelled(Double(inUse) / Double(limit))): ask for more"
                )
            }
            return wanted
        }
    }
}

extension ControlGroupPort {
    /// The least limit of a group and those above it; nil without one.
    fileprivate func memoryLimit(ofAll group: ControlGroup) throws(KernelError) -> Int? {
        var least: Int?
        var path = group.path
        while path != "/", !path.isEmpty {
            if let found = try? self.group(at: path, for: .memory),
                let limit = try memoryLimit(of: found)
            {
                least = min(least ?? limit, limit)
            }
            path = "/" + path.split(separator: "/").dropLast().joined(separator: "/")
        }
        return least
    }
}

extension ParameterKind where Value == MemoryLoad.Amount {
    /// A percentage or a size.
    static var memoryAmount: ParameterKind {
        .shareOrSize(type: "percent or size", share: { .inUse($0) }, bytes: { .bytes($0) })
    }
}
