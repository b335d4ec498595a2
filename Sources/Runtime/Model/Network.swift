// Network namespaces, names of hosts, and the way to a far end.

/// Network namespaces, host names.
package protocol NetworkPort: Sendable {
    /// The namespace that the agent runs in.
    func ownNamespace() throws(KernelError) -> NetworkNamespace

    /// A namespace by its name under /run/netns; nil when there is none.
    func namespace(named name: String) throws(KernelError) -> NetworkNamespace?

    /// The namespaces under /run/netns, by their names.
    func namedNamespaces() throws(KernelError) -> [String: NetworkNamespace]

    /// The namespace of a process.
    func namespace(of process: ProcessIdentity) throws(KernelError) -> NetworkNamespace

    /// All addresses of a host name, both families.
    func addresses(of hostName: String) async throws(KernelError) -> [NetworkAddress]

    /// By what packets of a process in the agent's own namespace can be told from those of others there.
    ///
    /// Throws `.unsupported`, with the reasons, where nothing tells them apart.
    func socketOwner(of process: ProcessIdentity) throws(KernelError) -> SocketOwner

    /// Measures the way to a far end and back; nil where that cannot be done, as without CAP_NET_RAW.
    ///
    /// With `isFirst`, a far end that was silent a moment ago is passed over: two hundred targets must not wait for
    /// it two hundred times.
    func roundTrip(
        _ probe: RoundTripProbe,
        in namespace: NetworkNamespace,
        within limit: Duration,
        isFirst: Bool
    ) async -> RoundTrip?

    /// The addresses of the interfaces in the agent's own namespace.
    func ownAddresses() -> [NetworkAddress]
}

extension NetworkPort {
    package func ownAddresses() -> [NetworkAddress] { [] }

    package func namedNamespaces() throws(KernelError) -> [String: NetworkNamespace] { [:] }

    /// The same, whether or not the far end was silent before.
    package func roundTrip(
        _ probe: RoundTripProbe,
        in namespace: NetworkNamespace,
        within limit: Duration
    ) async -> RoundTrip? {
        await roundTrip(probe, in: namespace, within: limit, isFirst: false)
    }
}

/// How the way to a far end is measured.
package struct RoundTripProbe: Sendable, Hashable, Codable {
    /// The far end.
    package var address: NetworkAddress
    /// The port to open TCP connections to; nil for ICMP echo.
    package var port: Int?
    /// How many echoes or connections.
    package var count: Int

    /// Makes a probe.
    package init(address: NetworkAddress, port: Int?, count: Int = 3) {
        self.address = address
        self.port = port
        self.count = count
    }
}

/// What was measured of the way to a far end and back.
package struct RoundTrip: Sendable, Hashable, Codable {
    /// How many were sent.
    package var sent: Int
    /// How many were answered in time.
    package var answered: Int
    /// The mean time of those, in milliseconds; nil when none was.
    package var meanMs: Double?

    /// Makes a measurement.
    package init(sent: Int, answered: Int, meanMs: Double?) {
        self.sent = sent
        self.answered = answered
        self.meanMs = meanMs
    }

    /// The share that was not answered.
    package var loss: Double { sent > 0 ? Double(sent - answered) / Double(sent) : 0 }
}
