// Policies as files and flags.

import ChaosModel
import Testing

@Suite
struct `Policies` {
    @Test
    func `a file may have comments and trailing commas`() throws {
        let policy = try Policy.parse(
            """
            {
              // What the shop's team agreed on.
              "max_targets": 3, "max_target_share": "50%", "max_traffic": "10%",
              "max_duration": "5m", "max_faults": 2,
              "forbid_faults": ["process.kill", "disk.*"],
              "forbid_targets": ["netns:prod-*", "host"],
            }
            """,
            from: "p.json"
        )
        #expect(policy.maxTargets == Policy.Bound(3, from: "p.json"))
        #expect(policy.maxTargetShare?.value == 0.5)
        #expect(policy.maxTraffic?.value == 0.1)
        #expect(policy.maxDurationMs?.value == 300_000)
        #expect(policy.refusal(ofFault: "disk.fill") == "the policy forbids disk.* (p.json)")
        #expect(policy.refusal(ofFault: "network.loss") == nil)
        #expect(policy.sentences.count == 9)
    }

    @Test
    func `what is said of a fault holds for its shadow`() throws {
        let forbidding = try Policy.parse(flag: "forbid_faults=network.l*")
        #expect(
            forbidding.refusal(ofFault: "shadow:network.loss")
                == "the policy forbids network.l* (--limit forbid_faults)"
        )
        #expect(forbidding.refusal(ofFault: "shadow:network.partition") == nil)
        let allowing = try Policy.parse(flag: "allow_faults=network.*")
        #expect(allowing.refusal(ofFault: "shadow:network.loss") == nil)
        #expect(
            allowing.refusal(ofFault: "shadow:dns.error")
                == "the policy allows only network.* (--limit allow_faults)"
        )
    }

    static let wrong: [(String, String)] = [
        ("{ \"max_target\": 3 }", "unknown option \"max_target\"; did you mean \"max_targets\"?"),
        (
            "{ \"max_duration\": 5 }",
            "max_duration needs a unit: write \"5s\", got the bare number 5"
        ),
        ("{ \"max_targets\": 0 }", "max_targets must be between 1 and 1000000, got 0"),
        ("[]", "must be an object, got {  }"),
        (
            "{ \"forbid_targets\": \"prod\" }",
            "forbid_targets must be \"host\", or KIND:NAME such as \"process:postgres*\", where KIND is one of "
                + "netns, process, container, systemd, got \"prod\""
        ),
    ]

    @Test(arguments: wrong)
    func `a wrong file says what is wrong in it`(_ text: String, _ message: String) {
        let error = #expect(throws: DefinitionError.self) {
            try Policy.parse(text, from: "p.json")
        }
        #expect(error?.description == "policy p.json: \(message)")
    }

    @Test
    func `a file that is no JSON is refused`() {
        #expect(throws: DefinitionError.self) { try Policy.parse("max_targets: 3", from: "p.json") }
        #expect(throws: DefinitionError.self) { try Policy.parse("", from: "p.json") }
    }

    @Test
    func `flags set one limit each`() throws {
        let both = try Policy.parse(flag: "max_targets=2")
            .and(try Policy.parse(flag: "forbid_faults=process.*,cpu.stress"))
        #expect(both.maxTargets?.value == 2)
        #expect(both.refusal(ofFault: "cpu.stress") != nil)
        #expect(throws: DefinitionError.self) { try Policy.parse(flag: "max_targets") }
        #expect(throws: DefinitionError.self) { try Policy.parse(flag: "max_targets=many") }
    }

    @Test
    func `the strictest of each limit wins, and allowing never undoes forbidding`() throws {
        let host = try Policy(
            ["max_targets": 5, "max_traffic": "10%", "forbid_faults": "process.kill"],
            from: "host"
        )
        let user = try Policy(
            ["max_targets": 2, "max_traffic": "50%", "allow_faults": ["process.*"]],
            from: "user"
        )
        for both in [host.and(user), user.and(host)] {
            #expect(both.maxTargets == Policy.Bound(2, from: "user"))
            #expect(both.maxTraffic == Policy.Bound(0.1, from: "host"))
            #expect(both.refusal(ofFault: "process.kill") != nil)
            #expect(both.refusal(ofFault: "network.loss") != nil)
            #expect(both.refusal(ofFault: "process.pause") == nil)
        }
        #expect(Policy().and(Policy()).isOpen)
    }
}
