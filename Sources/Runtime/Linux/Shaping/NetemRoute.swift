// Leases that hit the same packets.
//
// What an ifb re-injects passes no nft chain of the interface again, so the first lease that takes a packet decides
// alone where it goes. Therefore the newest lease looks first, asks also what the older ones of this agent would
// have done, and sends the packet to an ifb for exactly those leases, with a netem for each inside the one before:
// delays add, and losses multiply. Each lease still has a table of its own; when one ends, the tables of the newer
// ones are written anew without it, in the transaction that removes its own.

import ChaosModel

/// The leases that a packet belongs to, the oldest first, and its direction.
struct NetemRoute: Hashable, Sendable {
    var direction: PacketDirection
    var leases: [String]
}

/// A lease in force, or about to be.
struct NetemLease: Sendable {
    var rules: ShapingRules
    var hooks: [NetemHook]
    /// Smaller than that of every older lease of the namespace: its chains come first.
    var priority: Int32
    /// The ifbs of its own.
    var devices: [NetemRoute: NetemDevice] = [:]
    /// What its packets came to before the tables were written anew.
    var earlier = ShapingCount()

    var name: String { rules.name }

    /// The older leases that may hit the same packets at a hook, the oldest first.
    func rivals(at hook: NetemHook, among older: [NetemLease]) -> [(
        lease: NetemLease, hook: NetemHook
    )] {
        older.compactMap { lease in
            lease.hooks.first { $0.mayOverlap(hook) }.map { (lease, $0) }
        }
    }

    /// Everywhere that this lease may send packets to, beside older ones.
    func routes(beside older: [NetemLease]) -> Set<NetemRoute> {
        var routes: Set<NetemRoute> = []
        for hook in hooks {
            var sets: [[String]] = [[]]
            for rival in rivals(at: hook, among: older) {
                sets += sets.map { $0 + [rival.lease.name] }
            }
            routes.formUnion(
                sets.map { NetemRoute(direction: hook.direction, leases: $0 + [name]) }
            )
        }
        return routes
    }
}

/// An ifb of ours.
struct NetemDevice: Sendable, Hashable {
    var name: String
    var index: Int32
    /// For each netem on it, from the outermost, the leases that it works for.
    var stages: [[String]]
}

/// One netem for one lease, or for several that ask for different things.
struct NetemStage {
    var leases: [String]
    var options: NetemOptions

    /// The netems for a route, as few as can be.
    static func all(for leases: [NetemLease]) throws(KernelError) -> [NetemStage] {
        var stages: [NetemStage] = []
        for lease in leases {
            let own = NetemOptions(impairment: lease.rules.impairment, seed: lease.rules.seed)
            if let index = stages.firstIndex(where: { $0.options.merged(with: own) != nil }),
                let merged = stages[index].options.merged(with: own)
            {
                stages[index].options = merged
                stages[index].leases.append(lease.name)
            } else {
                stages.append(NetemStage(leases: [lease.name], options: own))
            }
        }
        // A copy is queued at the root and would pass the outer netems twice; newer kernels refuse such a tree.
        guard stages.count == 1 || stages.allSatisfy({ $0.options.impairment.duplicate == nil })
        else {
            throw KernelError(
                .unsupported,
                "shape packets by \(leases.map(\.name).joined(separator: " and "))",
                "they hit the same packets, and netem cannot duplicate those and do the rest of it"
            )
        }
        return stages
    }

    /// Throws where a rate could not be held, since it would count two kinds of its packets apart.
    static func checkRates(_ lease: NetemLease, beside older: [NetemLease]) throws(KernelError) {
        for hook in lease.hooks {
            for (rival, rivalHook) in lease.rivals(at: hook, among: older) {
                let isSplit =
                    rival.rules.impairment.rate != nil
                    && !lease.takesAll(hook, of: rival, rivalHook)
                    || lease.rules.impairment.rate != nil
                        && !rival.takesAll(rivalHook, of: lease, hook)
                guard isSplit else { continue }
                throw KernelError(
                    .unsupported,
                    "shape packets by \(lease.name)",
                    "\(rival.name) hits some of the same packets; with a rate, netem needs it to be all of them"
                )
            }
        }
    }
}

extension NetemLease {
    fileprivate func takesAll(_ hook: NetemHook, of other: NetemLease, _ otherHook: NetemHook)
        -> Bool
    {
        rules.traffic >= 1 && hook.covers(otherHook)
    }
}

extension NetemOptions {
    /// Options that do what both ask for; nil when both ask for the same kind of thing.
    fileprivate func merged(with other: NetemOptions) -> NetemOptions? {
        let (one, two) = (impairment, other.impairment)
        func isApart<Value>(_ value: KeyPath<Impairment, Value?>) -> Bool {
            one[keyPath: value] == nil || two[keyPath: value] == nil
        }
        guard isApart(\.delay), isApart(\.loss), isApart(\.duplicate), isApart(\.corrupt),
            isApart(\.reorder), isApart(\.rate),
            // A rate delays too; what is reordered would overtake its queue.
            one.rate == nil || two.reorder == nil, two.rate == nil || one.reorder == nil
        else { return nil }
        return NetemOptions(
            impairment: Impairment(
                delay: one.delay ?? two.delay,
                loss: one.loss ?? two.loss,
                duplicate: one.duplicate ?? two.duplicate,
                corrupt: one.corrupt ?? two.corrupt,
                reorder: one.reorder ?? two.reorder,
                rate: one.rate ?? two.rate
            ),
            seed: seed
        )
    }
}
