// The distributions that netem draws delays from, computed: 4096 numbers each, in units of the deviation times
// 8192. tc reads the same from files that iproute2 brings, which a machine need not have.

import Glibc

/// Tables for TCA_NETEM_DELAY_DIST.
enum NetemTables {
    private static let size = 4096
    private static let scale = 8192.0

    /// The normal distribution: the inverse of its cumulative distribution, in the middle of each of 4096 parts.
    static let normal: [Int16] = (0..<size).map { index in
        clipped(quantile((Double(index) + 0.5) / Double(size)) * scale)
    }

    /// The Pareto distribution with a = 3, about its mean of 1.5, as iproute2's `pareto.c` makes it.
    static let pareto: [Int16] = (0..<size).map { index in
        let share = Double(65536 - index * 16) / 65536
        return clipped((pow(share, -1.0 / 3) - 1.5) * 4 / 3 * scale)
    }

    private static func clipped(_ value: Double) -> Int16 {
        Int16(min(max(value.rounded(), -32768), 32767))
    }

    /// The value that a share of a normal distribution lies below, by halving: 60 steps are exact enough.
    private static func quantile(_ share: Double) -> Double {
        var low = -8.0
        var high = 8.0
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if erfc(-middle / 2.0.squareRoot()) / 2 < share { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}
