// The Mann-Whitney U test, two-sided: did two parts of a run differ, whatever the distribution of the values?
//
// As SciPy's `mannwhitneyu` decides by itself: the exact distribution of U when one side has at most eight values and
// no two values are equal, else the normal approximation with the corrections for continuity and for ties. Source:
// H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18 (1947), 50-60.

import Glibc

/// A test of two samples; none of its values may be NaN.
package struct MannWhitney: Sendable, Hashable {
    /// Where the probability comes from.
    package enum Method: String, Sendable, Hashable, CaseIterable {
        /// Every arrangement of the ranks counted.
        case exact
        /// The normal distribution, corrected for continuity and ties.
        case asymptotic
    }

    /// The most pairs for which arrangements are counted; beyond, both methods agree to three digits.
    static let mostExactPairs = 2000

    /// U of the second sample: how many pairs it wins, an equal pair counted as half.
    package let u: Double
    /// The probability of a U this far off or farther, if there is no difference.
    package let pValue: Double
    /// How the probability was found.
    package let method: Method
    /// The share of pairs that the second sample wins less the share that it loses, -1 to 1 (Cliff's delta).
    package let cliffsDelta: Double

    /// Tests two samples.
    ///
    /// - Returns: nil when one of them is empty.
    package init?(first: [Double], second: [Double], method wanted: Method? = nil) {
        guard !first.isEmpty, !second.isEmpty else { return nil }
        let ranking = Ranking(first: first, second: second)
        let pairs = Double(first.count) * Double(second.count)
        let size = Double(second.count)
        u = ranking.sumOfSecond - size * (size + 1) / 2
        cliffsDelta = 2 * u / pairs - 1
        let isSmall = min(first.count, second.count) <= 8 && pairs <= Double(Self.mostExactPairs)
        method = wanted ?? (isSmall && ranking.tieTerm == 0 ? .exact : .asymptotic)
        let larger = max(u, pairs - u)
        switch method {
        case .exact:
            let distribution = RankDistribution(first.count, second.count)
            pValue = min(1, 2 * distribution.atLeast(Int(larger)))
        case .asymptotic:
            let total = Double(first.count + second.count)
            let ties = total > 1 ? ranking.tieTerm / (total * (total - 1)) : 0
            let deviation = (pairs / 12 * (total + 1 - ties)).squareRoot()
            // All values equal: nothing differs.
            guard deviation > 0 else {
                pValue = 1
                return
            }
            let distance = (larger - pairs / 2 - 0.5) / deviation
            pValue = min(1, erfc(distance / 2.0.squareRoot()))
        }
    }
}

/// The ranks of two samples together; equal values share the mean of their ranks.
private struct Ranking {
    /// The sum of the second sample's ranks.
    var sumOfSecond = 0.0
    /// The sum of t³ - t over the groups of t equal values.
    var tieTerm = 0.0

    init(first: [Double], second: [Double]) {
        let tagged = first.map { (value: $0, isSecond: false) }
        let all = (tagged + second.map { (value: $0, isSecond: true) })
            .sorted { $0.value < $1.value }
        var start = 0
        while start < all.count {
            var end = start
            var ofSecond = 0
            while end < all.count, all[end].value == all[start].value {
                if all[end].isSecond { ofSecond += 1 }
                end += 1
            }
            // Ranks count from 1: the mean of start + 1 … end.
            sumOfSecond += Double(ofSecond) * Double(start + 1 + end) / 2
            let size = Double(end - start)
            tieTerm += size * size * size - size
            start = max(end, start + 1)
        }
    }
}

/// The distribution of U without ties, when nothing differs: every choice of ranks is as likely as any other.
package struct RankDistribution: Sendable {
    private let probabilities: [Double]

    /// Counts the arrangements of two samples of these sizes.
    package init(_ left: Int, _ right: Int) {
        let chosen = min(left, right)
        let most = left * right
        // ways[j][u]: arrangements of j chosen among the ranks so far, by their U.
        var ways = [[Double]](repeating: [Double](repeating: 0, count: most + 1), count: chosen + 1)
        ways[0][0] = 1
        for rank in 0..<(left + right) {
            for count in stride(from: min(chosen, rank + 1), to: 0, by: -1) {
                // The j-th chosen of rank r (from 0) beats r - (j - 1) of the others.
                let gain = rank - (count - 1)
                guard gain <= most else { continue }
                for u in gain...most where ways[count - 1][u - gain] != 0 {
                    ways[count][u] += ways[count - 1][u - gain]
                }
            }
        }
        let total = ways[chosen].reduce(0, +)
        probabilities = ways[chosen].map { $0 / total }
    }

    /// The probability of this U or a larger one.
    package func atLeast(_ u: Int) -> Double {
        probabilities.dropFirst(max(0, u)).reversed().reduce(0, +)
    }

    /// The smallest U for which the probability of it or a smaller one reaches `share`.
    package func quantile(_ share: Double) -> Int {
        var sum = 0.0
        for (u, probability) in probabilities.enumerated() {
            sum += probability
            if sum >= share { return u }
        }
        return max(0, probabilities.count - 1)
    }
}
