// Every message of runner and agent must come through the wire as it went in, options and targets to the letter.

import ChaosModel
import Testing

@Suite
struct `The wire between runner and agent` {
    /// Options with names and texts that a key or number strategy could mistake.
    private let options: [String: ParameterValue] = [
        "at_least": 2, "exclude_ports": [22, 443], "_private": true, "trailing_": "x",
        "camelCase": "stays", "a_b_c": ["in_ner": ["deep_er": 1.5], "X-Name": "v"],
        "text": "NaN", "infinite": "+Inf", "digits": "12", "no": "true", "empty": "",
        "unicode": "ü\n\"", "slash": "/a/b", "list": ["a", 1, false],
    ]

    private var selector: TargetSelector {
        TargetSelector(
            kind: .process,
            options: options,
            location: SourceLocation(file: "a_b.lua", line: 3)
        )
    }

    private var spec: FaultSpec {
        FaultSpec(
            fault: "network.partition",
            target: selector,
            options: options,
            location: SourceLocation(file: "x.lua", line: 14)
        )
    }

    private var targets: [Target] {
        [
            .host,
            .netns(
                name: "shop_1",
                NetworkNamespace(path: "/run/netns/shop_1", inode: 4_026_532_000)
            ),
            .process(name: "a b", ProcessIdentity(pid: 7, startTime: 9_007_199_254_740_993)),
        ]
    }

    private var revert: RevertRecord {
        RevertRecord(
            lease: LeaseID("l1"),
            fault: "network.latency",
            target: targets[1],
            outcome: .leaked,
            effect: Effect("seen", figures: [Figure("packets_dropped", 3)], hit: true),
            seen: "still there",
            tookMs: 1.25
        )
    }

    private func through<Value: Codable>(_ value: Value) throws -> Value {
        let line = try WireJSON.line(value)
        #expect(!line.contains("\n"))
        return try WireJSON.value(Value.self, from: line)
    }

    @Test
    func `requests survive`() throws {
        let hello = AgentCall.Hello(
            run: "r1",
            protectedEndpoints: [
                ProtectedEndpoint(
                    address: try #require(NetworkAddress("fd00::1")),
                    port: 22,
                    reason: "ssh"
                ),
                ProtectedEndpoint(
                    address: try #require(NetworkAddress("10.0.0.0/8")),
                    port: nil,
                    reason: "all"
                ),
            ],
            protectedProcesses: [1, 42],
            termMs: 3000
        )
        let limit = SelectionLimit(count: 1, share: 0.5, atLeast: 1)
        let calls: [AgentCall] = [
            .hello(hello),
            .plan(AgentCall.PlanCall(spec: spec, limit: limit, seed: .max)),
            .inject(AgentCall.InjectCall(spec: spec, targets: targets, deadlineMs: 600_000)),
            .renew, .revert([LeaseID("l1"), LeaseID("l2")]), .revert([]), .recover, .leave,
        ]
        for (id, call) in calls.enumerated() {
            let request = AgentRequest(id: id, call: call)
            #expect(try through(request) == request)
        }
    }

    @Test
    func `replies survive`() throws {
        let recovery = RecoveryRecord(run: "r0", revert: revert)
        let planned = PlannedTarget(
            target: targets[2],
            changes: ["stops it"],
            heldBy: .journal,
            engine: nil
        )
        let lease = LeaseRecord(
            lease: LeaseID("l1"),
            target: targets[1],
            heldBy: .kernel,
            engine: "nft-owner",
            effect: Effect("counters", hit: false)
        )
        let hello = AgentHello(
            version: "1.0",
            pid: 5,
            userID: 1000,
            bootID: "b-o-o-t",
            leftovers: [recovery]
        )
        let replies: [AgentReply] = [
            .hello(hello), .plan(PlanReply(candidates: 4, targets: [planned])),
            .injected([lease]), .renewed, .reverted([revert]), .recovered([recovery]),
            .failed(AgentFailure(.protocol, "no")), .failed(AgentFailure(.leaked, "half")),
        ]
        for (id, reply) in replies.enumerated() {
            let line = AgentLine.reply(id: id, reply)
            #expect(try through(line) == line)
        }
    }

