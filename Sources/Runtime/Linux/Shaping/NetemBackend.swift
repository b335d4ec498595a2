// netem beside the user's queues, never in their place: an owner table of family netdev forwards what matches to an
// ifb of ours with a netem on it, and the ifb puts it back where it was. The user's interfaces and queues are not
// changed. When the agent dies the kernel removes the table, and what is left is an ifb that no packet comes to.

package import ChaosModel
import Glibc
import Synchronization

/// Shaping by netem.
///
/// Rules live as long as this object and the process: keep one for the agent's life.
package final class NetemBackend: ShapingBackend {
    /// What we hold in a namespace.
    private struct Holding {
        let rtnetlink: Rtnetlink
        /// The oldest first.
        var leases: [NetemLease] = []
        var nextPriority: Int32 = 0
    }

    /// How many leases may meet on one packet: each more doubles the ifbs.
    private static let mostRivals = 3
    /// How long packets that wait may take to leave before the ifb is removed.
    private static let drainMs = 200

    private let nft = NftEngine(family: "netdev")
    private let holdings = Mutex<[UInt64: Holding]>([:])
    private let probe = NetemProbe()

    /// Makes the engine.
    package init() {}

    package func absence(in namespace: NetworkNamespace) throws(KernelError) -> String? {
        probe.absence
    }

    package func obstacle(
        to rules: ShapingRules,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> String? {
        if let obstacle = Self.obstacle(to: rules) { return obstacle }
        do throws(KernelError) {
            return try holdings.withLock { holdings throws(KernelError) in
                let holding = try Self.known(namespace, in: holdings)
                let lease = try lease(rules, among: holding, in: namespace)
                try check(lease, beside: holding.leases, in: namespace)
                return nil
            }
        } catch  where [.unsupported, .failed].contains(error.kind) {
            return error.reason
        }
    }

    package func remarks(on rules: ShapingRules) -> [String] {
        let impairment = rules.impairment
        var remarks: [String] = []
        if rules.match.contains(where: { $0.interface == nil }) {
            remarks.append("interfaces that come up later are not covered (netem)")
        }
        if let delay = impairment.delay, delay.preserveOrder, delay.jitterMs > 0 {
            remarks.append(
                "keeping the order makes late packets hold up those behind: the mean delay is more than \(Duration.milliseconds(delay.delayMs).spelled) (netem)"
            )
        }
        if impairment.duplicate != nil || impairment.corrupt != nil || impairment.reorder != nil {
            remarks.append("the packets that it happens to are not counted by themselves (netem)")
        }
        return remarks
    }

    static func obstacle(to rules: ShapingRules) -> String? {
        if rules.match.contains(where: { $0.owner != nil }) {
            return "netem cannot tell packets by the process that they belong to"
        }
        if let delay = rules.impairment.delay,
            delay.delayMs + delay.jitterMs > NetemOptions.longestMs
        {
            return
                "netem delays by \(Duration.milliseconds(NetemOptions.longestMs).spelled) at most"
        }
        if let rate = rules.impairment.rate,
            Double(rate.burstBytes) > max(15_140, rate.bitsPerSecond / 8 * 0.01)
        {
            return "netem spaces packets evenly and lets no burst through; leave the burst out"
        }
        return nil
    }

    package func shape(
        _ rules: ShapingRules,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try holdings.withLock { holdings throws(KernelError) in
            // Each time: a namespace that lost its name must not be found through our own socket.
            _ = try NamespaceFile.open(namespace)
            var holding = try Self.known(namespace, in: holdings)
            try begin(rules, among: &holding, in: namespace)
            holdings[namespace.inode] = holding
        }
    }

    package func widen(
        _ name: String,
        by matches: [PacketMatch],
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try holdings.withLock { holdings throws(KernelError) in
            guard var holding = holdings[namespace.inode],
                let place = holding.leases.firstIndex(where: { $0.name == name })
            else { throw KernelError(.failed, "widen \(name)", "it is not in force") }
            try widen(place, by: matches, among: &holding, in: namespace)
            holdings[namespace.inode] = holding
        }
    }

    package func unshape(_ name: String, in namespace: NetworkNamespace) async throws(KernelError) {
        let name = try RulePlan.checkedName(name)
        let held = try holdings.withLock { holdings throws(KernelError) in
            try end(name, among: &holdings[namespace.inode], in: namespace)
        }
        guard let held else { return try await endOthers(name, in: namespace) }
        try await NetemDevices.remove(held.devices, drainMs: Self.drainMs, with: held.rtnetlink)
        try letGoIfGone(namespace)
    }

    package func count(
        _ name: String,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount? {
        let name = try RulePlan.checkedName(name)
        let holding = holdings.withLock { $0[namespace.inode] }
        if holding != nil { _ = try NamespaceFile.find(namespace) }
        guard let listing = try nft.listing(of: name, in: namespace) else { return nil }
        guard let holding, let lease = holding.leases.first(where: { $0.name == name }) else {
            return ShapingCount(matched: NetemText.counts(in: listing).values.reduce(0, +))
        }
        guard let now = try counts(of: lease, among: holding, in: namespace) else { return nil }
        return now + lease.earlier
    }

    // MARK: Beginning

    private static func known(
        _ namespace: NetworkNamespace,
        in holdings: [UInt64: Holding]
    ) throws(KernelError) -> Holding {
        if let known = holdings[namespace.inode] { return known }
        return Holding(
            rtnetlink: try LinuxNamespaces.within(namespace) { () throws(KernelError) in
                try Rtnetlink()
            }
        )
    }

    /// The lease that rules would become, with no ifbs yet.
    private func lease(
        _ rules: ShapingRules,
        among holding: Holding,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> NetemLease {
        let links: [NetworkLink]
        do throws(Rtnetlink.Refusal) {
            links = try holding.rtnetlink.links()
        } catch {
            throw error.error("list interfaces in \(namespace.path)")
        }
        return NetemLease(
            rules: rules,
            hooks: try NetemHook.all(of: rules, among: links),
            priority: holding.nextPriority
        )
    }

    private func begin(
        _ rules: ShapingRules,
        among holding: inout Holding,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        let operation = "shape packets by \(rules.name) in \(namespace.path)"
        guard !holding.leases.contains(where: { $0.name == rules.name }) else {
            throw KernelError(.failed, operation, "it is in force already")
        }
        var lease = try lease(rules, among: holding, in: namespace)
        try check(lease, beside: holding.leases, in: namespace)
        lease.devices = try NetemDevices.add(
            for: lease,
            beside: holding.leases,
            with: holding.rtnetlink
        )
        do throws(KernelError) {
            try nft.transact(
                NetemText.create(lease, beside: holding.leases),
                adding: [lease.name],
                operation,
                in: namespace
            )
        } catch {
            for device in lease.devices.values {
                _ = try? holding.rtnetlink.removeLink(device.index)
            }
            throw error
        }
        holding.leases.append(lease)
        holding.nextPriority -= 1
    }

    private func widen(
        _ place: Int,
        by matches: [PacketMatch],
        among holding: inout Holding,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        let old = holding.leases[place]
        var rules = old.rules
        (rules.pass, rules.match) = ([], matches)
        let more = try lease(rules, among: holding, in: namespace)
        var new = old
        new.rules.match += matches
        var commands = ""
        for hook in more.hooks {
            guard let index = new.hooks.firstIndex(where: { $0.isAtPlace(of: hook) }) else {
                continue
            }
            new.hooks[index].rules += hook.rules
            commands += NetemText.widen(old, by: hook, beside: Array(holding.leases[..<place]))
        }
        let older = Array(holding.leases[..<place])
        let isAlone =
            zip(old.hooks, new.hooks).allSatisfy {
                old.rivals(at: $0, among: older).map(\.lease.name)
                    == new.rivals(at: $1, among: older).map(\.lease.name)
            }
            && holding.leases[(place + 1)...].allSatisfy { newer in
                newer.hooks.allSatisfy { newer.rivals(at: $0, among: [new]).isEmpty }
            }
        guard isAlone, !commands.isEmpty else {
            throw KernelError(
                .unsupported,
                "widen \(old.name)",
                "netem cannot take more packets into it beside other faults on the same interface"
            )
        }
        try nft.transact(commands, "widen \(old.name) in \(namespace.path)", in: namespace)
        holding.leases[place] = new
    }

    private func check(
        _ lease: NetemLease,
        beside older: [NetemLease],
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        let operation = "shape packets by \(lease.name)"
        guard
            lease.hooks.allSatisfy({ lease.rivals(at: $0, among: older).count <= Self.mostRivals })
        else {
            throw KernelError(
                .unsupported,
                operation,
                "\(Self.mostRivals + 1) faults on the same packets are the most that netem does"
            )
        }
        try NetemStage.checkRates(lease, beside: older)
        for route in lease.routes(beside: older) {
            _ = try NetemStage.all(for: (older + [lease]).filter { route.leases.contains($0.name) })
        }
        let own = Set(older.map(\.name))
        for name in try nft.names(in: namespace) where !own.contains(name) {
            // The chain that takes a packet first decides alone, and we cannot write the other's anew.
            guard let listing = try nft.listing(of: name, in: namespace),
                NetemText.meets(listing, lease.hooks)
            else { continue }
            throw KernelError(
                .unsupported,
                operation,
                "\(name) of another agent shapes the same interface with netem; wait for its end"
            )
        }
    }

    // MARK: Ending

    /// What is left to remove once no packet comes to it.
    private struct Leftover {
        var devices: [NetemDevice]
        var rtnetlink: Rtnetlink
    }

    /// Ends a lease that this object began; nil when it is not one.
    private func end(
        _ name: String,
        among holding: inout Holding?,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> Leftover? {
        guard var left = holding, let place = left.leases.firstIndex(where: { $0.name == name })
        else {
            return nil
        }
        let present = Set(try nft.names(in: namespace))
        var devices = Array(left.leases[place].devices.values)
        var commands = present.contains(name) ? ["delete table netdev \(name)\n"] : []
        let before = left
        left.leases.remove(at: place)
        try carry(by: before.leases[place], dropsOf: Set(devices), into: &left, namespace)
        for index in left.leases.indices.dropFirst(place) {
            let involved = left.leases[index].devices.filter { $0.key.leases.contains(name) }
            guard !involved.isEmpty, present.contains(left.leases[index].name) else { continue }
            devices += involved.values
            try carry(
                by: before.leases[index + 1],
                dropsOf: Set(involved.values),
                into: &left,
                namespace
            )
            for route in involved.keys { left.leases[index].devices[route] = nil }
            commands.append("delete table netdev \(left.leases[index].name)\n")
            commands.append(
                NetemText.create(left.leases[index], beside: Array(left.leases.prefix(index)))
            )
        }
        if !commands.isEmpty {
            try nft.transact(
                commands.joined(),
                removing: [name],
                "end \(name) in \(namespace.path)",
                in: namespace
            )
        }
        holding = left
        return Leftover(devices: devices, rtnetlink: left.rtnetlink)
    }

    /// Notes what a table counted for each lease, before the table ends, and what ifbs that end too dropped.
    private func carry(
        by table: NetemLease,
        dropsOf ended: Set<NetemDevice>,
        into holding: inout Holding,
        _ namespace: NetworkNamespace
    ) throws(KernelError) {
        for index in holding.leases.indices {
            let spent = try counts(
                of: holding.leases[index].name,
                by: table,
                dropsOf: ended,
                holding.rtnetlink,
                namespace
            )
            holding.leases[index].earlier = holding.leases[index].earlier + spent
        }
    }

    /// Ends what another process began, or what is half there: its table, then all ifbs of its name.
    private func endOthers(
        _ name: String,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        if NftContext.obstacle() == nil { try nft.remove(name, in: namespace) }
        try await NetemDevices.remove(in: namespace, drainMs: Self.drainMs) {
            NetemNames.isDevice($0, of: name)
        }
    }

    /// Our sockets keep a namespace alive that nobody else can reach any more.
    private func letGoIfGone(_ namespace: NetworkNamespace) throws(KernelError) {
        do throws(KernelError) {
            _ = try NamespaceFile.find(namespace)
        } catch {
            guard error.kind == .gone else { throw error }
            nft.forget(namespace)
            holdings.withLock { _ = $0.removeValue(forKey: namespace.inode) }
            throw error
        }
    }

    // MARK: Counting

    /// The packets of a lease by all tables that send its packets; nil when one of its ifbs is not there.
    private func counts(
        of lease: NetemLease,
        among holding: Holding,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> ShapingCount? {
        for device in lease.devices.values {
            let statistics = try? holding.rtnetlink.statistics(ofNetem: 0, on: device.index)
            guard statistics != nil else { return nil }
        }
        var sum = ShapingCount()
        for table in holding.leases {
            sum =
                try sum
                + counts(
                    of: lease.name,
                    by: table,
                    dropsOf: Set(table.devices.values),
                    holding.rtnetlink,
                    namespace
                )
        }
        return sum
    }

    /// The packets of a lease that the table of one lease took, and what some of its ifbs dropped of them.
    private func counts(
        of lease: String,
        by table: NetemLease,
        dropsOf counted: Set<NetemDevice>,
        _ rtnetlink: Rtnetlink,
        _ namespace: NetworkNamespace
    ) throws(KernelError) -> ShapingCount {
        let devices = table.devices.filter { $0.key.leases.contains(lease) }.values
        guard !devices.isEmpty, let listing = try nft.listing(of: table.name, in: namespace) else {
            return ShapingCount()
        }
        let taken = NetemText.counts(in: listing)
        var count = ShapingCount()
        for device in devices {
            count.matched += taken[device.name] ?? 0
            guard counted.contains(device) else { continue }
            count.dropped += NetemDevices.dropped(for: lease, on: device, rtnetlink)
        }
        return count
    }
}

extension ShapingCount {
    fileprivate static func + (left: Self, right: Self) -> Self {
        ShapingCount(matched: left.matched + right.matched, dropped: left.dropped + right.dropped)
    }
}
