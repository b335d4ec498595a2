// A second chance is for figures alone: whatever else fails must fail the test that has rounds too.

import Synchronization
import Testing

@testable import TestSupport

@Suite
struct RoundsTests {
    /// Runs a body in three rounds, and expects how often it ran and how many of its failures counted.
    private func expect(
        rounds wanted: Int,
        failures bad: Int,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: @escaping @Sendable (_ round: Int) throws -> Void
    ) async throws {
        let rounds = Mutex(0)
        let failures = Mutex(0)
        let test = try #require(Test.current)
        try await withKnownIssue(isIntermittent: true) {
            try await Rounds(most: 3).provideScope(for: test, testCase: nil) {
                let round = rounds.withLock { count in
                    count += 1
                    return count
                }
                try body(round)
            }
        } matching: { _ in
            failures.withLock { $0 += 1 }
            return true
        }
        #expect(rounds.withLock(\.self) == wanted, sourceLocation: sourceLocation)
        #expect(failures.withLock(\.self) == bad, sourceLocation: sourceLocation)
    }

    @Test
    func `what holds runs once`() async throws {
        try await expect(rounds: 1, failures: 0) { #expect($0 == 1, .ofFigure) }
    }

    @Test
    func `a figure that was missed is measured again`() async throws {
        try await expect(rounds: 2, failures: 0) { #expect($0 == 2, .ofFigure) }
        try await expect(rounds: 3, failures: 0) { #expect($0 == 3, .ofFigure("late")) }
        try await expect(rounds: 2, failures: 0) { try #require($0 == 2, .ofFigure) }
    }

    @Test
    func `a figure that is missed three times fails`() async throws {
        try await expect(rounds: 3, failures: 1) { #expect($0 > 3, .ofFigure) }
    }

    @Test
    func `any other failure counts at once`() async throws {
        try await expect(rounds: 1, failures: 1) { #expect($0 == 2) }
        try await expect(rounds: 1, failures: 1) { #expect($0 == 2, "another comment") }
        try await expect(rounds: 1, failures: 1) { _ in throw Failure() }
    }

    @Test
    func `a failure beside a missed figure counts, whatever the next round says`() async throws {
        try await expect(rounds: 2, failures: 1) { round in
            #expect(round > 1, .ofFigure)
            #expect(round > 1)
        }
    }

    private struct Failure: Error {}
}
