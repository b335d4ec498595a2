// `target.container`: what the engine says, and which processes that are.
//
// The engine only names a container's first process. The others are those of its pid namespace, which also has
// what `exec` started; where it shares the host's, they are the first one's descendants.

import ChaosModel

/// Finds containers.
struct ContainerMatches {
    private let kernel: Kernel

    init(_ kernel: Kernel) { self.kernel = kernel }

    func find(_ options: Parameters, _ reach: GroupReach) async throws(TargetError) -> [Candidate] {
        var found: [Candidate] = []
        var table: ProcessTable?
        for container in try await running(options) where Self.matches(container, options) {
            guard let leader = try await leader(of: container) else { continue }
            let group = TargetGroup(
                kind: .container,
                name: container.name,
                id: container.id,
                leader: leader
            )
            if reach == .processes, table == nil { table = try ProcessTable(kernel) }
            let processes = table
            let parts = try group.parts(
                reach,
                members: { () throws(TargetError) in
                    try processes.map { table throws(TargetError) in
                        try members(of: leader, in: table)
                    } ?? []
                },
                on: kernel
            )
            // It may have ended since the engine was asked.
            guard !parts.isEmpty else { continue }
            found.append(Candidate(name: container.name, parts: parts))
        }
        return found
    }

    private func running(_ options: Parameters) async throws(TargetError) -> [ContainerSnapshot] {
        do throws(KernelError) {
            return try await kernel.containers.containers(socket: options[TargetOptions.socket])
                .sorted { ($0.name, $0.id) < ($1.name, $1.id) }
        } catch {
            throw .kernel(error)
        }
    }

    private func leader(
        of container: ContainerSnapshot
    ) async throws(TargetError) -> ProcessIdentity? {
        do throws(KernelError) {
            guard let pid = try await kernel.containers.firstProcess(of: container) else {
                return nil
            }
            return try kernel.processes.snapshot(pid: pid)?.identity
        } catch {
            throw .kernel(error)
        }
    }

    private func members(
        of leader: ProcessIdentity,
        in table: ProcessTable
    ) throws(TargetError) -> [ProcessSnapshot] {
        try TargetError.kernel { () throws(KernelError) in
            let own = try kernel.host.ancestry().first.flatMap { pid throws(KernelError) in
                try kernel.processes.snapshot(pid: pid)
            }
            let ownNamespace = try own.flatMap { process throws(KernelError) in
                try kernel.processes.pidNamespace(of: process.identity)
            }
            guard let namespace = try kernel.processes.pidNamespace(of: leader),
                namespace != ownNamespace
            else { return table.family(of: leader) }
            var found: [ProcessSnapshot] = []
            for process in table.processes
            where try kernel.processes.pidNamespace(of: process.identity) == namespace {
                found.append(process)
            }
            // A process that made a pid namespace of its own is in it through its parent.
            var known = Set(found.map(\.identity))
            for process in table.family(of: leader) where known.insert(process.identity).inserted {
                found.append(process)
            }
            return found
        }
    }

    static func matches(_ container: ContainerSnapshot, _ options: Parameters) -> Bool {
        if let names = options[TargetOptions.containerName],
            !names.contains(where: { Glob($0).matches(container.name) })
        {
            return false
        }
        if let ids = options[TargetOptions.containerID],
            !ids.contains(where: { $0.count >= 6 && container.id.hasPrefix($0) })
        {
            return false
        }
        if let image = options[TargetOptions.image],
            !spellings(of: container.image).contains(where: Glob(image).matches)
        {
            return false
        }
        return (options[TargetOptions.label] ?? []).allSatisfy { label in
            let parts = label.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            ).map(String.init)
            guard let value = container.labels[parts[0]] else { return false }
            return parts.count == 1 || value == parts[1]
        }
    }

    /// The ways to write an image: with and without the registry, with and without the tag.
    static func spellings(of image: String) -> [String] {
        let parts = image.split(separator: "/").map(String.init)
        let paths = parts.indices.map { parts[$0...].joined(separator: "/") }
        return paths.flatMap { path -> [String] in
            let name = path.split(separator: "/").last.map(String.init) ?? path
            guard let end = name.firstIndex(where: { $0 == ":" || $0 == "@" }) else {
                return [path]
            }
            return [path, String(path.dropLast(name.distance(from: end, to: name.endIndex)))]
        }
    }
}
