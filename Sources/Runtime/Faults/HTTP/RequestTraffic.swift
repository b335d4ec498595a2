// What the faults of HTTP and gRPC have in common: which requests, and how they come to the proxy. Each fault only says
// what happens to a request.

package import ChaosModel

/// A fault of requests.
package protocol RequestTrafficFault: CarriedFault
where Undo == RequestFault, Count == RequestCount {
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
        "port",
        ParameterKind<Int>.port,
        help:
            "The port that requests go to, of the service itself; without it, the only one that is listened on there."
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

    /// Nil when it is to be found.
    let port: Int?
    /// How the fault is made, for any port.
    private let redirect: RequestRedirect
    let listen: Int?
    let share: Double
    let match: RequestMatch

    init(_ parameters: Parameters, isGRPC: Bool = false) throws(DefinitionError) {
        port = parameters[Self.port]
        let direction = try parameters.value(Self.direction)
        let to = parameters[Self.to] ?? []
        redirect = RequestRedirect(
            port: port ?? 0,
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
        if port == nil, listen != nil || direction == "egress" {
            throw parameters.error(
                "port is missing: write port = 8080; it can only be found for requests that come in"
            )
        }
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
    func way(to port: Int) -> RequestWay {
        guard let listen, let upstream = redirect.destinations.first else {
            var redirect = redirect
            redirect.port = port
            return .redirect(redirect)
        }
        return .listen(port: listen, upstream: upstream, upstreamPort: port)
    }

    /// Which requests, in words.
    func summary(to port: Int) -> String {
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
