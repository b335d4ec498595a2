// How many of the matches are meant, and which.

import ChaosModel
import Testing

@testable import ChaosTargets

@Suite
struct `Selection` {
    /// Percent, then what it is of 0, 1, 3 and 10 matches; nil is the error "0 targets".
    static let rounding: [(percent: Double, of: [Int?])] = [
        (0, [nil, nil, nil, nil]),
        (1, [nil, nil, nil, nil]),
        (33, [nil, nil, nil, 3]),
        (50, [nil, nil, 1, 5]),
        (99, [nil, nil, 2, 9]),
        (100, [nil, 1, 3, 10]),
    ]

    private func chosen(_ limit: SelectionLimit, of count: Int, seed: UInt64 = 42) -> [Int]? {
        try? limit.choose(from: Array(0..<count), seed: seed)
    }

    @Test(arguments: rounding)
    func `a share rounds down, and none is an error`(_ row: (percent: Double, of: [Int?])) {
        for (count, expected) in zip([0, 1, 3, 10], row.of) {
            let limit = SelectionLimit(share: row.percent / 100)
            #expect(chosen(limit, of: count)?.count == expected, "\(row.percent)% of \(count)")
        }
    }

    @Test(arguments: rounding)
    func `at_least lifts a share that rounds below it, but never above what is there`(
        _ row: (percent: Double, of: [Int?])
    ) {
        for (count, expected) in zip([0, 1, 3, 10], row.of) {
            let limit = SelectionLimit(share: row.percent / 100, atLeast: 1)
            let lifted = count == 0 ? nil : max(1, expected ?? 0)
            #expect(chosen(limit, of: count)?.count == lifted, "\(row.percent)% of \(count)")
        }
    }

    @Test
    func `that a share rounds to nothing is said with its numbers`() {
        let error = #expect(throws: ParameterProblem.self) {
            try SelectionLimit(share: 0.2).choose(from: [1, 2], seed: 1)
        }
        #expect(
            error?.text
                == "20% of 2 is 0 targets (shares round down): ask for more, or write at_least = 1"
        )
    }

    @Test
    func `a share over 100% and more than there is are refused`() throws {
        let selector = TargetSelector(
            kind: .process,
            options: ["name": "shop", "percent": "150%"]
        )
        let error = #expect(throws: DefinitionError.self) { try selector.validated() }
        #expect(error?.problem == "percent must be between 0% and 100%, got \"150%\"")
        let tooMany = #expect(throws: ParameterProblem.self) {
            try SelectionLimit(count: 5).choose(from: [1, 2, 3, 4], seed: 1)
        }
        #expect(tooMany?.text == "asks for 5 targets, but only 4 match")
    }

    @Test
    func `the same seed chooses the same, another seed another`() {
        let limit = SelectionLimit(count: 3)
        let first = chosen(limit, of: 100, seed: 42)
        #expect(first == chosen(limit, of: 100, seed: 42))
        #expect(first != chosen(limit, of: 100, seed: 43))
        #expect(first.map(Set.init)?.count == 3)
    }

    @Test
    func `every match is chosen about equally often`() {
        var hits = [Int](repeating: 0, count: 10)
        for seed in 0..<5000 as Range<UInt64> {
            for index in chosen(SelectionLimit(count: 2), of: 10, seed: seed) ?? [] {
                hits[index] += 1
            }
        }
        // 1000 each; five standard deviations of a binomial with p = 0.2.
        #expect(hits.allSatisfy { abs($0 - 1000) < 142 }, "\(hits)")
    }
}
