// How the faults of HTTP and gRPC are planned, and what their proxy counts; the same for all of them.

package import ChaosModel

extension RequestTrafficFault {
    package func plan(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> FaultPlan<RequestFault> {
        let own = try kernelCall { () throws(KernelError) in try kernel.network.ownNamespace() }
        let namespace = try target.networkNamespace(own: own, on: kernel)
        let survey = try kernelCall { () throws(KernelError) in
            try kernel.requests.survey(namespace)
        }
        let port = try survey.port(traffic.port, of: target)
        let way = traffic.way(to: port)
        let name = "moonquake_\(context.lease)"
        let what = "\(summary): \(traffic.summary(to: port)) in \(target)"
        var changes = try way.changes(survey, what, name)
        // A preview sends nothing to anybody.
        if !context.isPreview {
            changes += try await way.refuseTLS(survey, in: namespace, on: kernel)
        }
        let fault = RequestFault(
            namespace: namespace,
            way: way,
            rule: RequestRule(
                name: name,
                match: traffic.match,
                share: traffic.share,
                seed: context.seed,
                action: action
            )
        )
        return FaultPlan(changes: changes, undo: fault, holder: .kernel, engine: "proxy")
    }

    package static var carrier: String { "proxy" }

    package static func name(of undo: RequestFault) -> String { undo.rule.name }

    package static func begin(_ undo: RequestFault, on kernel: Kernel) async throws(KernelError) {
        try await kernel.requests.begin(undo)
    }

    package static func count(
        _ undo: RequestFault,
        on kernel: Kernel
    ) async throws(KernelError) -> RequestCount? {
        try await kernel.requests.count(undo)
    }

    package static func carrierEnded(_ undo: RequestFault, on kernel: Kernel) async -> String? {
        await kernel.requests.endedEarly(undo)
    }

    package static func end(_ undo: RequestFault, on kernel: Kernel) async throws(KernelError) {
        try await kernel.requests.end(undo)
    }

    package static func touches(_ undo: RequestFault) -> [StatePart] {
        [.network(namespace: undo.namespace)]
    }

    package static func effect(
        of count: RequestCount,
        _ undo: RequestFault,
        _ seen: String
    ) -> Effect {
        var text = seen
        if count.tls > 0, count.seen == 0 {
            text += ": nothing was hit, since the traffic is TLS, \(RequestWay.tlsReason)"
        } else if count.seen == 0 {
            text += ": no request came by"
        } else if count.matched == 0 {
            text += ": none of \(count.seen) requests matched"
        }
        if count.ownFailures > 0 {
            text += ", \(count.ownFailures) failures that are not injected (x-moonquake-error)"
        }
        return Effect(
            text,
            figures: count.figures,
            hit: count.hit > 0,
            traffic: undo.rule.share < 1
                ? TrafficShare(.requests, matched: count.matched, hit: count.hit) : nil
        )
    }
}

extension RequestWay {
    /// How many far ends are asked for TLS, and how long all of them may take.
    private static let asked = (most: 4, within: Duration.milliseconds(300))

    static let tlsReason =
        "which is passed through untouched: faults of HTTP cannot look into it; use network faults, or the port "
        + "behind what ends TLS"

    /// What a plan says of it.
    func changes(
        _ survey: RequestSurvey,
        _ what: String,
        _ name: String
    ) throws(FaultError) -> [String] {
        switch self {
        case .listen(let port, let upstream, let upstreamPort):
            let end = SocketEnd(upstream, port: upstreamPort)
            let line = "\(what), which come to port \(port) and go on to \(end) (\(name))"
            let range = survey.ephemeralPorts
            guard range.contains(port) else { return [line] }
            return [
                line,
                "note: the kernel gives port \(port) to outgoing connections too (ip_local_port_range is "
                    + "\(range.lowerBound) to \(range.upperBound)): it may be taken when the fault begins",
            ]
        case .redirect(let redirect):
            if let obstacle = survey.redirectObstacle {
                throw .unavailable("requests cannot be redirected here: \(obstacle); use `listen`")
            }
            return [
                "\(what) (nft-owner: \(name))",
                redirect.resetsOpen
                    ? "resets connections to port \(redirect.port) that are open already, at their next packet, "
                        + "so that they come again by way of the proxy"
                    : "connections to port \(redirect.port) that are open already are not hit",
            ]
        }
    }

    /// Asks those that requests go to whether they speak TLS: refuses when all do, and notes who does.
    func refuseTLS(
        _ survey: RequestSurvey,
        in namespace: NetworkNamespace,
        on kernel: Kernel
    ) async throws(FaultError) -> [String] {
        let ends = services(survey)
        guard !ends.isEmpty else { return [] }
        let speakers: [SocketEnd]
        do throws(KernelError) {
            speakers = try await kernel.requests.speakTLS(
                ends,
                in: namespace,
                within: Self.asked.within
            )
        } catch {
            throw FaultError(error)
        }
        let names = speakers.map(\.description).joined(separator: ", ")
        let text = "\(names) \(speakers.count == 1 ? "speaks" : "speak") TLS, \(Self.tlsReason)"
        guard speakers.count < ends.count else { throw .refused(text) }
        return speakers.isEmpty ? [] : ["note: \(text)"]
    }

    /// Those that requests go to, as far as they are known.
    private func services(_ survey: RequestSurvey) -> [SocketEnd] {
        var ends: [SocketEnd] = []
        switch self {
        case .listen(_, let upstream, let port): ends = [SocketEnd(upstream, port: port)]
        case .redirect(let redirect) where !redirect.destinations.isEmpty:
            ends = redirect.destinations.map { SocketEnd($0, port: redirect.port) }
        case .redirect(let redirect):
            if redirect.takesIncoming { ends += survey.listeners.map(\.reachable) }
            if redirect.takesOutgoing { ends += survey.peers }
            ends = ends.filter { $0.port == redirect.port }
        }
        var known: Set<SocketEnd> = []
        return Array(ends.filter { known.insert($0).inserted }.prefix(Self.asked.most))
    }
}

extension RequestSurvey {
    /// The port that is given, or the only one that is listened on; those of the loopback count when there are no
    /// others.
    fileprivate func port(_ given: Int?, of target: Target) throws(FaultError) -> Int {
        if let given { return given }
        let open = listeners.filter { !$0.isLoopback }
        let ports = Set((open.isEmpty ? listeners : open).map(\.port)).sorted()
        guard let port = ports.first, ports.count == 1 else {
            let found =
                ports.isEmpty
                ? "nobody listens in \(target)"
                : "in \(target) ports \(ports.prefix(8).map(String.init).joined(separator: ", ")) are listened on"
            throw .refused("port is missing, and \(found): write which, as in port = 8080")
        }
        return port
    }
}

extension SocketEnd {
    /// Whether only its own host gets there.
    fileprivate var isLoopback: Bool {
        address.isIPv6 ? address.bytes == Self.loopback(isIPv6: true) : address.bytes.first == 127
    }

    /// Where a listener can be reached from its own host.
    fileprivate var reachable: SocketEnd {
        guard address.bytes.allSatisfy({ $0 == 0 }),
            let loopback = NetworkAddress(bytes: Self.loopback(isIPv6: address.isIPv6))
        else { return self }
        return SocketEnd(loopback, port: port)
    }

    private static func loopback(isIPv6: Bool) -> [UInt8] {
        isIPv6 ? [UInt8](repeating: 0, count: 15) + [1] : [127, 0, 0, 1]
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
