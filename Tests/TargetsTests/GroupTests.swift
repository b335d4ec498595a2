// Containers and units: what matches, and which parts of them a fault hits.

import ChaosModel
import ChaosSimulation
import Testing

@testable import ChaosTargets

@Suite
struct `Groups` {
    private let kernel = SimulatedKernel()

    private var resolver: TargetResolver { TargetResolver(kernel: kernel.kernel) }

    init() {
        kernel.change { world in
            let web = world.addContainer(
                "web-1",
                id: "aaaaaaaa1111",
                image: "docker.io/library/nginx:1.27",
                labels: ["app": "web", "tier": "front"],
                namespace: 50
            )
            world.add(parent: web.pid, name: "worker", pidNamespace: 50, networkNamespace: 50)
            // Started by `exec`: its parent is outside.
            world.add(name: "sh", pidNamespace: 50, networkNamespace: 50)
            world.addContainer(
                "web-2",
                id: "bbbbbbbb2222",
                image: "docker.io/library/nginx:1.27",
                labels: ["app": "web"],
                namespace: 60
            )
            world.addContainer("db", id: "cccccccc3333", labels: ["app": "db"], namespace: 70)
            world.add(name: "nginx", group: "/system.slice/nginx.service")
            world.add(name: "nginx", group: "/system.slice/nginx.service/workers")
            for instance in ["a", "b"] {
                let group = "/system.slice/system-worker.slice/worker@\(instance).service"
                world.add(name: "worker", group: group)
            }
            world.add(name: "app", group: "/user.slice/user@1000.service/app.slice/app.service")
        }
    }

    private func names(
        _ kind: TargetKind,
        _ options: [String: ParameterValue]
    ) async throws -> [String] {
        let selector = TargetSelector(kind: kind, options: options)
        return try await resolver.candidates(selector).map(\.name)
    }

    static let containers: [([String: ParameterValue], [String])] = [
        (["name": "web-1"], ["web-1"]),
        (["name": "web-*"], ["web-1", "web-2"]),
        (["name": ["db", "web-2"]], ["db", "web-2"]),
        (["name": "web-?", "except": "web-1"], ["web-2"]),
        (["label": "app=web"], ["web-1", "web-2"]),
        (["label": "tier"], ["web-1"]),
        (["label": ["app=web", "tier=front"]], ["web-1"]),
        (["image": "nginx"], ["web-1", "web-2"]),
        (["image": "nginx:1.27"], ["web-1", "web-2"]),
        (["image": "library/nginx"], ["web-1", "web-2"]),
        (["image": "docker.io/*/shop:*"], ["db"]),
        (["id": "cccccccc"], ["db"]),
    ]

    @Test(arguments: containers)
    func `containers match by name, label, image and id`(
        _ options: [String: ParameterValue],
        _ expected: [String]
    ) async throws {
        #expect(try await names(.container, options) == expected)
    }

    @Test(arguments: [["name": "web"], ["label": "app=we"], ["image": "ngin"], ["id": "ccccc"]])
    func `a part of a name, a value, an image or too short an id is no match`(
        _ options: [String: ParameterValue]
    ) async {
        await #expect(throws: TargetError.self) { try await names(.container, options) }
    }

    static let units: [([String: ParameterValue], [String])] = [
        (["unit": "nginx"], ["nginx.service"]),
        (["unit": "nginx.service"], ["nginx.service"]),
        (["unit": "worker@"], ["worker@a.service", "worker@b.service"]),
        (["unit": "worker@b"], ["worker@b.service"]),
        (["unit": "worker@*.service"], ["worker@a.service", "worker@b.service"]),
        (["unit": "system-worker.slice"], ["system-worker.slice"]),
        (["unit": "app"], ["app.service"]),
        (["unit": ["app", "nginx"]], ["nginx.service", "app.service"]),
    ]

    @Test(arguments: units)
    func `units match by name, template and pattern`(
        _ options: [String: ParameterValue],
        _ expected: [String]
    ) async throws {
        #expect(try await names(.systemd, options) == expected)
    }

    @Test
    func `what is hit of a container hangs on the fault's reach`() async throws {
        let selector = TargetSelector(kind: .container, options: ["name": "web-1"])
        let processes = try await resolver.candidates(selector, reach: .processes)
        #expect(processes.count == 1)
        #expect(processes.first?.parts.map(\.name) == ["web-1", "worker", "sh"])
        let namespace = try await resolver.candidates(selector, reach: .namespace)
        #expect(namespace.first?.parts.map(\.identity) == [.namespace(inode: 50)])
        #expect(namespace.first?.parts.map(\.description) == ["netns of container web-1"])
        let leader = try await resolver.candidates(selector, reach: .leader)
        #expect(leader.first?.parts.count == 1)
        #expect(leader.first?.parts.first?.unit == .group(.container, id: "aaaaaaaa1111"))
    }

