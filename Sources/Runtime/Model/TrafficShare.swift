// How much of the traffic that a fault means it really hit, and whether that is more than chance allows.
//
// A share of traffic is drawn by chance, so that among a few connections or requests it is often larger than what was
// declared: of two connections at 10 %, one is hit in a fifth of all runs. That is no excess. What counts is whether
// so many could be hit at all if each was hit with the declared share.

import Glibc

/// The traffic that matched a fault, and how much of it was hit.
package struct TrafficShare: Sendable, Hashable, Codable {
    /// What is counted: what is hit or left alone as a whole.
    package enum Unit: String, Sendable, Hashable, Codable, CaseIterable {
        case connections, packets, requests, queries
    }

    /// What is counted.
    package var unit: Unit
    /// How many of them matched.
    package var matched: UInt64
    /// How many of those were hit.
    package var hit: UInt64

    /// Makes a share.
    package init(_ unit: Unit, matched: UInt64, hit: UInt64) {
        self.unit = unit
        self.matched = matched
        self.hit = hit
    }

    /// The share that was hit, 0…1; 0 when nothing matched.
    package var share: Double { matched == 0 ? 0 : min(1, Double(hit) / Double(matched)) }

    /// Whether more was hit than a declared share can explain.
    ///
    /// By Chernoff's bound (Hoeffding 1963, theorem 1): when each is hit by itself with the chance `declared`, `hit`
    /// or more of `matched` have a chance of at most exp(-matched · KL(hit / matched, declared)). True when that is below
    /// one in a million.
    package func exceeds(_ declared: Double) -> Bool {
        guard hit > 0, share > declared else { return false }
        guard declared > 0 else { return true }
        let rest = 1 - share
        let divergence =
            share * log(share / declared) + (rest > 0 ? rest * log(rest / (1 - declared)) : 0)
        return Double(matched) * divergence > -log(Self.allowedChance)
    }

    private static let allowedChance = 1e-6

    /// Both together, when they count the same.
    package static func + (left: TrafficShare, right: TrafficShare) -> TrafficShare? {
        guard left.unit == right.unit else { return nil }
        return TrafficShare(
            left.unit,
            matched: left.matched + right.matched,
            hit: left.hit + right.hit
        )
    }
}
