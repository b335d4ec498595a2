// `disk.fill`: takes the space of a file system in files without a name, which a worker holds open: when it dies, for
// whatever reason, the kernel frees the space.

package import ChaosModel

/// Takes space.
package struct DiskFill: LoadFault {
    static let to = Parameter(
        "to",
        ParameterKind<Double>.percent,
        help: "Fill until this is used, as `df` counts; either this or `size`."
    )
    static let size = Parameter(
        "size",
        ParameterKind<Int>.size(),
        help: "Take this much; either this or `to`."
    )
    static let keepFree = Parameter(
        "keep_free",
        ParameterKind<Int>.size(),
        default: "0B",
        help: "Leave at least this much available, whatever `to` and `size` say."
    )
    static let visible = Parameter(
        "visible",
        ParameterKind<Bool>.boolean,
        default: .boolean(false),
        help:
            "Whether the files have names, for programs that look for what fills the disk and remove it; held by the journal then."
    )

    package static let descriptor = FaultDescriptor(
        name: "disk.fill",
        summary: "Takes the space of a file system.",
        parameters: [
            DiskScope.path.erased, to.erased, size.erased, keepFree.erased, visible.erased,
            DiskScope.allowRoot.erased,
        ],
        targets: [.host],
        holder: .kernel,
        needs: ["the right to write in the folder"],
        survivesReboot: true
    )

    private let scope: DiskScope
    private let amount: SpaceLoad.Amount
    private let keepFree: Int
    private let isVisible: Bool

    package init(_ parameters: Parameters) throws(DefinitionError) {
        scope = try DiskScope(parameters)
        keepFree = try parameters.value(Self.keepFree)
        isVisible = try parameters.value(Self.visible)
        switch (parameters[Self.to], parameters[Self.size]) {
        case (let share?, nil): amount = .used(share)
        case (nil, let bytes?): amount = .bytes(bytes)
        default: throw parameters.error("give either to or size: to = \"90%\", or size = \"10GiB\"")
        }
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError) -> FaultPlan<LoadUndo>
    {
        let space = try scope.fileSystem(in: context, on: kernel)
        try scope.requireWritable(space)
        let used = MetricUnit.share.spelled(space.share)
        let wanted: Int
        switch amount {
        case .bytes(let bytes): wanted = bytes
        case .used(let share):
            wanted = space.bytes(toUse: share)
            guard wanted > 0 else {
                throw .refused(
                    "\(space.folder) is \(used) used already: to must be more than that, got "
                        + MetricUnit.share.spelled(share)
                )
            }
        }
        let possible = max(0, space.available - keepFree)
        guard possible > 0 else {
            throw .refused(
                "\(space.folder) has \(space.available.asBytes) available, and keep_free is \(keepFree.asBytes)"
            )
        }
        if case .bytes = amount, wanted > possible {
            throw .refused(
                "\(space.folder) has \(space.available.asBytes) available, of which \(keepFree.asBytes) are to be "
                    + "kept free: size must be at most \(possible.asBytes), got \(wanted.asBytes)"
            )
        }
        let taken = min(wanted, possible)
        let capped = taken < wanted ? ", which leaves the \(keepFree.asBytes) of keep_free" : ""
        let load = SpaceLoad(
            folder: space.folder,
            device: space.device,
            amount: amount,
            keepFree: keepFree,
            isVisible: isVisible
        )
        let files = isVisible ? "files of ours" : "files without a name"
        return FaultPlan(
            changes: [
                "takes \(taken.asBytes) of \(space.kind) at \(space.folder), \(used) used now, in \(files)\(capped)"
            ],
            undo: LoadUndo(
                name: ControlGroup.ownPrefix + context.lease.text,
                load: .space(load),
                parents: []
            ),
            holder: isVisible ? .journal : .kernel
        )
    }
}