    @Test
    func `events survive`() throws {
        let events: [AgentEvent] = [
            .expired(revert), .aborted(reason: "an operator", [revert]), .orphaned([revert]),
            .targetGone(LeaseID("l1"), "it ended"),
            .noted(LeaseID("l1"), "db.test is also 10.9.0.4"),
            .endedEarly(LeaseID("l1"), "its worker was killed"),
        ]
        for event in events {
            let line = AgentLine.event(event)
            #expect(try through(line) == line)
        }
    }

    @Test
    func `options arrive to the letter`() throws {
        #expect(try through(spec).options == options)
        #expect(try through(selector).options == options)
        let line = try WireJSON.line(spec)
        for name in ["at_least", "exclude_ports", "camelCase", "in_ner", "X-Name", "trailing_"] {
            #expect(line.contains("\"\(name)\":"), "\(name)")
        }
    }

    @Test
    func `undos survive, and survive being plain values`() throws {
        let rules = PacketRules(
            name: "moonquake_1",
            pass: [PacketMatch(.egress, isIPv6: true, protocols: [.tcp], remotePorts: [22])],
            drop: [
                PacketMatch(
                    .ingress,
                    isIPv6: false,
                    remote: [try #require(NetworkAddress("10.9.0.3"))],
                    localPorts: [80],
                    interface: "eth0"
                )
            ]
        )
        #expect(try through(rules) == rules)
        let plain = try WireJSON.value(ParameterValue.self, from: try WireJSON.line(rules))
        let kept = try WireJSON.value(ParameterValue.self, from: try WireJSON.line(plain))
        #expect(try WireJSON.value(PacketRules.self, from: try WireJSON.line(kept)) == rules)
    }

    @Test
    func `experiments and metrics survive`() throws {
        let metric = MetricDefinition(
            name: "p99",
            source: "http",
            options: options,
            target: selector,
            unit: .perSecond,
            healthy: .oneOf([1, 2]),
            tolerated: .between(-.infinity, 5),
            failures: 3,
            forAtLeastMs: 5000,
            noData: .abort,
            lagMs: 15_000,
            location: SourceLocation(file: "x.lua", line: 1)
        )
        let experiment = ExperimentDefinition(
            name: "shop",
            tags: ["a_b"],
            steadyState: SteadyStateDefinition(metrics: [metric]),
            blastRadius: BlastRadius(targetShare: 0.5),
            faults: [spec],
            durationMs: 30_000,
            file: "x.lua",
            digest: "sha256:00"
        )
        #expect(try through(experiment) == experiment)
        for threshold in [
            Threshold.below(1), .above(-1), .equals(0), .between(0, .infinity), .oneOf([1, 2]),
        ] {
            #expect(try through(threshold) == threshold)
        }
    }

    @Test
    func `keys on the wire are in snake case`() throws {
        let line = try WireJSON.line(
            AgentHello(version: "1", pid: 1, userID: 0, bootID: "b", leftovers: [])
        )
        #expect(
            line == #"{"boot_id":"b","leftovers":[],"pid":1,"protocol_version":1,"settled":[],"#
                + #""user_id":0,"version":"1"}"#
        )
        let match = try WireJSON.line(PacketMatch(.egress, isIPv6: true))
        #expect(match.contains("\"is_ipv6\":true"))
    }

    @Test(arguments: ["", "{", "[]", "{\"id\":1}", "{\"id\":1,\"op\":\"explode\"}", "null"])
    func `what is no message is an error`(line: String) {
        #expect(throws: (any Error).self) { try WireJSON.value(AgentRequest.self, from: line) }
    }
}
