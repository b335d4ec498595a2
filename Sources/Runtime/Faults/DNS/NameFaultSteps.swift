// How the DNS faults are planned, and what their responder counts; the same for all four.

package import ChaosModel

extension NameTrafficFault {
    package func plan(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> FaultPlan<NameFault> {
        let place = try place(of: target, on: kernel)
        let survey: NameSurvey
        do throws(KernelError) {
            survey = try await kernel.names.survey(place)
        } catch {
            throw FaultError(error)
        }
        let method = try method(on: target, survey)
        let name = "moonquake_\(context.lease)"
        var changes = ["\(summary): \(traffic.summary) in \(target) (\(method.words): \(name))"]
        changes += survey.notes.map { "note: \($0)" }
        if method != .redirect {
            changes.append(
                "held by the journal: if agent and runner die, `moonquake recover` takes the edit of "
                    + "\(method.file ?? "") back"
            )
        }
        let fault = NameFault(
            name: name,
            place: survey.place,
            method: method,
            rule: NameRule(
                names: traffic.names,
                except: traffic.except,
                types: traffic.types,
                share: traffic.share,
                seed: context.seed,
                action: action
            ),
            resolvers: survey.resolvers,
            users: try users(on: kernel),
            groups: traffic.groups,
            encrypted: traffic.encrypted,
            listener: method == .resolvConf ? Self.listener(of: survey.place) : nil
        )
        return FaultPlan(
            changes: changes,
            undo: fault,
            holder: method == .redirect ? .kernel : .journal,
            engine: method == .redirect ? PacketEngine.nftOwner.rawValue : method.rawValue
        )
    }

    package func shadow(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> ShadowTraffic? {
        let owners: [SocketOwner?] =
            try users(on: kernel).map { .user($0) }
            + traffic.groups.map { path in
                let below = path.drop { $0 == "/" }
                let level = below.split(separator: "/").count
                return .controlGroup(path: String(below), id: 0, level: level)
            }
        // A resolver of this machine is reached over its loopback interface.
        let near = ["127.0.0.0/8", "::1"].compactMap { NetworkAddress($0) }.map { [$0] }
        let match = (owners.isEmpty ? [nil] : owners).flatMap { owner in
            ([[]] + near).map { remote in
                PacketMatch(
                    .egress,
                    isIPv6: remote.first?.isIPv6,
                    remote: remote,
                    protocols: [.udp, .tcp],
                    remotePorts: [53],
                    owner: owner
                )
            }
        }
        var notes = [
            "names and types are not looked at: every packet to port 53 counts, one for each query over UDP"
        ]
        if traffic.share < 1 {
            let share = MetricUnit.share.spelled(traffic.share)
            notes.append("of the queries that match, the fault would hit \(share)")
        }
        return ShadowTraffic(
            namespace: try place(of: target, on: kernel).namespace,
            pass: [],
            match: match,
            isOwnOnly: true,
            summary: "packets to port 53",
            notes: notes
        )
    }

    package func verify(_ undo: NameFault, on kernel: Kernel) async throws(FaultError) -> Effect {
        var effect = try await Self.effect(undo, "in force", on: kernel)
        do throws(KernelError) {
            if let lookup = try await kernel.names.lookup(undo) { effect.seen += "; \(lookup)" }
        } catch {
            throw FaultError(error)
        }
        return effect
    }

    package static var carrier: String { "responder" }

    package static func name(of undo: NameFault) -> String { undo.name }

    package static func begin(_ undo: NameFault, on kernel: Kernel) async throws(KernelError) {
        try await kernel.names.begin(undo)
    }

    package static func count(
        _ undo: NameFault,
        on kernel: Kernel
    ) async throws(KernelError) -> NameCount? {
        try await kernel.names.count(undo)
    }

    package static func carrierEnded(_ undo: NameFault, on kernel: Kernel) async -> String? {
        await kernel.names.endedEarly(undo)
    }

    package static func end(_ undo: NameFault, on kernel: Kernel) async throws(KernelError) {
        try await kernel.names.end(undo)
    }

    package static func touches(_ undo: NameFault) -> [StatePart] {
        undo.method == .redirect
            ? [.network(namespace: undo.place.namespace)]
            : [.nameFile(place: undo.place, method: undo.method)]
    }

    package static func effect(
        of count: NameCount,
        _ undo: NameFault,
        _ seen: String
    ) -> Effect {
        guard undo.method != .hosts else {
            return Effect("\(seen) (lookups of a file cannot be counted)")
        }
        var text = seen
        if count.failed > 0 {
            text += ", \(count.failed) queries or answers could not be passed on (not injected)"
        }
        if count.bypassed > 0 {
            text += ", \(count.bypassed) queries came too fast to be delayed"
        }
        return Effect(
            text,
            figures: count.figures,
            hit: count.hit > 0,
            traffic: undo.rule.share < 1
                ? TrafficShare(.queries, matched: count.matched, hit: count.hit) : nil
        )
    }

    // MARK: Planning

    private func place(of target: Target, on kernel: Kernel) throws(FaultError) -> NamePlace {
        let own = try kernelCall { () throws(KernelError) in try kernel.network.ownNamespace() }
        switch target {
        case .host: return NamePlace(namespace: own)
        case .netns(let name, let namespace, _):
            return NamePlace(namespace: namespace, overlay: "/etc/netns/\(name)")
        case .process(_, let identity, _):
            let namespace = try kernelCall { () throws(KernelError) in
                try kernel.network.namespace(of: identity)
            }
            let isNarrow =
                !traffic.users.isEmpty || !traffic.groups.isEmpty
                || (traffic.method.map { $0 != .redirect } ?? false)
            guard namespace.inode != own.inode || isNarrow else {
                throw .refused(
                    "\(target) shares the host's network namespace: a fault there would hit the queries of every "
                        + "process; narrow it by `user` or `cgroup`, or use target.host {} if that is meant"
                )
            }
            return NamePlace(namespace: namespace, process: identity)
        }
    }

    /// The way that is asked for, or the best that works.
    private func method(
        on target: Target,
        _ survey: NameSurvey
    ) throws(FaultError) -> NameMethod {
        let asked = traffic.method ?? (survey.redirectObstacle == nil ? .redirect : .resolvConf)
        if asked == .redirect {
            guard let obstacle = survey.redirectObstacle else { return .redirect }
            throw .unavailable("queries cannot be redirected here: \(obstacle)")
        }
        let reason = survey.redirectObstacle.map { " (queries cannot be redirected: \($0))" } ?? ""
        if case .netns = target {
            throw .refused(
                "\(target) has no files of its own: \(asked.file ?? "") can only be edited for a process or the "
                    + "host\(reason)"
            )
        }
        guard traffic.users.isEmpty, traffic.groups.isEmpty, traffic.encrypted == nil else {
            throw .unavailable("user, cgroup and dot need queries to be redirected\(reason)")
        }
        if asked == .resolvConf, survey.resolvers.isEmpty {
            throw .refused("/etc/resolv.conf of \(target) names no resolver to pass queries on to")
        }
        return asked
    }

    private func users(on kernel: Kernel) throws(FaultError) -> [UInt32] {
        var ids: [UInt32] = []
        for user in traffic.users {
            if let number = UInt32(user) {
                ids.append(number)
                continue
            }
            let found = try kernelCall { () throws(KernelError) in
                try kernel.processes.userID(named: user)
            }
            guard let found else {
                throw .refused("there is no user \"\(user.escapedForDisplay)\"")
            }
            ids.append(found)
        }
        return ids
    }

    /// A loopback address for all faults of a file, which go together there, and for those of no other file.
    private static func listener(of place: NamePlace) -> NetworkAddress? {
        let hash = "\(place.mounts ?? 0)".utf8.reduce(UInt32(2_166_136_261)) {
            ($0 ^ UInt32($1)) &* 16_777_619
        }
        let bytes = [UInt8(127), 83, UInt8(hash >> 8 & 0xff), UInt8(hash & 0xff) | 1]
        return NetworkAddress(bytes: bytes)
    }
}

extension NameMethod {
    fileprivate var words: String {
        switch self {
        case .redirect: "nft-owner"
        case .resolvConf: "edit of /etc/resolv.conf"
        case .hosts: "edit of /etc/hosts"
        }
    }
}

extension NameCount {
    /// What the report shows; what did not happen is left out.
    fileprivate var figures: [Figure] {
        let extra: [(String, UInt64)] = [
            ("queries_bypassed", bypassed), ("queries_failed", failed), ("packets_cut", cut),
        ]
        let happened = extra.filter { $0.1 > 0 }.map { Figure($0.0, Double($0.1)) }
        let byName = names.flatMap { tally in
            [
                Figure("matched \(tally.name)", Double(tally.matched)),
                Figure("hit \(tally.name)", Double(tally.hit)),
            ]
        }
        let rest = uncounted > 0 ? [Figure("matched other names", Double(uncounted))] : []
        return [
            Figure("queries_seen", Double(seen)), Figure("queries_matched", Double(matched)),
            Figure("queries_hit", Double(hit)),
        ] + happened + byName + rest
    }
}
