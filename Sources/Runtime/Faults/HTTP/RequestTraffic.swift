// What the faults of HTTP and gRPC have in common: which requests, how they come to the proxy, and how a fault is
// planned, verified and put back. Each fault only says what happens to a request.

package import ChaosModel

/// A fault of requests.
package protocol RequestTrafficFault: Fault where Undo == RequestFault {
    /// Which requests.
    var traffic: RequestTraffic { get }
    /// What happens to them.
    var action: RequestAction { get }
    /// The same in words: `answers 503`.
    var summary: String { get }
}

/// The options that all of these faults share.
package struct RequestTraffic: Sendable {
    static let port = Parameter(
        required: "port",
        ParameterKind<Int>.port,
        help: "The port that requests go to, of the service itself."
    )
    static let to = Parameter(
        "to",
        ParameterKind<[NetworkAddress]>.list(of: .hostAddress),
        help: "Only requests to these addresses; without it, to any."
    )
    static let direction = Parameter(
        "direction",
        ParameterKind<String>.choice(["both", "egress", "ingress"]),
        default: "both",
        help: "Requests made in the target's namespace (egress), coming into it (ingress), or both."
    )
    static let listen = Parameter(
        "listen",
        ParameterKind<Int>.port,
        help: "Listen on this port, to which you point the client, instead of redirecting."
    )
    static let open = Parameter(
        "open_connections",
        ParameterKind<String>.choice(["reset", "leave"]),
        default: "reset",
        help:
            "Whether connections that were open before are reset so that they come again, or left alone and not hit."
    )
    static let share = Parameter(
        "traffic",
        ParameterKind<Double>.percent,
        default: "100%",
        help: "The share of the requests that match which is hit, chosen by the seed."
    )
    static let path = Parameter(
        "path",
        ParameterKind<String>.string(example: "\"/api/*\""),
        help: "Only requests with this path, without its query; * stands for any text."
    )
    static let host = Parameter(
        "host",
        ParameterKind<String>.string(example: "\"*.shop.test\""),
        help: "Only requests for this host, without its port; * stands for any text."
    )
    static let headers = Parameter(
        "match_headers",
        ParameterKind<[String: String]>.stringTable,
        help: "Only requests with all of these headers; * in a value stands for any text."
    )
    static let client = Parameter(
        "client",
        ParameterKind<[NetworkAddress]>.list(of: .network),
        help: "Only requests from these addresses or networks."
    )
    static let method = Parameter(
        "method",
        ParameterKind<[String]>.list(of: .string(example: "\"GET\"")),
        help: "Only requests with these methods."
    )

    /// Those of faults of HTTP.
    static let http = [
        port.erased, share.erased, method.erased, path.erased, host.erased, headers.erased,
        client.erased, direction.erased, to.erased, listen.erased, open.erased,
    ]

    /// Those of faults of gRPC, whose method is a path.
    static let grpc = http.filter { $0.name != "method" }

    let port: Int
    let redirect: RequestRedirect
    let listen: Int?
    let share: Double
    let match: RequestMatch

    init(_ parameters: Parameters, isGRPC: Bool = false) throws(DefinitionError) {
        port = try parameters.value(Self.port)
        let direction = try parameters.value(Self.direction)
        let to = parameters[Self.to] ?? []
        redirect = RequestRedirect(
            port: port,
            destinations: to,
            takesIncoming: direction != "egress",
            takesOutgoing: direction != "ingress",
            resetsOpen: try parameters.value(Self.open) == "reset"
        )
        listen = parameters[Self.listen]
        share = try parameters.value(Self.share)
        let headers = parameters[Self.headers] ?? [:]
        match = RequestMatch(
            methods: isGRPC ? [] : parameters[Self.method] ?? [],
            path: parameters[Self.path],
            host: parameters[Self.host],
            headers: Dictionary(headers.map { ($0.key.lowercased(), $0.value) }) { first, _ in first
            },
            clients: parameters[Self.client] ?? [],
            grpcOnly: isGRPC
        )
        guard let listen else { return }
        guard to.count == 1 else {
            throw parameters.error(
                "listen needs one address in `to`: where requests are passed on to"
            )
        }
        if let given = ["direction", "open_connections"].first(where: parameters.given.contains) {
            throw parameters.error("\(given) is for redirected requests: leave it out with listen")
        }
        if listen == port, to.first?.bytes.first == 127 {
            throw parameters.error("listen and port are the same: requests would go in a circle")
        }
    }

    /// How requests come to the fault.
    var way: RequestWay {
        guard let listen, let upstream = redirect.destinations.first else {
            return .redirect(redirect)
        }
        return .listen(port: listen, upstream: upstream, upstreamPort: port)
    }

    /// Which requests, in words.
    var summary: String {
        var parts: [String] = []
        if !match.methods.isEmpty { parts.append(match.methods.joined(separator: ", ")) }
        if let path = match.path { parts.append("path \(path)") }
        if let host = match.host { parts.append("host \(host)") }
        parts += match.headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        if !match.clients.isEmpty {
            parts.append("from \(match.clients.map(\.description).joined(separator: ", "))")
        }
        let what = match.grpcOnly ? "gRPC calls" : "HTTP requests"
        let narrowed = parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))"
        let part = share < 1 ? "\(ParameterValue.shortest(share * 100))% of " : ""
        return "\(part)\(what) to port \(port)\(narrowed)"
    }
}

