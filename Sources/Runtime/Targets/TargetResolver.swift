// From a selector to the targets that are there now. The agent asks this, never the runner, so that what is
// protected stays protected whatever a script says.

package import ChaosModel

/// Finds what a selector matches.
package struct TargetResolver: Sendable {
    private let kernel: Kernel
    private let protectedProcesses: Set<Int32>
    /// Our own program: agents and runners of other runs are no targets either.
    private let ownExecutable: String?

    /// Makes a resolver.
    ///
    /// - Parameters:
    ///   - kernel: The machine to look at.
    ///   - protectedProcesses: Processes that never are targets, beside pid 1, the kernel's threads, this
    ///     process, its ancestors, and others of the same program.
    package init(kernel: Kernel, protectedProcesses: [Int32] = []) {
        self.kernel = kernel
        let ancestry = kernel.host.ancestry()
        self.protectedProcesses = Set(protectedProcesses).union(ancestry).union([1])
        // Without /proc nothing can be selected by name, so nothing of ours can be hit by it.
        ownExecutable =
            ancestry.first.flatMap { try? kernel.processes.snapshot(pid: $0) }?.executable
    }

    /// Everything that matches, in a stable order.
    ///
    /// - Throws: `TargetError` when nothing matches, with the reason.
    package func candidates(_ selector: TargetSelector) throws(TargetError) -> [Target] {
        let options = try TargetError.definition { () throws(DefinitionError) in
            try selector.validated()
        }
        let found = try all(selector.kind, options)
        let left = withoutExceptions(found, options)
        guard !left.isEmpty else {
            throw .noTarget(
                options.error("\(try whyNothing(found, selector, options)): \(selector)")
            )
        }
        return left
    }

    private func whyNothing(
        _ found: [Target],
        _ selector: TargetSelector,
        _ options: Parameters
    ) throws(TargetError) -> String {
        guard found.isEmpty else { return "matches only what `except` leaves out" }
        let all = try all(selector.kind, options, seesProtected: true)
        return all.isEmpty ? "matches nothing on this host" : "matches only what is protected"
    }

    /// Everything that matches, for what only looks: nothing is an answer, and what is protected may be seen.
    package func seen(_ selector: TargetSelector) throws(TargetError) -> [Target] {
        let options = try TargetError.definition { () throws(DefinitionError) in
            try selector.validated()
        }
        return withoutExceptions(try all(selector.kind, options, seesProtected: true), options)
    }

    private func all(
        _ kind: TargetKind,
        _ options: Parameters,
        seesProtected: Bool = false
    ) throws(TargetError) -> [Target] {
        switch kind {
        case .host: [Target.host]
        case .netns: try namespaces(options)
        case .process: try processes(options, seesProtected: seesProtected)
        }
    }

    private func withoutExceptions(_ found: [Target], _ options: Parameters) -> [Target] {
        let excepted = Set(options[TargetOptions.except] ?? [])
        return found.filter { !excepted.contains($0.name) }
    }

    /// Why a target must never be hit; nil when it may.
    package func protection(of target: Target) throws(TargetError) -> String? {
        guard case .process(_, let identity) = target,
            let process = try TargetError.kernel({ () throws(KernelError) in
                try kernel.processes.snapshot(of: identity)
            })
        else { return nil }
        return protection(of: process)
    }

    private func protection(of process: ProcessSnapshot) -> String? {
        if process.identity.pid == 1 { return "pid 1" }
        if process.isKernelThread { return "a thread of the kernel" }
        if protectedProcesses.contains(process.identity.pid) {
            return "moonquake itself or one of its ancestors"
        }
        if let ownExecutable, process.executable == ownExecutable {
            return "moonquake, of another run"
        }
        return nil
    }

    private func namespaces(_ options: Parameters) throws(TargetError) -> [Target] {
        var found: [Target] = []
        for name in options[TargetOptions.netnsName] ?? [] {
            let namespace = try TargetError.kernel { () throws(KernelError) in
                try kernel.network.namespace(named: name)
            }
            guard let namespace else {
                throw .noTarget(
                    options.error("there is no network namespace \"\(name)\": see `ip netns list`")
                )
            }
            found.append(.netns(name: name, namespace))
        }
        return found
    }

    private func pidsToLookAt(_ options: Parameters) throws(TargetError) -> [Int32] {
        if let given = options[TargetOptions.pid] { return given.map { Int32($0) } }
        return try TargetError.kernel { () throws(KernelError) in try kernel.processes.pids() }
    }

    private func processes(_ options: Parameters, seesProtected: Bool) throws(TargetError)
        -> [Target]
    {
        let matcher = try ProcessMatcher(options, on: kernel)
        let pids = try pidsToLookAt(options)
        var found: [Target] = []
        for pid in pids.sorted() {
            let process = try TargetError.kernel { () throws(KernelError) in
                try kernel.processes.snapshot(pid: pid)
            }
            guard let process, process.state != "Z", try matcher.matches(process) else { continue }
            if !seesProtected, let reason = protection(of: process) {
                guard options.given.contains(TargetOptions.pid.name) else { continue }
                throw .noTarget(options.error("process \(pid) is protected: it is \(reason)"))
            }
            found.append(.process(name: process.displayName, process.identity))
        }
        return found
    }
}

extension Target {
    /// The name a user knows it by.
    var name: String {
        switch self {
        case .host: "host"
        case .netns(let name, _), .process(let name, _): name
        }
    }
}

/// Why there are no targets.
package enum TargetError: Error, Sendable {
    /// The selector is wrong, or matches nothing that may be hit.
    case noTarget(DefinitionError)
    /// The machine could not be asked.
    case kernel(KernelError)

    static func definition<Value>(_ body: () throws(DefinitionError) -> Value) throws(TargetError)
        -> Value
    {
        do throws(DefinitionError) {
            return try body()
        } catch {
            throw .noTarget(error)
        }
    }

    static func kernel<Value>(_ body: () throws(KernelError) -> Value) throws(TargetError) -> Value
    {
        do throws(KernelError) {
            return try body()
        } catch {
            throw .kernel(error)
        }
    }
}
