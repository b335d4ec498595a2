import ChaosModel
import Testing

@Suite
struct `The state before and after` {
    private static let namespace = StatePart.network(
        namespace: NetworkNamespace(path: "/run/netns/shop", inode: 77)
    )
    private static let process = StatePart.process(
        identity: ProcessIdentity(pid: 7, startTime: 9)
    )
    private static let group = ControlGroup(
        version: .v2,
        controller: .cpu,
        path: "/shop",
        folder: "/sys/fs/cgroup/shop",
        inode: 3
    )
    private static let setting = StatePart.setting(
        group: group,
        file: "cpu.max",
        asked: "20000 100000"
    )

    private func compare(
        _ part: StatePart,
        _ before: KeyValuePairs<String, String>,
        _ after: KeyValuePairs<String, String>
    ) -> [StateComparison.Difference] {
        StateComparison(
            before: PartState(part, before.map { StateLine($0.key, $0.value) }),
            after: PartState(part, after.map { StateLine($0.key, $0.value) }),
            run: "20261125-083000-1f0c9a"
        ).differences
    }

    @Test
    func `the same lines in another order are no difference`() {
        #expect(compare(Self.namespace, ["a": "1", "b": "2"], ["b": "2", "a": "1"]).isEmpty)
    }

    @Test(
        arguments: [
            (Self.namespace, [:], ["table inet moonquake_1f0c9a1": "x"]),
            (Self.namespace, [:], ["link mq1f0c9a1e": "index 7 up ifb alias moonquake"]),
            (
                Self.namespace, ["link va": "up", "queue of va at root": "noqueue 0:0"],
                ["link va": "up", "queue of va at root": "netem 1:0"]
            ),
            (
                Self.namespace, ["link va": "up"],
                ["link va": "up", "filter of va at ingress 1 0": "u32 protocol 800"]
            ),
            (Self.process, ["state": "runs"], ["state": "stopped"]),
            (Self.process, ["tracer": "none"], ["tracer": "process 9"]),
            (Self.process, ["open files": "1024"], ["open files": "20"]),
            (Self.process, ["clock": "true"], ["clock": "off by 5 ns"]),
            (Self.setting, ["cpu.max": "max 100000"], ["cpu.max": "20000 100000"]),
            (.groups(below: Self.group), [:], ["group moonquake_1f0c9a1": "there"]),
            (.folder(path: "/srv"), [:], ["file .moonquake_1f0c9a1-0": "there"]),
        ] as [(StatePart, KeyValuePairs<String, String>, KeyValuePairs<String, String>)]
    )
    func `what a fault leaves is leaked`(
        _ part: StatePart,
        _ before: KeyValuePairs<String, String>,
        _ after: KeyValuePairs<String, String>
    ) {
        let found = compare(part, before, after)
        #expect(found.count == 1 && found.allSatisfy(\.isLeak), "\(found)")
    }

    @Test(
        arguments: [
            (Self.namespace, [:], ["table ip docker": "chain x"]),
            (Self.namespace, ["table ip docker": "x"], ["table ip docker": "y"]),
            (Self.namespace, [:], ["link veth1": "up", "queue of veth1 at root": "noqueue 0:0"]),
            (Self.namespace, ["link va": "mtu 1500"], ["link va": "mtu 9000"]),
            (Self.process, ["state": "runs"], ["state": "ended"]),
            (Self.process, ["open files": "1024"], ["open files": "4096"]),
            (Self.setting, ["cpu.max": "max 100000"], ["cpu.max": "50000 100000"]),
            (.groups(below: Self.group), [:], ["group moonquake_abcdef1": "there"]),
            (.folder(path: "/srv"), ["space used": "40%"], ["space used": "41%"]),
            (.groups(below: Self.group), ["group moonquake_1f0c9a1": "there"], [:]),
        ] as [(StatePart, KeyValuePairs<String, String>, KeyValuePairs<String, String>)]
    )
    func `what others change meanwhile is told, and is no leak`(
        _ part: StatePart,
        _ before: KeyValuePairs<String, String>,
        _ after: KeyValuePairs<String, String>
    ) {
        let found = compare(part, before, after)
        #expect(!found.isEmpty && found.allSatisfy { !$0.isLeak }, "\(found)")
        #expect(found.allSatisfy { "\($0)".contains("changed meanwhile, by none of the faults") })
    }

    @Test
    func `a part that cannot be read is compared with nothing`() {
        let comparison = StateComparison(
            before: PartState(Self.process, [StateLine("state", "runs")]),
            after: PartState(Self.process, [], problem: "it is gone"),
            run: "r"
        )
        #expect(comparison.differences.isEmpty && comparison.problem == "it is gone")
        let proof = RunReport.StateProof(comparison)
        #expect(proof.summary == "process 7: not compared: it is gone")
    }

    @Test
    func `parts and states come through the wire`() throws {
        let parts: [StatePart] = [
            Self.namespace, Self.process, Self.setting, .groups(below: Self.group),
            .folder(path: "/srv/a_b"),
            .nameFile(
                place: NamePlace(namespace: NetworkNamespace(path: "/run/netns/x", inode: 1)),
                method: .hosts
            ),
        ]
        let request = AgentRequest(id: 1, call: .state(parts))
        let line = try WireJSON.line(request)
        #expect(try WireJSON.value(AgentRequest.self, from: line) == request)
        let states = parts.map { PartState($0, [StateLine("a_b", "c")], problem: nil) }
        let reply = AgentLine.reply(id: 1, .state(states))
        #expect(try WireJSON.value(AgentLine.self, from: try WireJSON.line(reply)) == reply)
    }
}
