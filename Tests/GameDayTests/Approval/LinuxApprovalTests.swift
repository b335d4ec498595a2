import ChaosLinux
import ChaosModel
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

    @Test
    func `a state directory without gates has none waiting`() async throws {
        try await withFolder { folder in
            let waiting = try LinuxApprovals(stateDirectory: folder).waiting()
            #expect(waiting.isEmpty)
        }
    }
}
