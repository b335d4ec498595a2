// `pid.exhaust`: a service cannot start another process or thread, because the places of its control group
// (`pids.max`) or of its user (RLIMIT_NPROC) are taken. They are taken by tasks of ours that sleep, in a group of
// ours below the target's: the kernel ends them when the agent ends.

package import ChaosModel

/// Takes the places for new processes and threads of a target.
package struct PIDExhaust: Fault {
    /// Whose places.
    package enum Scope: String, Codable, Sendable, CaseIterable {
        case cgroup, user
    }

    /// The tasks to end.
    package struct Undo: Codable, Sendable {
        var process: ProcessIdentity
        /// What the tasks and their group are called.
        var name: String
        /// The target's group, with scope `cgroup`.
        var group: ControlGroup?
        var userID: UInt32?
        var count: Int
        var limit: Int
        var refused: Int
        /// Whether places that become free later are taken too; a journal of before does not say.
        var staysFull: Bool?
    }

    static let share = Parameter(
        "share",
        ParameterKind<Double>.percent,
        default: "100%",
        help:
            "How full the limit is made: at 95%, the last 5% of the limit can still be used; at 100%, places that "
            + "the target gives up are taken as well."
    )
    static let scope = Parameter(
        "scope",
        ParameterKind<String>.choice(Scope.allCases.map(\.rawValue)),
        default: "cgroup",
        help:
            "Which limit: \"cgroup\" (pids.max of the target's group) or \"user\" (its RLIMIT_NPROC)."
    )

    package static let descriptor = FaultDescriptor(
        name: "pid.exhaust",
        summary:
            "Takes the places for new processes and threads of a target's control group or user.",
        parameters: [share.erased, scope.erased],
        targets: [.process],
        reach: .leader,
        holder: .kernel,
        capabilities: [
            NeededCapability(
                "CAP_SETUID",
                reason: "with scope = \"user\", to be counted as that user"
            )
        ],
        needs: [
            "with scope = \"cgroup\", a group of the target's own with the pids controller and a limit, v1 or v2, "
                + "below which the agent may make groups"
        ]
    )

    /// Tasks that stay free for the rest of the host, whatever is asked.
    private static let hostReserve = 1000

    /// How often and after what time it is looked again whether a place that came free was taken.
    private static let looks = 10
    private static let pause = Duration.milliseconds(20)

    private let share: Double
    private let scope: Scope

    package init(_ parameters: Parameters) throws(DefinitionError) {
        share = try parameters.value(Self.share)
        scope = Scope(rawValue: try parameters.value(Self.scope)) ?? .cgroup
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let process = try target.process(for: Self.descriptor.name)
        var undo = Undo(
            process: process,
            name: "\(ControlGroup.ownPrefix)\(context.lease)",
            group: nil,
            userID: nil,
            count: 0,
            limit: 0,
            refused: 0,
            staysFull: share == 1
        )
        let places: TaskPlaces
        let whose: String
        switch scope {
        case .cgroup:
            let group = try kernel.limitableGroup(of: target, for: .pids, Self.descriptor.name)
            // Below it a group of ours is made, and the child moved in.
            try kernel.requireWritable("cgroup.procs", of: group)
            undo.group = group
            undo.refused = try kernelCall { () throws(KernelError) in
                try kernel.groups.refusedTasks(of: group)
            }
            places = try Self.places(of: group, on: kernel)
            whose = "\(group)"
        case .user:
            undo.userID = try Self.user(of: process, target, on: kernel)
            places = try kernelCall { () throws(KernelError) in
                try kernel.tasks.userPlaces(of: process)
            }
            whose = "user \(undo.userID ?? 0)"
        }
        let limit = try limit(places, whose)
        undo.limit = limit
        undo.count = Int((Double(limit) * share).rounded(.down)) - places.used
        try check(undo, places, whose, on: kernel)
        return FaultPlan(
            changes: [
                "starts \(undo.count) tasks that sleep in the places of \(whose): \(places.used) of \(limit) are taken, "
                    + "\(limit - places.used - undo.count) will be left"
            ],
            undo: undo,
            holder: .kernel,
            engine: scope.rawValue
        )
    }

    private func limit(_ places: TaskPlaces, _ whose: String) throws(FaultError) -> Int {
        if let limit = places.limit { return limit }
        let way =
            scope == .cgroup
            ? "write one to pids.max (systemd: TasksMax=), or use scope = \"user\""
            : "set one (ulimit -u, systemd: LimitNPROC=), or use scope = \"cgroup\""
        throw .unavailable(
            "pid.exhaust: \(whose) has no limit of tasks that could be reached: \(way)"
        )
    }

    private func check(
        _ undo: Undo,
        _ places: TaskPlaces,
        _ whose: String,
        on kernel: Kernel
    ) throws(FaultError) {
        guard undo.count > 0 else {
            throw .refused(
                "pid.exhaust: \(places.used) of the \(undo.limit) places of \(whose) are taken already, "
                    + "no fewer than share = \"\(MetricUnit.share.spelled(share))\" asks for"
            )
        }
        let host = try kernelCall { () throws(KernelError) in try kernel.tasks.hostPlaces() }
        let room = (host.limit ?? .max) - host.used - Self.hostReserve
        guard undo.count <= room else {
            throw .refused(
                "pid.exhaust: \(undo.count) tasks are needed, and the whole host has room for \(max(0, room)) "
                    + "(\(Self.hostReserve) are left to others): lower the limit of \(whose), or ask for less"
            )
        }
    }

    /// The user of a process, when its limit can hold it and it is not the agent's.
    private static func user(
        of process: ProcessIdentity,
        _ target: Target,
        on kernel: Kernel
    ) throws(FaultError) -> UInt32 {
        let found = try kernelCall { () throws(KernelError) in
            try kernel.processes.snapshot(of: process)
        }
        guard let found else { throw .targetGone("process \(process.pid) has ended") }
        if found.userID == 0 {
            throw .refused(
                "pid.exhaust: \(target) belongs to root, whom the limit of a user does not bind: "
                    + "use scope = \"cgroup\""
            )
        }
        if found.userID == kernel.host.userID() {
            throw .refused(
                "pid.exhaust: \(target) belongs to the user that moonquake runs as, which would be hit: "
                    + "use scope = \"cgroup\""
            )
        }
        guard kernel.host.hasCapability("CAP_SETUID") else {
            throw .unavailable(
                "pid.exhaust: taking places of user \(found.userID) needs CAP_SETUID: run as root"
            )
        }
        return found.userID
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            let inner = try undo.group.map { group throws(KernelError) in
                try kernel.groups.make(undo.name, below: group)
            }
            let order = TaskOrder(
                name: undo.name,
                group: inner,
                userID: undo.userID,
                count: undo.count,
                limit: undo.staysFull == true ? undo.limit : nil,
                limited: undo.group
            )
            _ = try await kernel.tasks.occupy(order)
        } catch {
            throw FaultError(error)
        }
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        var (held, places) = try Self.taken(undo, on: kernel)
        // The target's own tasks come and go meanwhile; ours must be there, or the limit met.
        func isIncomplete() -> Bool {
            held == 0 || held < undo.count && places.used < undo.limit
        }
        for _ in 0..<Self.looks where undo.staysFull == true && isIncomplete() {
            try? await kernel.time.sleep(for: Self.pause)
            (held, places) = try Self.taken(undo, on: kernel)
        }
        guard !isIncomplete() else {
            throw .noEffect(
                "the kernel allowed \(held) tasks of \(undo.count), with \(places.used) of \(undo.limit) taken"
            )
        }
        return Effect(
            "\(held) tasks of ours; \(places.used) of \(undo.limit) places are taken",
            figures: Self.figures(held, places, undo),
            hit: true
        )
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        undo.group.map { [.groups(below: $0)] } ?? []
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let (held, places) = try taken(undo, on: kernel)
        var figures = figures(held, places, undo)
        var seen = "\(held) tasks of ours; \(places.used) of \(undo.limit) places were taken"
        if let group = undo.group {
            let refused = try kernelCall { () throws(KernelError) in
                try kernel.groups.refusedTasks(of: group) - undo.refused
            }
            figures.append(Figure("refused_tasks", Double(refused)))
            seen += "; \(refused) new tasks were refused"
        }
        return Effect(seen, figures: figures, hit: true)
    }

    package static func endedEarly(_ undo: Undo, on kernel: Kernel) async -> String? {
        await kernel.tasks.occupantsEnded(undo.name)
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            try await kernel.tasks.vacate(undo.name)
            // Whatever is in a group of ours is ended with it, also by a process that only has the undo.
            guard let inner = try inner(undo, on: kernel) else { return }
            try await kernel.groups.remove(inner)
        } catch {
            throw FaultError(error)
        }
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        let left = try kernelCall { () throws(KernelError) in
            (try inner(undo, on: kernel), try kernel.tasks.occupied(undo.name))
        }
        guard left.0 == nil, left.1 == 0 else {
            throw .noEffect("\(undo.name) is still there with \(left.1) tasks")
        }
        return Effect("the tasks of \(undo.name) are gone")
    }

    /// The group of ours below the target's; nil when there is none.
    private static func inner(_ undo: Undo, on kernel: Kernel) throws(KernelError) -> ControlGroup?
    {
        guard let group = undo.group else { return nil }
        do throws(KernelError) {
            return try kernel.groups.groups(below: group).first {
                $0.path == "\(group.path)/\(undo.name)"
            }
        } catch  where error.kind == .gone {
            return nil
        }
    }

    /// How many tasks of ours there are, and how many in all.
    private static func taken(_ undo: Undo, on kernel: Kernel) throws(FaultError) -> (
        Int, TaskPlaces
    ) {
        let held = try kernelCall { () throws(KernelError) in
            try kernel.tasks.occupied(undo.name)
        }
        return (held, try places(of: undo, on: kernel))
    }

    private static func places(of undo: Undo, on kernel: Kernel) throws(FaultError) -> TaskPlaces {
        if let group = undo.group { return try places(of: group, on: kernel) }
        return try kernelCall { () throws(KernelError) in
            try kernel.tasks.userPlaces(of: undo.process)
        }
    }

    private static func places(of group: ControlGroup, on kernel: Kernel) throws(FaultError)
        -> TaskPlaces
    {
        try kernelCall { () throws(KernelError) in
            TaskPlaces(
                used: try kernel.groups.tasks(of: group),
                limit: try kernel.groups.taskLimit(of: group)
            )
        }
    }

    private static func figures(_ held: Int, _ places: TaskPlaces, _ undo: Undo) -> [Figure] {
        [
            Figure("own_tasks", Double(held)), Figure("tasks", Double(places.used)),
            Figure("limit", Double(undo.limit)),
        ]
    }
}
