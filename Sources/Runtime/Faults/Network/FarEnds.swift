// What is known of the far ends of a network fault: the addresses that host names have had, and what the way to one
// of them measured before, during and after.
//
// Names are looked up again while the fault is on, and what is new is hit too; what a name no longer has stays hit,
// since connections to it go on. The probes are ours, so the packets of theirs that the fault hit prove nothing.

import ChaosModel

/// A host name with every address that it has had.
struct NamedAddresses: Sendable, Hashable, Codable, CustomStringConvertible {
    var name: String
    var addresses: [NetworkAddress]

    var description: String {
        "\(name) is \(addresses.map(\.description).joined(separator: ", "))"
    }
}

/// What is known of the far ends of a fault.
struct FarEnds: Sendable, Hashable, Codable {
    /// How far the probe of the time during the fault has come.
    enum Stage: String, Sendable, Hashable, Codable {
        case asked, underWay = "under_way", done
    }

    /// How far apart figures may be and still say the same, in milliseconds.
    private static let toleranceMs = 5.0
    /// How long an answer during the fault is waited for: what comes later would keep the load from being watched.
    private static let patience = Duration.seconds(5)

    /// The names among them.
    var names: [NamedAddresses] = []
    /// Whether the last lookup failed.
    var isLookupFailing = false
    /// How the way to one of them is measured; nil where that says nothing of the fault.
    var probe: RoundTripProbe?
    /// The way before the fault; nil when it was not measured.
    var before: RoundTrip?
    /// The way while it was on.
    var during: RoundTrip?
    /// Whether the time during the fault is measured.
    var stage = Stage.asked
    /// How many of the packets that were hit are the probe's.
    var probed: UInt64 = 0

    /// Whether there is a way that can be compared.
    var isMeasurable: Bool { probe != nil && (before?.answered ?? 0) > 0 }

    /// The most packets that the probe makes: an echo and its answer, or those of a connection and one more try.
    var mostProbed: UInt64 { UInt64(probe?.count ?? 0) * (probe?.port == nil ? 2 : 5) }

    /// What the plan says of them.
    func changes(every interval: Duration, follows: Bool) -> [String] {
        let again = follows ? "; looked up again every \(interval.spelled)" : "; looked up once"
        let lines = names.map { "\($0)\(again)" }
        guard let probe else { return lines }
        let way =
            probe.port.map { "\(probe.count) TCP connections to port \($0)" }
            ?? "\(probe.count) ICMP echoes"
        return lines + [
            "measures the way to \(probe.address) before, during and after, by \(way) each time"
        ]
    }

    /// The figures before and during, for the report.
    var figures: [Figure] {
        Self.figures(before, "before") + Self.figures(during, "during")
    }

    /// The names in words, after what was seen; empty without any.
    var remark: String { names.map { "; \($0)" }.joined() }

    static func figures(_ trip: RoundTrip?, _ when: String) -> [Figure] {
        guard let trip else { return [] }
        let mean = trip.meanMs.map { [Figure("rtt_\(when)", $0, unit: "ms")] } ?? []
        return mean + [Figure("loss_\(when)", trip.loss, unit: "share")]
    }

    /// Measures again that the way is as before; nil when there is nothing to compare.
    func compare(in namespace: NetworkNamespace, on kernel: Kernel) async -> Effect? {
        guard isMeasurable, let probe, let before, let meanBefore = before.meanMs else {
            return nil
        }
        let limit = Duration.milliseconds(min(1000, 100 + 4 * meanBefore))
        var last: RoundTrip?
        // A packet may be lost on the way without us: two tries, then the figures speak.
        for _ in 0..<2 {
            guard let after = await kernel.network.roundTrip(probe, in: namespace, within: limit)
            else { return nil }
            last = after
            if isBack(after) { break }
        }
        guard let last else { return nil }
        let state =
            isBack(last)
            ? "the way to \(probe.address) is back"
            : "but the way to \(probe.address) is not as before"
        return Effect(
            "\(state): \(Self.spelled(last)), before \(Self.spelled(before))",
            figures: Self.figures(last, "after")
        )
    }

