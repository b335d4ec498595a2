// What the engine cannot do, said before anything is done.

import ChaosModel

/// The bounds of the engine.
enum QueueLimits {
    /// How many packets of one direction may wait: about 200 MB when all are of full size.
    ///
    /// Newer kernels keep 65,536 at most, whatever they are asked for.
    static let capacity = 60_000
    /// The longest that a packet may be held.
    static let longestDelay = Duration.seconds(60)
    /// How many bytes may wait for a rate.
    static let mostBytes = 128 << 20

    /// What of the rules the engine cannot do, in words; nil when it can all of it.
    static func obstacle(to rules: ShapingRules) -> String? {
        let impairment = rules.impairment
        if let delay = impairment.delay {
            let longest = delay.delayMs + delay.jitterMs
            guard longest >= 0, longest <= longestDelay / .milliseconds(1) else {
                return
                    "delay and jitter together must be at most \(longestDelay.spelled), got \(longest)ms"
            }
        }
        let isDelayed = (impairment.delay.map { $0.delayMs + $0.jitterMs } ?? 0) > 0
        if let reorder = impairment.reorder, reorder.share > 0, !isDelayed {
            return "reorder needs a delay: packets overtake only those that wait"
        }
        if let rate = impairment.rate {
            guard rate.bitsPerSecond >= 1 else {
                return "the rate must be at least 1bit, got \(rate.bitsPerSecond)bit"
            }
            guard rate.limitBytes <= mostBytes else {
                return
                    "the limit of a rate must be at most \(mostBytes >> 20)MiB, got \(rate.limitBytes) bytes"
            }
        }
        return size(of: rules)
    }

    private static func size(of rules: ShapingRules) -> String? {
        do throws(KernelError) {
            let table = QueueTable(try plan(of: rules), ordinal: 0, makesCopies: false)
            let size = table.size
            return size <= QueueTable.mostRules
                ? nil
                : "\(size) combinations of addresses and ports, at most \(QueueTable.mostRules)"
        } catch {
            return error.reason
        }
    }

    /// The rules with their directions, families and neighbour discovery sorted out.
    static func plan(of rules: ShapingRules) throws(KernelError) -> RulePlan {
        try RulePlan(PacketRules(name: rules.name, pass: rules.pass, drop: rules.match))
    }
}
