// Network namespaces by the ways a target names them.

package import ChaosModel
import ChaosThreads
import Synchronization

/// Network namespaces and host names on Linux.
package struct LinuxNetwork: NetworkPort {
    private let silence = Silence()

    /// Makes the port.
    package init() {}

    package func ownNamespace() throws(KernelError) -> NetworkNamespace {
        guard let file = try NamespaceFile.at("/proc/self/ns/net") else {
            throw KernelError(.unsupported, "read /proc/self/ns/net", "it is not there")
        }
        return file.namespace
    }

    /// The agent's own namespace and every named one, each once.
    package func namespaces() throws(KernelError) -> [NetworkNamespace] {
        var found = [try ownNamespace()]
        for folder in NamespaceFile.folders {
            for name in try ProcFile.names(in: folder) ?? [] {
                guard let file = try NamespaceFile.at("\(folder)/\(name)"),
                    !found.contains(where: { $0.inode == file.namespace.inode })
                else { continue }
                found.append(file.namespace)
            }
        }
        return found
    }

    package func namedNamespaces() throws(KernelError) -> [String: NetworkNamespace] {
        var found: [String: NetworkNamespace] = [:]
        for folder in NamespaceFile.folders {
            for name in try ProcFile.names(in: folder) ?? [] where found[name] == nil {
                found[name] = try NamespaceFile.at("\(folder)/\(name)")?.namespace
            }
        }
        return found
    }

    package func namespace(named name: String) throws(KernelError) -> NetworkNamespace? {
        try LinuxNamespaces.find(named: name)
    }

    package func namespace(of process: ProcessIdentity) throws(KernelError) -> NetworkNamespace {
        let processes = LinuxProcesses()
        // Compared before and after: in between the pid may have become another's.
        guard try processes.isThere(process),
            let file = try NamespaceFile.at("/proc/\(process.pid)/ns/net"),
            try processes.isThere(process)
        else {
            throw KernelError(
                .gone,
                "find the network namespace of process \(process.pid)",
                "that process has ended"
            )
        }
        return file.namespace
    }

    package func socketOwner(of process: ProcessIdentity) throws(KernelError) -> SocketOwner {
        try SocketOwners.owner(of: process)
    }

    package func roundTrip(
        _ probe: RoundTripProbe,
        in namespace: NetworkNamespace,
        within limit: Duration,
        isFirst: Bool
    ) async -> RoundTrip? {
        guard !isFirst || !silence.has(probe) else { return nil }
        let result = try? await OwnThread.value { () throws(KernelError) -> RoundTrip? in
            try LinuxNamespaces.within(namespace) { () throws(KernelError) in
                RoundTrips.measure(probe, within: limit)
            }
        }
        if isFirst, let result, result.answered == 0 { silence.note(probe) }
        return result
    }

    package func ownAddresses() -> [NetworkAddress] { InterfaceAddresses.all() }

    package func addresses(of hostName: String) async throws(KernelError) -> [NetworkAddress] {
        try await HostNames.addresses(of: hostName, within: .seconds(5))
    }
}

/// Far ends that did not answer a moment ago.
private final class Silence: Sendable {
    private static let span = Duration.seconds(10)
    private static let most = 1000

    private let until = Mutex<[RoundTripProbe: ContinuousClock.Instant]>([:])

    func has(_ probe: RoundTripProbe) -> Bool {
        until.withLock { ($0[probe] ?? .now) > .now }
    }

    func note(_ probe: RoundTripProbe) {
        until.withLock { until in
            if until.count >= Self.most { until = [:] }
            until[probe] = .now + Self.span
        }
    }
}
