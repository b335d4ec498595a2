// Network namespaces, addresses and socket owners in memory.

package import ChaosModel

extension SimulatedKernel: NetworkPort {
    package func ownNamespace() throws(KernelError) -> NetworkNamespace {
        try call("ownNamespace") { state throws(KernelError) in
            NetworkNamespace(path: "/proc/self/ns/net", inode: 1)
        }
    }

    package func namespace(named name: String) throws(KernelError) -> NetworkNamespace? {
        try call("namespace") { state throws(KernelError) in
            state.world.namespaces[name].map {
                NetworkNamespace(path: "/run/netns/\(name)", inode: $0)
            }
        }
    }

    package func namespace(of process: ProcessIdentity) throws(KernelError) -> NetworkNamespace {
        try call("namespace") { state throws(KernelError) in
            guard let found = state.world.processes[process.pid],
                found.startTime == process.startTime
            else { throw KernelError(.gone, "namespace of \(process.pid)", "it has ended") }
            return NetworkNamespace(
                path: "/proc/\(process.pid)/ns/net",
                inode: found.networkNamespace
            )
        }
    }

    package func namedNamespaces() throws(KernelError) -> [String: NetworkNamespace] {
        try call("namedNamespaces") { state throws(KernelError) in
            Dictionary(
                uniqueKeysWithValues: state.world.namespaces.map { name, inode in
                    (name, NetworkNamespace(path: "/run/netns/\(name)", inode: inode))
                }
            )
        }
    }

    package func ownAddresses() -> [NetworkAddress] { state.withLock { $0.world.ownAddresses } }

    package func addresses(of hostName: String) async throws(KernelError) -> [NetworkAddress] {
        try call("addresses") { state throws(KernelError) in
            guard let addresses = state.world.hosts[hostName] else {
                throw KernelError(.failed, "resolve \(hostName)", "Name or service not known")
            }
            return addresses
        }
    }

    package func socketOwner(of process: ProcessIdentity) throws(KernelError) -> SocketOwner {
        try call("socketOwner") { state throws(KernelError) in
            guard let found = state.world.processes[process.pid], found.group != "/" else {
                throw KernelError(.unsupported, "tell its packets apart", "it is in the root group")
            }
            return .controlGroup(path: String(found.group.dropFirst()), id: 7, level: 1)
        }
    }

    package func roundTrip(
        _ probe: RoundTripProbe,
        in namespace: NetworkNamespace,
        within limit: Duration,
        isFirst: Bool
    ) async -> RoundTrip? {
        // Not a call that can fail: what it does not measure is left out.
        state.withLock { $0.world.roundTrip }
    }
}
