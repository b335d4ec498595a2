// By how much two parts of a run differ: the median of all differences between a value of the one and a value of the
// other, and the interval of Moses that covers it in 95 of 100 cases. Source: J. L. Hodges and E. L. Lehmann, Annals of
// Mathematical Statistics 34 (1963), 598-611; M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods, 4.2-4.3.
//
// A day of samples has billions of differences, so none is stored: the k-th smallest is found by bisection, and how
// many are at most some value is counted in one walk along both sorted samples.

/// The shift from one sample to another.
package struct HodgesLehmann: Sendable, Hashable {
    /// The quantile of the normal distribution that leaves 2.5 % above.
    private static let z = 1.959963984540054

    /// The median of the differences, second less first.
    package let shift: Double
    /// The lower end of the 95 % interval.
    package let low: Double
    /// The upper end of the 95 % interval.
    package let high: Double

    /// Estimates the shift.
    ///
    /// - Returns: nil when a sample is empty or has a value that is not finite.
    package init?(first: [Double], second: [Double], method: MannWhitney.Method) {
        guard !first.isEmpty, !second.isEmpty, (first + second).allSatisfy(\.isFinite) else {
            return nil
        }
        let differences = Differences(of: second.sorted(), less: first.sorted())
        let count = differences.count
        let middle = (differences.smallest(count / 2 + 1), differences.smallest((count + 1) / 2))
        shift = middle.1 + (middle.0 - middle.1) / 2
        let end: Int =
            switch method {
            case .exact: RankDistribution(first.count, second.count).quantile(0.025)
            case .asymptotic: Self.approximateEnd(Double(first.count), Double(second.count))
            }
        let rank = min(max(1, end), (count + 1) / 2)
        low = differences.smallest(rank)
        high = differences.smallest(count + 1 - rank)
    }

    private static func approximateEnd(_ first: Double, _ second: Double) -> Int {
        let pairs = first * second
        let deviation = (pairs * (first + second + 1) / 12).squareRoot()
        return Int((pairs / 2 - z * deviation).rounded(.down))
    }
}

/// All differences of two sorted samples.
private struct Differences {
    let left: [Double]
    let right: [Double]

    init(of left: [Double], less right: [Double]) {
        self.left = left
        self.right = right
    }

    var count: Int { left.count * right.count }

    /// The k-th smallest difference, counted from 1, exactly.
    func smallest(_ rank: Int) -> Double {
        // The values of a Double in their order are the integers of `ordered`: at most 64 halvings.
        var low = Self.order(-.infinity)
        var high = Self.order(.infinity)
        while low < high {
            let middle = low + (high - low) / 2
            if isReached(rank, at: Self.value(middle)) { high = middle } else { low = middle + 1 }
        }
        return Self.value(low)
    }

    /// Whether at least so many differences are at most this.
    private func isReached(_ rank: Int, at limit: Double) -> Bool {
        var found = 0
        var beyond = 0
        for value in left.reversed() {
            // The smaller the value, the more of the other sample may be taken from it: this only moves back.
            while beyond < right.count, value - right[right.count - 1 - beyond] <= limit {
                beyond += 1
            }
            found += beyond
            if found >= rank { return true }
        }
        return false
    }

    /// Maps values to integers that have the same order.
    private static func order(_ value: Double) -> UInt64 {
        let bits = value.bitPattern
        return bits >> 63 == 0 ? bits | 1 << 63 : ~bits
    }

    private static func value(_ order: UInt64) -> Double {
        Double(bitPattern: order >> 63 == 1 ? order & ~(1 << 63) : ~order)
    }
}
