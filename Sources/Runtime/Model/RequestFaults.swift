// What request faults do to HTTP and gRPC requests, as values, and the port to what carries it: a proxy of ours
// in the target's network namespace.

/// Which requests a rule means; what is left empty means all.
package struct RequestMatch: Sendable, Hashable, Codable {
    /// Methods, such as `GET`.
    package var methods: [String]
    /// The path without its query; `*` stands for any text.
    package var path: String?
    /// The host asked for, without its port; `*` stands for any text.
    package var host: String?
    /// Headers that must be there, by lower-case name; `*` in a value stands for any text.
    package var headers: [String: String]
    /// Addresses or networks of clients.
    package var clients: [NetworkAddress]
    /// Whether only calls of gRPC are meant.
    package var grpcOnly: Bool

    /// Makes a match.
    package init(
        methods: [String] = [],
        path: String? = nil,
        host: String? = nil,
        headers: [String: String] = [:],
        clients: [NetworkAddress] = [],
        grpcOnly: Bool = false
    ) {
        self.methods = methods
        self.path = path
        self.host = host
        self.headers = headers
        self.clients = clients
        self.grpcOnly = grpcOnly
    }
}

/// Whose bytes share a rate.
package enum BandwidthScope: String, Sendable, Hashable, Codable, CaseIterable {
    /// Each connection has the rate for itself.
    case connection
    /// All that are hit share it.
    case aggregate
}

/// Which bytes a rate is for.
package enum BandwidthDirection: String, Sendable, Hashable, Codable, CaseIterable {
    case response, request, both
}

/// What happens to a request that is hit.
package enum RequestAction: Sendable, Hashable, Codable {
    /// Its answer comes late, by a delay that varies evenly within the jitter.
    case latency(delayMs: Double, jitterMs: Double)
    /// It is answered by the proxy and not passed on.
    case error(status: Int, headers: [String: String], body: String)
    /// It is answered by the proxy with a status of gRPC and not passed on.
    case grpcError(code: Int, message: String)
    /// Its connection (HTTP/1) or stream (HTTP/2) is reset.
    case abort
    /// Its bytes go no faster than a rate.
    case bandwidth(bytesPerSecond: Double, scope: BandwidthScope, direction: BandwidthDirection)
}

/// What one lease does to requests.
package struct RequestRule: Sendable, Hashable, Codable {
    /// The name of the lease's rule, `moonquake_` and the lease.
    package var name: String
    /// Which requests.
    package var match: RequestMatch
    /// The share of those, 0…1.
    package var share: Double
    /// The seed of what is left to chance.
    package var seed: UInt64
    /// What happens.
    package var action: RequestAction

    /// Makes a rule.
    package init(
        name: String,
        match: RequestMatch = RequestMatch(),
        share: Double = 1,
        seed: UInt64 = 0,
        action: RequestAction
    ) {
        self.name = name
        self.match = match
        self.share = share
        self.seed = seed
        self.action = action
    }
}

/// What the proxy counted for one rule.
package struct RequestCount: Sendable, Hashable, Codable {
    /// Requests that came by while the rule was on.
    package var seen: UInt64 = 0
    /// Those that the rule means.
    package var matched: UInt64 = 0
    /// Those that it hit.
    package var hit: UInt64 = 0
    /// Requests that failed by the proxy's own fault or for want of an upstream, not by a rule.
    package var ownFailures: UInt64 = 0
    /// Connections that were TLS, and passed through untouched.
    package var tls: UInt64 = 0
    /// Connections that were neither HTTP nor TLS, and passed through untouched.
    package var other: UInt64 = 0

    /// Makes a count.
    package init(
        seen: UInt64 = 0,
        matched: UInt64 = 0,
        hit: UInt64 = 0,
        ownFailures: UInt64 = 0,
        tls: UInt64 = 0,
        other: UInt64 = 0
    ) {
        self.seen = seen
        self.matched = matched
        self.hit = hit
        self.ownFailures = ownFailures
        self.tls = tls
        self.other = other
    }
}

/// How requests come to the proxy.
package enum RequestWay: Sendable, Hashable, Codable {
    /// The kernel redirects what is sent to a port.
    case redirect(RequestRedirect)
    /// Clients are pointed at a port of ours, which passes on to an upstream.
    case listen(port: Int, upstream: NetworkAddress, upstreamPort: Int)
}

/// Which connections the kernel redirects.
package struct RequestRedirect: Sendable, Hashable, Codable {
    /// The port that they go to.
    package var port: Int
    /// The addresses that they go to; empty means any.
    package var destinations: [NetworkAddress]
    /// Whether those that come into the namespace, or through it, are meant.
    package var takesIncoming: Bool
    /// Whether those that are made in the namespace are meant.
    package var takesOutgoing: Bool
    /// Whether connections that were open before are reset, so that they come again.
    package var resetsOpen: Bool

    /// Makes a choice of connections.
    package init(
        port: Int,
        destinations: [NetworkAddress] = [],
        takesIncoming: Bool = true,
        takesOutgoing: Bool = true,
        resetsOpen: Bool = true
    ) {
        self.port = port
        self.destinations = destinations
        self.takesIncoming = takesIncoming
        self.takesOutgoing = takesOutgoing
        self.resetsOpen = resetsOpen
    }
}

/// A request fault in force: its undo, and all that its worker must know.
package struct RequestFault: Sendable, Hashable, Codable {
    /// Where.
    package var namespace: NetworkNamespace
    /// How requests come to it.
    package var way: RequestWay
    /// What it does; its name is `moonquake_` and the lease.
    package var rule: RequestRule

    /// Makes a fault.
    package init(namespace: NetworkNamespace, way: RequestWay, rule: RequestRule) {
        self.namespace = namespace
        self.way = way
        self.rule = rule
    }
}

/// What was found about requests in a network namespace.
package struct RequestSurvey: Sendable, Hashable, Codable {
    /// Why redirects do not work, in words; nil when they do.
    package var redirectObstacle: String?
    /// Where sockets of TCP listen; with an address of zeros, on every one.
    package var listeners: [SocketEnd] = []
    /// The far ends of the connections that are open.
    package var peers: [SocketEnd] = []
    /// The ports that the kernel gives to sockets that ask for none.
    package var ephemeralPorts = 32768...60999

    /// Makes an empty survey.
    package init() {}
}

/// Faults of requests.
///
/// All of it ends with the agent: table, listener and connections are those of a worker of ours.
package protocol RequestFaultPort: Sendable {
    /// Looks at who listens and talks in a namespace; sends nothing.
    func survey(_ namespace: NetworkNamespace) throws(KernelError) -> RequestSurvey

    /// Which of some ends speak TLS.
    ///
    /// Each is sent the first message of TLS on a connection that is closed after the answer. Whoever has not answered
    /// within the limit, which is for all together, does not count as speaking it.
    func speakTLS(
        _ ends: [SocketEnd],
        in namespace: NetworkNamespace,
        within limit: Duration
    ) async throws(KernelError) -> [SocketEnd]

    /// Begins a fault.
    func begin(_ fault: RequestFault) async throws(KernelError)

    /// What a fault did so far; nil when it is not in force.
    func count(_ fault: RequestFault) async throws(KernelError) -> RequestCount?

    /// Waits until a fault has ended because its proxy did, and says how; nil once it was ended by `end`.
    func endedEarly(_ fault: RequestFault) async -> String?

    /// Ends a fault: no request that comes from now on is hit, and new connections go direct.
    ///
    /// Open ones are closed when nothing is under way on them, at the latest after some seconds. Ending what is
    /// not there is no error.
    func end(_ fault: RequestFault) async throws(KernelError)
}
