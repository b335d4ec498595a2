// The targets that a policy forbids, by what they are and not only by how they were selected: a process found by
// its pid may be of a forbidden container or unit, and its network namespace may be a forbidden one.

package import ChaosModel

/// Knows which targets a policy forbids.
package struct ForbiddenTargets: Sendable {
    private struct Match: Sendable {
        var rule: Policy.Rule
        var what: String
    }

    private let kernel: Kernel
    private let rules: [TargetKind: [(glob: Glob, rule: Policy.Rule)]]
    private var namespaces: [UInt64: Match] = [:]
    private var pidNamespaces: [UInt64: Match] = [:]
    private var leaders: [ProcessIdentity: Match] = [:]

    /// Looks up what the rules mean now.
    ///
    /// - Throws: `TargetError` when an engine that is there cannot be asked: then nothing is known to be allowed.
    package init(_ rules: [Policy.Rule], on kernel: Kernel) async throws(TargetError) {
        self.kernel = kernel
        var byKind: [TargetKind: [(glob: Glob, rule: Policy.Rule)]] = [:]
        for rule in rules {
            let parts = rule.pattern.pattern.split(separator: ":", maxSplits: 1).map(String.init)
            guard let kind = parts.first.flatMap(TargetKind.init) else { continue }
            byKind[kind, default: []].append((Glob(parts.count > 1 ? parts[1] : "*"), rule))
        }
        self.rules = byKind
        try lookUpNamespaces()
        try await lookUpContainers()
    }

    private mutating func lookUpNamespaces() throws(TargetError) {
        guard rules[.netns] != nil else { return }
        let named = try TargetError.kernel { () throws(KernelError) in
            try kernel.network.namedNamespaces()
        }
        for (name, namespace) in named {
            guard let rule = rule(.netns, for: [name]) else { continue }
            namespaces[namespace.inode] = Match(rule: rule, what: "netns \(name)")
        }
    }

    private mutating func lookUpContainers() async throws(TargetError) {
        guard rules[.container] != nil else { return }
        do throws(KernelError) {
            let own = try kernel.host.ancestry().first.flatMap { pid throws(KernelError) in
                try kernel.processes.snapshot(pid: pid)?.identity
            }
            let ownPids = try own.flatMap { process throws(KernelError) in
                try kernel.processes.pidNamespace(of: process)
            }
            let ownNetwork = try kernel.network.ownNamespace().inode
            for container in try await kernel.containers.containers(socket: nil) {
                guard let rule = rule(.container, for: [container.name, container.id]),
                    let pid = try await kernel.containers.firstProcess(of: container),
                    let leader = try kernel.processes.snapshot(pid: pid)?.identity
                else { continue }
                let match = Match(rule: rule, what: "container \(container.name)")
                leaders[leader] = match
                if let pids = try kernel.processes.pidNamespace(of: leader), pids != ownPids {
                    pidNamespaces[pids] = match
                }
                let network = try kernel.network.namespace(of: leader).inode
                if network != ownNetwork { namespaces[network] = match }
            }
        } catch  where error.kind == .unsupported {
            // No engine here, so no containers.
        } catch {
            throw .kernel(error)
        }
    }

    private func rule(_ kind: TargetKind, for names: [String]) -> Policy.Rule? {
        rules[kind]?.first { entry in names.contains(where: entry.glob.matches) }?.rule
    }

    /// Why a target is forbidden; nil when it is not.
    package func reason(
        for target: Target,
        _ reach: GroupReach
    ) throws(TargetError) -> String? {
        guard let match = try match(target, reach) else { return nil }
        let pattern = match.rule.pattern
        return "\(target) is forbidden: it is \(match.what), and the policy forbids \(pattern) "
            + "(\(match.rule.source))"
    }

    private func match(_ target: Target, _ reach: GroupReach) throws(TargetError) -> Match? {
        if let group = target.group, let rule = rule(group.kind, for: [group.name, group.id]) {
            return Match(rule: rule, what: "\(group.kind.rawValue) \(group.name)")
        }
        switch target {
        case .host:
            return rule(.host, for: ["host"]).map { Match(rule: $0, what: "the host") }
        case .netns(let name, let namespace, let group):
            if let found = namespaces[namespace.inode] { return found }
            guard group == nil, let rule = rule(.netns, for: [name]) else { return nil }
            return Match(rule: rule, what: "netns \(name)")
        case .process(_, let identity, _):
            return try TargetError.kernel { () throws(KernelError) in
                try match(identity, reach)
            }
        }
    }

    private func match(
        _ identity: ProcessIdentity,
        _ reach: GroupReach
    ) throws(KernelError) -> Match? {
        if let leader = leaders[identity] { return leader }
        if rules[.process] != nil, let process = try kernel.processes.snapshot(of: identity),
            let rule = rule(.process, for: process.names)
        {
            return Match(rule: rule, what: "process \(process.displayName)")
        }
        if rules[.systemd] != nil, let path = try kernel.processes.serviceGroup(of: identity) {
            for part in path.split(separator: "/").map(UnitMatches.unescaped) {
                if let rule = rule(.systemd, for: [part]) {
                    return Match(rule: rule, what: "systemd \(part)")
                }
            }
        }
        if !pidNamespaces.isEmpty, let inode = try kernel.processes.pidNamespace(of: identity),
            let found = pidNamespaces[inode]
        {
            return found
        }
        guard reach == .namespace, !namespaces.isEmpty else { return nil }
        return namespaces[try kernel.network.namespace(of: identity).inode]
    }
}
