// What the faults have in common that use something up: a worker of its own for each lease, which the kernel ends
// with the agent, in control groups of its own. Each fault only says how much of what, and refuses what cannot be.

package import ChaosModel

/// Which worker, and the groups that its own groups are below.
package struct LoadUndo: Codable, Sendable {
    /// The name of the worker and of its groups.
    var name: String
    var load: Load
    var parents: [ControlGroup]
}

/// A fault that uses something up.
package protocol LoadFault: Fault where Undo == LoadUndo {}

extension LoadFault {
    package func inject(_ undo: LoadUndo, on kernel: Kernel) async throws(FaultError) {
        try await undo.begin(on: kernel)
    }

    package func verify(_ undo: LoadUndo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try await undo.verified(on: kernel)
    }

    package static func touches(_ undo: LoadUndo) -> [StatePart] {
        undo.touches
    }

    package static func effect(_ undo: LoadUndo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        try await undo.effect(on: kernel)
    }

    package static func endedEarly(_ undo: LoadUndo, on kernel: Kernel) async -> String? {
        await kernel.loads.endedEarly(undo.name)
    }

    package static func revert(_ undo: LoadUndo, on kernel: Kernel) async throws(FaultError) {
        try await undo.end(on: kernel)
    }

    package static func verifyReverted(
        _ undo: LoadUndo,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect {
        try await undo.verifiedEnd(on: kernel)
    }
}

extension LoadUndo {
    /// The groups that its own are below, and the folder of its files.
    var touches: [StatePart] {
        let groups = parents.map { StatePart.groups(below: $0) }
        switch load {
        case .space(let load): return groups + [.folder(path: load.folder)]
        case .transfer(let load): return groups + [.folder(path: load.folder)]
        case .processor, .memory: return groups
        }
    }

    /// Makes the groups, and the worker in them.
    func begin(on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            var groups: [ControlGroup] = []
            for parent in parents { groups.append(try kernel.groups.make(name, below: parent)) }
            try await kernel.loads.begin(load, as: name, in: groups)
        } catch {
            throw FaultError(error)
        }
    }

    /// What the worker does, once it is there.
    func verified(on kernel: Kernel) async throws(FaultError) -> Effect {
        let state: LoadState?
        do throws(KernelError) {
            state = try await kernel.loads.state(of: name)
        } catch {
            throw error.kind == .gone ? .noEffect(error.reason) : .kernel(error)
        }
        guard let state else { throw .noEffect("the worker \(name) is not there") }
        return Effect(state.seen, figures: state.figures)
    }

    /// What the worker does now, or how it ended.
    func effect(on kernel: Kernel) async throws(FaultError) -> Effect {
        do throws(KernelError) {
            guard let state = try await kernel.loads.state(of: name) else {
                throw KernelError(.failed, "measure \(name)", "its worker is not there")
            }
            return Effect(state.seen, figures: state.figures)
        } catch {
            guard error.kind == .gone else { throw .kernel(error) }
            return Effect("ended early: \(error.reason)")
        }
    }

    /// Ends the worker and removes its groups.
    func end(on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            try await kernel.loads.end(name, load)
            for parent in parents {
                guard let group = try parent.group(named: name, on: kernel) else { continue }
                try await kernel.groups.remove(group)
            }
        } catch {
            throw .kernel(error)
        }
    }

    /// Looks whether worker and groups are gone.
    func verifiedEnd(on kernel: Kernel) async throws(FaultError) -> Effect {
        do throws(KernelError) {
            if let state = try await kernel.loads.state(of: name) {
                throw KernelError(.failed, "end \(name)", "it still \(state.seen)")
            }
            for parent in parents {
                guard let group = try parent.group(named: name, on: kernel) else { continue }
                throw KernelError(.failed, "remove \(group)", "it is still there")
            }
        } catch {
            throw .noEffect(error.description)
        }
        return Effect(
            parents.isEmpty ? "the worker is gone" : "the worker and its control group are gone"
        )
    }
}

extension ControlGroup {
    /// A group of ours directly below this one; nil when there is none, or this one is gone.
    fileprivate func group(named name: String, on kernel: Kernel) throws(KernelError)
        -> ControlGroup?
    {
        // Usage is there in every group; the controllers of v2 need not be on in ours.
        let any = version == .v2 ? .cpuacct : controller
        let path = isRoot ? "/\(name)" : "\(self.path)/\(name)"
        return try kernel.groups.group(at: path, for: any)
    }
}

/// Where a load goes: the host, or the control groups of a process.
struct LoadScope {
    /// The groups that those of the worker are below, one in each hierarchy.
    var parents: [ControlGroup]
    /// What it is called: `host`, `control group /shop`.
    var name: String

    /// Finds the groups, and whether ones of ours can be made below them.
    ///
    /// In v1 each controller has a hierarchy of its own, in v2 all share one.
    init(
        of target: Target,
        _ controllers: [ControlGroupController],
        on kernel: Kernel
    ) throws(FaultError) {
        parents = []
        for controller in controllers {
            let found = try kernelCall { () throws(KernelError) -> ControlGroup? in
                guard let process = target.process else {
                    return try kernel.groups.group(at: "/", for: controller)
                }
                return try kernel.groups.group(of: process, for: controller)
            }
            guard let group = found else {
                throw .unavailable("there is no control group / for \(controller.rawValue)")
            }
            let obstacle = try kernelCall { () throws(KernelError) in
                try kernel.groups.obstacle(to: "cgroup.procs", of: group)
            }
            if let obstacle {
                throw .unavailable(
                    "the worker needs a control group of its own below \(group.folder): \(obstacle)"
                )
            }
            if !parents.contains(where: { $0.folder == group.folder }) { parents.append(group) }
        }
        switch target {
        case .process: name = parents.first?.description ?? "\(target)"
        default: name = "\(target)"
        }
    }
}
