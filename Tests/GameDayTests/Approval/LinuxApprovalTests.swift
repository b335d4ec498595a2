import ChaosLinux
import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

@Suite
struct LinuxApprovalTests {
    private let gate = Gate(
        id: "day-1-gate1",
        gameDay: "rehearsal",
        subject: "the GameDay \"rehearsal\"",
        planDigest: "sha256:plan",
        approvers: 1,
        openedAt: 1000,
        expiresAt: 2000
    )

    @Test
    func `an answer wakes who waits, and is there for good`() async throws {
        try await withFolder { folder in
            let approvals = LinuxApprovals(stateDirectory: folder)
            try approvals.open(gate)
            let waiting = try approvals.waiting()
            #expect(waiting == [gate])
            var changes = try approvals.changes(of: gate).makeAsyncIterator()
            try LinuxApprovals(stateDirectory: folder).answer(
                gate,
                approves: true,
                comment: "go",
                at: 1500
            )
            await changes.next()
            let answers = try approvals.answers(to: gate)
            #expect(answers.count == 1)
            #expect(
                answers[0].approves && answers[0].comment == "go"
                    && answers[0].planDigest == "sha256:plan"
            )
            let error = #expect(throws: KernelError.self) {
                try approvals.answer(gate, approves: false, comment: nil, at: 1600)
            }
            #expect(
                error?.reason.hasSuffix("has answered already; an answer is not changed") == true
            )
            let after = try approvals.answers(to: gate)
            #expect(after == answers)
            try approvals.close(gate)
            let left = try approvals.waiting()
            #expect(left.isEmpty)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root, to own a file as somebody else"))
    func `an answer in somebody else's name does not count`() async throws {
        try await withFolder { folder in
            let approvals = LinuxApprovals(stateDirectory: folder)
            try approvals.open(gate)
            for (who, owner) in [("nobody", 65_534), ("ada", 65_534), ("grace", 0)] as [(_, uid_t)]
            {
                let answer = GateAnswer(
                    who: who,
                    approves: true,
                    comment: nil,
                    at: 1500,
                    planDigest: gate.planDigest
                )
                let path = "\(folder)/approvals/\(gate.id).answers/\(who).json"
                try WireJSON.line(answer).write(toFile: path, atomically: false, encoding: .utf8)
                try #require(chown(path, owner, owner) == 0)
            }
            // Root's files may speak for who used sudo; those of others only for their owners.
            let answers = try approvals.answers(to: gate)
            #expect(answers.map(\.who) == ["grace", "nobody"])
        }
    }

    @Test
    func `a state directory without gates has none waiting`() async throws {
        try await withFolder { folder in
            let waiting = try LinuxApprovals(stateDirectory: folder).waiting()
            #expect(waiting.isEmpty)
        }
    }
}