    private func isBack(_ after: RoundTrip) -> Bool {
        guard let before, let mean = before.meanMs, let now = after.meanMs else { return false }
        return after.answered >= before.answered && now <= mean * 2 + Self.toleranceMs
    }

    private static func spelled(_ trip: RoundTrip) -> String {
        let lost = "\(MetricUnit.share.spelled(trip.loss)) lost"
        return trip.meanMs.map { "\(Duration.milliseconds($0).spelled), \(lost)" } ?? lost
    }
}

extension FarEnds {
    /// Notes what a plan must know, and measures the way unless the plan is a preview.
    static func find(
        _ scope: NetworkScope,
        _ ends: NetworkScope.Ends,
        in namespace: NetworkNamespace,
        _ context: PlanContext,
        on kernel: Kernel
    ) async -> FarEnds {
        var known = FarEnds(names: ends.names, probe: ends.far.lazy.compactMap(scope.probe).first)
        guard !context.isPreview, let probe = known.probe else { return known }
        known.before = await kernel.network.roundTrip(
            probe,
            in: namespace,
            within: .milliseconds(200),
            isFirst: true
        )
        return known
    }

    /// What a follow-up comes to.
    struct Step: Sendable {
        var ends: FarEnds
        /// What is to be hit too.
        var more: [PacketMatch] = []
        var seen: String?
        var again: Duration?
    }

    /// Goes one step on: measures the time during the fault, then looks names up again, for ever.
    ///
    /// An answer may take `limit` while the fault is on, and is not asked for where that is too long; `count` tells how many packets were hit so far.
    func step(
        _ scope: NetworkScope,
        owner: SocketOwner?,
        in namespace: NetworkNamespace,
        within limit: Duration,
        on kernel: Kernel,
        count: () async throws(FaultError) -> UInt64
    ) async throws(FaultError) -> Step? {
        var ends = self
        let interval = names.isEmpty ? nil : scope.resolveEvery
        if stage == .done {
            return names.isEmpty ? nil : try await lookUp(scope, owner: owner, on: kernel)
        }
        guard isMeasurable, limit <= Self.patience, let probe else {
            ends.stage = .done
            return interval.map { Step(ends: ends, again: $0) }
        }
        if stage == .asked {
            // Kept before it is sent: whoever counts meanwhile must not take it for others' traffic.
            (ends.stage, ends.probed) = (.underWay, mostProbed)
            return Step(ends: ends, again: .zero)
        }
        let first = try await count()
        ends.during = await kernel.network.roundTrip(probe, in: namespace, within: limit)
        let last = try await count()
        ends.probed = min(last - min(first, last), mostProbed)
        ends.stage = .done
        return Step(ends: ends, again: interval)
    }

    private func lookUp(
        _ scope: NetworkScope,
        owner: SocketOwner?,
        on kernel: Kernel
    ) async throws(FaultError) -> Step {
        var step = Step(ends: self, again: scope.resolveEvery)
        do throws(FaultError) {
            let fresh = try await scope.resolve(on: kernel)
            step.ends.isLookupFailing = false
            var found: [String] = []
            for name in fresh.names {
                let known = names.first { $0.name == name.name }?.addresses ?? []
                let new = name.addresses.filter { !known.contains($0) }
                guard !new.isEmpty else { continue }
                found.append(
                    "\(name.name) is also \(new.map(\.description).joined(separator: ", "))"
                )
            }
            guard !found.isEmpty else { return step }
            step.more = try scope.more(in: fresh, than: names, owner: owner)
            step.ends.names = names.map { old in
                let now = fresh.names.first { $0.name == old.name }?.addresses ?? []
                let new = now.filter { !old.addresses.contains($0) }
                return NamedAddresses(name: old.name, addresses: old.addresses + new)
            }
            step.seen = found.joined(separator: "; ")
        } catch {
            if !isLookupFailing { step.seen = "its names were not looked up again: \(error)" }
            step.ends.isLookupFailing = true
        }
        return step
    }
}
