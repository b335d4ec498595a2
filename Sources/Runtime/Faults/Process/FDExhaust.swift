// `fd.exhaust`: a service runs out of file descriptors. What a service meets in real life is its own limit
// (RLIMIT_NOFILE, EMFILE): the host's table (file-max) is all users', and a cgroup has no limit of files. So the
// soft limit of the running process is lowered to what it has open and what is to be left. docs/decisions/0022.

package import ChaosModel

/// Lowers the limit of open files of a running process to what it uses.
package struct FDExhaust: Fault {
    /// The limit to put back.
    package struct Undo: Codable, Sendable {
        var process: ProcessIdentity
        var former: UInt64
        var asked: UInt64
        /// How many descriptors were open.
        var open: Int
        var left: Int
    }

    static let share = Parameter(
        "share",
        ParameterKind<Double>.percent,
        default: "100%",
        help: "How full the limit is made: at 95%, the last 5% of the limit can still be opened."
    )

    package static let descriptor = FaultDescriptor(
        name: "fd.exhaust",
        summary: "Has a process run out of file descriptors, by its own limit.",
        parameters: [share.erased],
        targets: [.process],
        holder: .journal,
        capabilities: [
            NeededCapability(
                "CAP_SYS_RESOURCE",
                reason: "for processes of another user or group; your own need none"
            )
        ],
        isExclusive: true
    )

    /// How often, and after what time, it is looked again: what a request had open and gave back leaves room for the next.
    private static let looks = 10
    private static let pause = Duration.milliseconds(3)

    private let share: Double

    package init(_ parameters: Parameters) throws(DefinitionError) {
        share = try parameters.value(Self.share)
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let process = try target.process(for: Self.descriptor.name)
        let limit = try await Self.lasting(of: process, on: kernel)
        // A service with an unlimited table of a billion numbers is not exhausted by a share of that.
        let left = Int((Double(Int(clamping: limit.soft)) * (1 - share)).rounded(.down))
        let asked = limit.limit(leaving: left)
        guard asked < limit.soft else {
            throw .refused(
                "fd.exhaust: \(target) has \(limit.free) of \(limit.soft) descriptors left, no more than "
                    + "the \(left) that share = \"\(MetricUnit.share.spelled(share))\" leaves"
            )
        }
        return FaultPlan(
            changes: [
                "lowers the limit of open files of \(target) from \(limit.soft) to \(asked): "
                    + "\(limit.open.count) are open, \(left) more can be opened; \(limit.soft) at the end"
            ],
            undo: Undo(
                process: process,
                former: limit.soft,
                asked: asked,
                open: limit.open.count,
                left: left
            ),
            holder: .journal,
            engine: "prlimit"
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try Self.set(undo.asked, of: undo.process, on: kernel)
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let limit = try Self.limit(of: undo.process, on: kernel)
        guard limit.soft == undo.asked else {
            throw .noEffect("the limit of process \(undo.process.pid) is \(limit.soft)")
        }
        return Effect("limit \(limit.soft), \(limit.free) left", figures: Self.figures(limit))
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        [.process(identity: undo.process)]
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let limit = try limit(of: undo.process, on: kernel)
        guard limit.soft == undo.asked else {
            return Effect(
                "somebody else changed the limit to \(limit.soft) meanwhile",
                figures: figures(limit),
                hit: true
            )
        }
        return Effect("limit \(limit.soft), \(limit.free) left", figures: figures(limit), hit: true)
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        // Children inherit the limit, and a limit that is not ours is not ours to change.
        for heir in try heirs(of: undo, on: kernel) {
            _ = try kernelCall { () throws(KernelError) in
                try kernel.processes.setFileLimit(undo.former, of: heir)
            }
        }
        guard try limit(of: undo.process, on: kernel).soft == undo.asked else { return }
        try set(undo.former, of: undo.process, on: kernel)
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        let limit = try limit(of: undo.process, on: kernel)
        guard limit.soft != undo.asked else {
            throw .noEffect(
                "the limit of process \(undo.process.pid) is still \(limit.soft) instead of \(undo.former)"
            )
        }
        guard limit.soft == undo.former else {
            return Effect(
                "the limit is \(limit.soft): somebody else changed it, so it was left alone"
            )
        }
        return Effect("the limit is \(limit.soft) again")
    }

    /// The descendants that have the lowered limit from their parent.
    private static func heirs(of undo: Undo, on kernel: Kernel) throws(FaultError)
        -> [ProcessIdentity]
    {
        try kernelCall { () throws(KernelError) in
            guard try kernel.processes.snapshot(of: undo.process) != nil else { return [] }
            var heirs: [ProcessIdentity] = []
            for process in try kernel.processes.descendants(of: [undo.process]) {
                // One of another user, which may not be asked, was not given our limit to keep.
                guard let limit = try? kernel.processes.fileLimit(of: process.identity),
                    limit.soft == undo.asked
                else { continue }
                heirs.append(process.identity)
            }
            return heirs
        }
    }

    private static func figures(_ limit: FileLimit) -> [Figure] {
        [
            Figure("open", Double(limit.open.count)), Figure("limit", Double(limit.soft)),
            Figure("left", Double(limit.free)),
        ]
    }

    /// The limit, with what is open each time that is looked.
    private static func lasting(of process: ProcessIdentity, on kernel: Kernel)
        async throws(FaultError) -> FileLimit
    {
        var found = try limit(of: process, on: kernel)
        for _ in 1..<looks {
            try? await kernel.time.sleep(for: pause)
            let again = try limit(of: process, on: kernel)
            let open = Set(again.open)
            found = FileLimit(
                soft: again.soft,
                hard: again.hard,
                open: found.open.filter(open.contains)
            )
        }
        return found
    }

    private static func limit(of process: ProcessIdentity, on kernel: Kernel) throws(FaultError)
        -> FileLimit
    {
        let limit: FileLimit?
        do throws(KernelError) {
            limit = try kernel.processes.fileLimit(of: process)
        } catch  where error.kind == .notPermitted {
            throw .unavailable(error.description)
        } catch {
            throw FaultError(error)
        }
        guard let limit else { throw .targetGone("process \(process.pid) has ended") }
        return limit
    }

    private static func set(
        _ soft: UInt64,
        of process: ProcessIdentity,
        on kernel: Kernel
    ) throws(FaultError) {
        let reached = try kernelCall { () throws(KernelError) in
            try kernel.processes.setFileLimit(soft, of: process)
        }
        guard reached else { throw .targetGone("process \(process.pid) has ended") }
    }
}
