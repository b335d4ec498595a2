// Which of the matching targets are meant: a count or a share, chosen by a seed.
//
// A share is rounded down, so that "at most 10 %" is never 1 of 3; that nothing is left is an error which says
// so, unless `at_least` asks for more.

package import ChaosModel

extension SelectionLimit {
    /// The limit that a selector's own options set.
    package init(_ options: Parameters) {
        self.init(
            count: options[TargetOptions.count],
            share: options[TargetOptions.percent],
            atLeast: options[TargetOptions.atLeast]
        )
    }

    /// How many of `candidates` are meant.
    package func number(of candidates: Int) -> Int {
        let byCount = count ?? candidates
        // The small addend undoes the binary rounding of shares such as 0.29 of 100.
        let byShare = share.map { Int($0 * Double(candidates) + 1e-9) } ?? candidates
        return min(candidates, max(min(byCount, byShare), atLeast ?? 0))
    }

    /// The targets that are meant, chosen by the seed, in the order of the candidates.
    ///
    /// - Throws: a sentence that says why none is left.
    package func choose<Match>(
        from candidates: [Match],
        seed: UInt64
    ) throws(ParameterProblem) -> [Match] {
        if let count, count > candidates.count {
            throw ParameterProblem("asks for \(count) targets, but only \(candidates.count) match")
        }
        let wanted = number(of: candidates.count)
        guard !candidates.isEmpty else { throw ParameterProblem("has no targets to choose from") }
        guard wanted > 0 else {
            let percent = MetricUnit.share.spelled(share ?? 0)
            throw ParameterProblem(
                "\(percent) of \(candidates.count) is 0 targets (shares round down): "
                    + "ask for more, or write at_least = 1"
            )
        }
        guard wanted < candidates.count else { return candidates }
        var generator = SeededGenerator(seed: seed)
        let chosen = Set(candidates.indices.shuffled(using: &generator).prefix(wanted))
        return candidates.indices.filter(chosen.contains).map { candidates[$0] }
    }
}