    @Test
    func `a unit has the processes of the groups below it`() async throws {
        let selector = TargetSelector(kind: .systemd, options: ["unit": "nginx"])
        let found = try await resolver.candidates(selector, reach: .processes)
        #expect(found.first?.parts.count == 2)
        #expect(found.first?.parts.first?.description.contains("of systemd nginx.service") == true)
    }

    @Test
    func `a container that shares the host's pids is its first process's family`() async throws {
        let leader = kernel.change { world in
            let first = world.addContainer("shared", id: "dddddddd4444", namespace: 1)
            let child = world.add(parent: first.pid, name: "child")
            world.add(parent: child.pid, name: "grandchild")
            return first
        }
        let selector = TargetSelector(kind: .container, options: ["name": "shared"])
        let found = try await resolver.candidates(selector, reach: .processes)
        #expect(found.first?.parts.map(\.name) == ["shared", "child", "grandchild"])
        #expect(found.first?.parts.first?.process == leader)
    }

    @Test
    func `a container without a process that runs is not there`() async {
        kernel.change { world in world.processes = world.processes.filter { $0.key < 100 } }
        await #expect(throws: TargetError.self) { try await names(.container, ["name": "*"]) }
    }

    @Test
    func `a unit that holds us is never a target`() async {
        kernel.change { world in world.processes[42]?.group = "/system.slice/ssh.service" }
        let selector = TargetSelector(kind: .systemd, options: ["unit": "ssh"])
        let error = await #expect(throws: TargetError.self) {
            try await resolver.candidates(selector)
        }
        guard case .noTarget(let problem) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(
            problem.description
                == "target.systemd: matches only what is protected: target.systemd { unit = \"ssh\" }"
        )
    }

    @Test(arguments: [
        TargetSelector(kind: .container, options: [:]),
        TargetSelector(kind: .container, options: ["socket": "/run/x.sock"]),
        TargetSelector(kind: .systemd, options: [:]),
        TargetSelector(kind: .process, options: ["percent": "10%"]),
        TargetSelector(kind: .netns, options: [:]),
    ])
    func `a selector of everything is refused`(_ selector: TargetSelector) {
        #expect(throws: DefinitionError.self) { try selector.validated() }
    }

    @Test
    func `nothing is an answer only when the selector says so`() async throws {
        var selector = TargetSelector(kind: .container, options: ["name": "nowhere"])
        await #expect(throws: TargetError.self) { try await resolver.candidates(selector) }
        selector.options["if_absent"] = "ok"
        #expect(try await resolver.candidates(selector).isEmpty)
        let netns = TargetSelector(kind: .netns, options: ["name": "x", "if_absent": "ok"])
        #expect(try await resolver.candidates(netns).isEmpty)
    }

    @Test
    func `the server of a protected endpoint on this host is no target`() async throws {
        let address = try #require(NetworkAddress("127.0.0.1"))
        kernel.change { world in
            world.add(name: "prometheus", ports: [9090])
            world.ownAddresses = [address]
        }
        let selector = TargetSelector(kind: .process, options: ["name": "prometheus"])
        #expect(try await resolver.candidates(selector).count == 1)
        let endpoint = ProtectedEndpoint(
            address: address,
            port: 9090,
            reason: "the metric source of p99"
        )
        let guarded = TargetResolver(kernel: kernel.kernel, protectedEndpoints: [endpoint])
        await #expect(throws: TargetError.self) { try await guarded.candidates(selector) }
    }
}

@Suite
struct `Patterns` {
    @Test(arguments: [
        ("web-*", "web-1", true), ("web-*", "web-", true), ("web-*", "db", false),
        ("*", "", true), ("?", "", false), ("w?b", "web", true), ("*a*b*", "xaxbx", true),
        ("*a*b", "aab", true), ("a*b*c", "abxc", true), ("a*b*c", "acb", false),
        ("web", "Web", false), ("[a]", "a", false),
    ])
    func `a star is any text and a question mark any character`(
        _ pattern: String,
        _ text: String,
        _ isMatch: Bool
    ) {
        #expect(Glob(pattern).matches(text) == isMatch)
    }

    @Test
    func `a hostile pattern takes no time`() {
        let pattern = String(repeating: "a*", count: 60) + "b"
        #expect(!Glob(pattern).matches(String(repeating: "a", count: 4000)))
    }
}
