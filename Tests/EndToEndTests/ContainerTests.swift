// Network faults on a container, through the whole program: a real engine (Podman), a real network namespace of the
// container, and packets that are sent from outside.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(
    .serialized,
    .enabled(
        if: Needs.isRoot
            && (["/usr/bin/podman", "/usr/sbin/runc", "/bin/busybox"] as [String]).allSatisfy {
                access($0, X_OK) == 0
            },
        "SKIPPED: needs root, podman, runc and busybox-static"
    )
)
struct ContainerTests {
    /// Two containers, and a namespace that has a cable to each: 10.97.N.1 here, 10.97.N.2 in the container.
    private struct Containers {
        let near: String
        let socket: String
        let pids: [String: pid_t]

        init(in box: Sandbox) throws {
            let tree = Moonquake.tree
            let program = try box.start(
                ["bash", tree + "/Tests/Fixtures/containers.sh", tree, box.folder]
            )
            let isReady = eventually(within: .seconds(60)) {
                program.output.contains("ready") || program.exitCode != nil
            }
            guard isReady, program.exitCode == nil else {
                let log = File.text(box.folder + "/services.log") ?? ""
                throw SetUpError("no containers: \(program.errors)\(log)")
            }
            var pids: [String: pid_t] = [:]
            for line in program.output.split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.count == 2 { pids[String(words[0])] = pid_t(words[1]) }
            }
            self.pids = pids
            socket = box.folder + "/engine.sock"
            near = try box.network().near
            for (number, name) in ["web", "db"].enumerated() {
                guard let pid = pids[name] else { throw SetUpError("no pid of \(name)") }
                try Self.connect(box, near, pid, number)
            }
        }

        private static func connect(
            _ box: Sandbox,
            _ near: String,
            _ pid: pid_t,
            _ number: Int
        ) throws {
            let (here, there) = ("c\(number)", "eth0")
            try box.tool(
                "ip",
                "-n",
                near,
                "link",
                "add",
                here,
                "type",
                "veth",
                "peer",
                "name",
                there,
                "netns",
                "\(pid)"
            )
            try box.tool("ip", "-n", near, "addr", "add", "10.97.\(number).1/24", "dev", here)
            try box.tool("ip", "-n", near, "link", "set", here, "up")
            let enter = ["nsenter", "--net=/proc/\(pid)/ns/net", "--", "ip"]
            for command in ["addr add 10.97.\(number).2/24 dev \(there)", "link set \(there) up"] {
                let program = try box.start(enter + command.split(separator: " ").map(String.init))
                guard try program.ended() == 0 else { throw SetUpError(program.errors) }
            }
        }

        /// The mean time of three echoes, in milliseconds; nil when none came back.
        func ping(_ box: Sandbox, _ number: Int) throws -> Double? {
            let program = try box.start(
                ["ping", "-n", "-q", "-c", "3", "-i", "0.05", "-W", "1", "10.97.\(number).2"],
                in: near
            )
            try program.ended()
            guard let line = program.output.split(separator: "\n").last, line.contains("rtt")
            else { return nil }
            let times = line.split(separator: "=").last?.split(separator: "/") ?? []
            return times.count > 1 ? Double(times[1]) : nil
        }
    }

    @Test(.rounds)
    func `a container found by name, label or image is cut off and late alone, and is back after`()
        throws
    {
        try Sandbox.with { box in
            let containers = try Containers(in: box)
            #expect(try containers.ping(box, 0) != nil && containers.ping(box, 1) != nil)
            for selector in ["name = \"web\"", "label = \"app=web\""] {
                let script = try box.write(
                    "cut.lua",
                    """
                    inject(fault.network.partition {
                      target = target.container { \(selector), socket = "\(containers.socket)" } })
                    wait "60s"
                    """
                )
                let runner = try box.begin("run", script)
                try box.injected(1, by: runner)
                #expect(try containers.ping(box, 0) == nil, "\(selector)")
                #expect(try containers.ping(box, 1) != nil, "the other container is left alone")
                #expect(try box.moonquake("abort").code == 0)
                #expect(try containers.ping(box, 0) != nil)
                try runner.ended()
                let report = try box.lastReport()
                #expect(report.targets.first?.group?.name == "web", "\(report.targets)")
                #expect(report.faults.first?.measured?.hit == true)
                #expect(report.restoration == .restored)
            }
            let late = try box.write(
                "late.lua",
                """
                inject(fault.network.latency {
                  target = target.container { image = "localhost/busybox:1", socket = "\(containers.socket)" },
                  delay = "100ms", direction = "egress" })
                wait "60s"
                """
            )
            let runner = try box.begin("run", late)
            try box.injected(2, by: runner)
            for number in 0..<2 {
                #expect(try containers.ping(box, number) ?? 0 > 100)
            }
            #expect(try box.moonquake("abort").code == 0)
            for number in 0..<2 {
                #expect(try containers.ping(box, number) ?? .infinity < 50, .ofFigure)
            }
            try runner.ended()
            #expect(try box.lastReport().radius.first?.hit == 2)
        }
    }

    @Test
    func `targets lists the containers with their processes' ids`() throws {
        try Sandbox.with { box in
            let containers = try Containers(in: box)
            let program = try box.start([
                Moonquake.path, "targets", "container", "label=app",
                "socket=\(containers.socket)",
            ])
            #expect(try program.ended() == 0, "\(program.errors)")
            for (name, pid) in containers.pids {
                let line = program.output.split(separator: "\n").first { $0.contains(" \(name)") }
                #expect(line?.contains("\(pid)") == true, "\(program.output)")
            }
        }
    }
}
