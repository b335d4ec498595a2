// From a selector to the targets that are there now. The agent asks this, never the runner, so that what is
// protected stays protected whatever a script says.

package import ChaosModel

/// One match of a selector: a target, or a group with the parts of it that a fault hits.
package struct Candidate: Sendable, Hashable {
    /// The name a user knows it by, which `except` goes by.
    package var name: String
    /// What is hit of it.
    package var parts: [Target]
}

/// Finds what a selector matches.
package struct TargetResolver: Sendable {
    let kernel: Kernel
    let protection: Protection

    /// Makes a resolver.
    ///
    /// - Parameters:
    ///   - kernel: The machine to look at.
    ///   - protectedProcesses: Processes that never are targets, beside those that `Protection` names.
    ///   - protectedEndpoints: Servers of which those that listen on this host never are targets.
    package init(
        kernel: Kernel,
        protectedProcesses: [Int32] = [],
        protectedEndpoints: [ProtectedEndpoint] = []
    ) {
        self.kernel = kernel
        protection = Protection(
            kernel: kernel,
            processes: protectedProcesses,
            endpoints: protectedEndpoints
        )
    }

    /// Everything that matches, in a stable order.
    ///
    /// - Returns: The matches; none only if the selector says `if_absent = "ok"`.
    /// - Throws: `TargetError` when nothing matches, with the reason.
    package func candidates(
        _ selector: TargetSelector,
        reach: GroupReach = .processes
    ) async throws(TargetError) -> [Candidate] {
        let options = try TargetError.definition { () throws(DefinitionError) in
            try selector.validated()
        }
        let all = try await matches(of: selector.kind, options, reach)
        // What is protected is not absent: that `if_absent` does not excuse.
        if all.isEmpty, selector.mayBeAbsent { return [] }
        let found = try unprotected(all, options)
        let left = withoutExceptions(found, options)
        guard !left.isEmpty else {
            throw .noTarget(options.error("\(whyNothing(all, found)): \(selector)"))
        }
        return left
    }

    private func whyNothing(_ all: [Candidate], _ found: [Candidate]) -> String {
        if all.isEmpty { return "matches nothing on this host" }
        return found.isEmpty
            ? "matches only what is protected" : "matches only what `except` leaves out"
    }

    /// Everything that matches, for what only looks: nothing is an answer, and what is protected may be seen.
    package func seen(_ selector: TargetSelector) async throws(TargetError) -> [Target] {
        let options = try TargetError.definition { () throws(DefinitionError) in
            try selector.validated()
        }
        let all = try await matches(of: selector.kind, options, .processes)
        return withoutExceptions(all, options).flatMap(\.parts)
    }

    /// Why a target must never be hit; nil when it may, or when only its being the server of an endpoint forbids
    /// it, which `candidates` looks at.
    package func protection(of target: Target) throws(TargetError) -> String? {
        try protection.reason(for: target, listeners: [:])
    }

    private func matches(
        of kind: TargetKind,
        _ options: Parameters,
        _ reach: GroupReach
    ) async throws(TargetError) -> [Candidate] {
        switch kind {
        case .host: [Candidate(name: Target.host.name, parts: [.host])]
        case .netns: try namespaces(options)
        case .process: try processes(options)
        case .container: try await ContainerMatches(kernel).find(options, reach)
        case .systemd: try UnitMatches(kernel).find(options, reach)
        }
    }

    private func withoutExceptions(_ found: [Candidate], _ options: Parameters) -> [Candidate] {
        let excepted = Set(options[TargetOptions.except] ?? [])
        return found.filter { !excepted.contains($0.name) }
    }

    /// The matches of which no part is protected; one that was named by its pid is refused instead.
    private func unprotected(
        _ found: [Candidate],
        _ options: Parameters
    ) throws(TargetError) -> [Candidate] {
        let listeners = try protection.listeners()
        let isNamed = options.given.contains(TargetOptions.pid.name)
        var left: [Candidate] = []
        for candidate in found {
            var reason: String?
            for part in candidate.parts where reason == nil {
                reason = try protection.reason(for: part, listeners: listeners)
            }
            if let reason, isNamed, let pid = candidate.parts.first?.process?.pid {
                throw .noTarget(options.error("process \(pid) is protected: it is \(reason)"))
            }
            if reason == nil { left.append(candidate) }
        }
        return left
    }

    private func namespaces(_ options: Parameters) throws(TargetError) -> [Candidate] {
        var found: [Candidate] = []
        for name in options[TargetOptions.netnsName] ?? [] {
            let namespace = try TargetError.kernel { () throws(KernelError) in
                try kernel.network.namespace(named: name)
            }
            guard let namespace else {
                if options[TargetOptions.ifAbsent] == TargetOptions.absentIsFine { continue }
                throw .noTarget(
                    options.error("there is no network namespace \"\(name)\": see `ip netns list`")
                )
            }
            found.append(Candidate(name: name, parts: [.netns(name: name, namespace)]))
        }
        return found
    }

    private func processes(_ options: Parameters) throws(TargetError) -> [Candidate] {
        let matcher = try ProcessMatcher(options, on: kernel)
        let given = options[TargetOptions.pid]?.map { Int32($0) }
        let pids = try TargetError.kernel { () throws(KernelError) in
            if let given { given } else { try kernel.processes.pids() }
        }
        var found: [Candidate] = []
        for pid in Set(pids).sorted() {
            let process = try TargetError.kernel { () throws(KernelError) in
                try kernel.processes.snapshot(pid: pid)
            }
            guard let process, process.state != "Z", try matcher.matches(process) else { continue }
            let name = process.displayName
            found.append(Candidate(name: name, parts: [.process(name: name, process.identity)]))
        }
        return found
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