extension FaultDescriptor {
    /// The descriptor of a fault of requests.
    static func requests(
        _ name: String,
        _ summary: String,
        _ parameters: [ParameterDescriptor],
        isGRPC: Bool = false
    ) -> FaultDescriptor {
        FaultDescriptor(
            name: name,
            summary: summary,
            parameters: parameters + (isGRPC ? RequestTraffic.grpc : RequestTraffic.http),
            targets: [.netns, .host, .process],
            holder: .kernel,
            capabilities: [
                NeededCapability(
                    "CAP_NET_ADMIN",
                    reason: "to redirect connections and mark our own"
                ),
                NeededCapability("CAP_SYS_ADMIN", reason: "to enter another network namespace"),
            ],
            needs: ["nf_tables with NAT and `flags owner` (not with `listen`)"]
        )
    }
}

extension RequestTrafficFault {
    package func plan(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> FaultPlan<RequestFault> {
        let own = try kernelCall { () throws(KernelError) in try kernel.network.ownNamespace() }
        let namespace = try target.networkNamespace(own: own, on: kernel)
        let name = "moonquake_\(context.lease)"
        let fault = RequestFault(
            namespace: namespace,
            way: traffic.way,
            rule: RequestRule(
                name: name,
                match: traffic.match,
                share: traffic.share,
                seed: context.seed,
                action: action
            )
        )
        var changes: [String] = []
        switch traffic.way {
        case .listen(let port, let upstream, let upstreamPort):
            changes.append(
                "\(summary): \(traffic.summary) in \(target), which come to port \(port) and go on to "
                    + "\(upstream):\(upstreamPort) (\(name))"
            )
        case .redirect(let redirect):
            let obstacle = try kernelCall { () throws(KernelError) in
                try kernel.requests.redirectObstacle()
            }
            if let obstacle {
                throw .unavailable("requests cannot be redirected here: \(obstacle); use `listen`")
            }
            changes.append("\(summary): \(traffic.summary) in \(target) (nft-owner: \(name))")
            changes.append(
                redirect.resetsOpen
                    ? "resets connections to port \(redirect.port) that are open already, at their next packet, "
                        + "so that they come again by way of the proxy"
                    : "connections to port \(redirect.port) that are open already are not hit"
            )
        }
        return FaultPlan(changes: changes, undo: fault, holder: .kernel, engine: "proxy")
    }

    package func inject(_ undo: RequestFault, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            try await kernel.requests.begin(undo)
        } catch {
            throw FaultError(error)
        }
    }

    package func verify(_ undo: RequestFault, on kernel: Kernel) async throws(FaultError) -> Effect
    {
        let count = try await Self.count(undo, on: kernel)
        if let count, count.tls > 0, count.seen == 0 { throw .refused(Self.tls(undo)) }
        return try Self.effect(count, undo, "in force")
    }

    package static func effect(_ undo: RequestFault, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        try effect(try await count(undo, on: kernel), undo, "in force until the end")
    }

    package static func revert(_ undo: RequestFault, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            try await kernel.requests.end(undo)
        } catch {
            throw FaultError(error)
        }
    }

    package static func verifyReverted(
        _ undo: RequestFault,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect {
        guard try await count(undo, on: kernel) == nil else {
            throw .noEffect("\(undo.rule.name) is still there after its removal")
        }
        return Effect("\(undo.rule.name) is gone")
    }

    private static func effect(
        _ count: RequestCount?,
        _ undo: RequestFault,
        _ seen: String
    ) throws(FaultError) -> Effect {
        guard let count else {
            throw .noEffect(
                "\(undo.rule.name) is not there: somebody removed it, or its proxy ended"
            )
        }
        var text = seen
        if count.tls > 0, count.seen == 0 {
            text += ": nothing was hit, since \(tls(undo))"
        } else if count.seen == 0 {
            text += ": no request came by"
        } else if count.matched == 0 {
            text += ": none of \(count.seen) requests matched"
        }
        if count.ownFailures > 0 {
            text += ", \(count.ownFailures) failures that are not injected (x-moonquake-error)"
        }
        return Effect(text, figures: count.figures, hit: count.hit > 0)
    }

    private static func tls(_ undo: RequestFault) -> String {
        "the traffic is TLS, which is passed through untouched: faults of HTTP cannot look into it; use network "
            + "faults, or the port behind what ends TLS"
    }

    private static func count(
        _ undo: RequestFault,
        on kernel: Kernel
    ) async throws(FaultError) -> RequestCount? {
        do throws(KernelError) {
            return try await kernel.requests.count(undo)
        } catch {
            throw FaultError(error)
        }
    }
}

extension RequestCount {
    /// What the report shows; what did not happen is left out.
    fileprivate var figures: [Figure] {
        let extra: [(String, UInt64)] = [
            ("own_failures", ownFailures), ("tls_connections", tls), ("other_connections", other),
        ]
        return [
            Figure("requests_seen", Double(seen)), Figure("requests_matched", Double(matched)),
            Figure("requests_hit", Double(hit)),
        ] + extra.filter { $0.1 > 0 }.map { Figure($0.0, Double($0.1)) }
    }
}

extension ParameterKind where Value == NetworkAddress {
    /// One address.
    static var hostAddress: ParameterKind {
        address("an address such as \"10.9.0.3\" or \"fd00::1\"", "\"10.9.0.3\"") { $0.isSingle }
    }

    /// An address or a network.
    static var network: ParameterKind {
        address("an address or network such as \"10.9.0.0/24\"", "\"10.9.0.0/24\"") { _ in true }
    }

    private static func address(
        _ noun: String,
        _ example: String,
        _ isAllowed: @escaping @Sendable (NetworkAddress) -> Bool
    ) -> ParameterKind {
        let shape = ParameterShape(type: "address", json: "string", example: example, allowed: noun)
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value, let address = NetworkAddress(text),
                isAllowed(address)
            else { throw ParameterProblem("must be \(noun), got \(value)") }
            return address
        }
    }
}
