// What else a machine does makes a figure worse, never better. So a test whose figure missed its bound measures again,
// up to three rounds, and says so; a failure of any other kind is one at once.

import Synchronization
public import Testing

extension Comment {
    private static let figure = "a figure, which other work on this machine can spoil"

    /// Marks the expectation of a figure that other work on this machine can spoil: a time, a rate, a mean.
    public static let ofFigure = Comment(rawValue: figure)

    /// The same, with words of its own.
    public static func ofFigure(_ words: String) -> Comment {
        Comment(rawValue: "\(figure): \(words)")
    }

    fileprivate var isOfFigure: Bool { rawValue.hasPrefix(Self.figure) }
}

/// Runs a test again when nothing but expectations marked `ofFigure` failed in it; what the last round says counts.
public struct Rounds: TestTrait, TestScoping {
    let most: Int

    /// Runs a test in rounds, as `TestScoping` wants it.
    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        for round in 1..<most {
            let missed = Missed()
            try await withKnownIssue(isIntermittent: true) {
                try await function()
            } matching: {
                missed.note($0)
            }
            guard missed.any else { return }
            missed.tell(test.name, round, of: most)
        }
        try await function()
    }
}

/// A part of a test in rounds of its own, where the whole would take too long.
public func inRounds(_ name: String, of most: Int = 3, _ body: () throws -> Void) throws {
    for round in 1..<most {
        let missed = Missed()
        try withKnownIssue(isIntermittent: true) {
            try body()
        } matching: {
            missed.note($0)
        }
        guard missed.any else { return }
        missed.tell(name, round, of: most)
    }
    try body()
}

/// Whether a round missed a figure.
private final class Missed: Sendable {
    private let flag = Mutex(false)

    var any: Bool { flag.withLock(\.self) }

    /// Whether an issue is a missed figure, which it notes.
    func note(_ issue: Issue) -> Bool {
        guard issue.comments.contains(where: \.isOfFigure) else { return false }
        flag.withLock { $0 = true }
        return true
    }

    func tell(_ name: String, _ round: Int, of most: Int) {
        print("AGAIN: \(name) missed a figure in round \(round) of \(most)")
    }
}

extension Trait where Self == Rounds {
    /// Three rounds for the figures of a test.
    public static var rounds: Rounds { Rounds(most: 3) }
}
