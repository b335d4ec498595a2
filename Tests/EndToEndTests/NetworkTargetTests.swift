// Whose packets a network fault hits: a process with a namespace of its own, one that shares ours, what a name has become
// meanwhile; and whose it never hits. The program runs in a namespace of the test, so that "ours" is not the machine's.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct NetworkTargetTests {
    static let hasUnifiedGroups = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0

    /// The program's command for a script, run in a namespace.
    private func inside(
        _ box: Sandbox,
        _ namespace: String,
        _ words: [String],
        environment: [String: String] = [:]
    ) throws -> Program {
        // Not by `ip netns exec`, which hides the control groups.
        let enter = ["nsenter", "--net=/run/netns/\(namespace)", "--", Moonquake.path]
        return try box.start(
            enter + words + ["--state-dir", box.state],
            environment: Program.environment.merging(environment) { $1 }
        )
    }

    private func pings(_ box: Sandbox, _ address: String, in namespace: String) throws -> Bool {
        try box.start(["ping", "-n", "-c2", "-i0.2", "-W1", address], in: namespace).ended() == 0
    }

    /// A server that accepts connections, behind a prefix of words that make it another's.
    private func serve(
        _ box: Sandbox,
        _ address: String,
        _ port: Int,
        in namespace: String,
        as prefix: [String] = []
    ) throws {
        let server = try box.start(
            ["nsenter", "--net=/run/netns/\(namespace)", "--"] + prefix + [
                "/usr/bin/python3", "-c", NetworkFigureTests.echoServer, address, "\(port)",
            ]
        )
        guard eventually(holds: { server.output.contains("ready") }) else {
            throw SetUpError("no server on \(address):\(port): \(server.errors)")
        }
    }

    private func connects(
        _ box: Sandbox,
        _ address: String,
        _ port: Int,
        in namespace: String,
        as prefix: [String] = []
    ) throws -> Bool {
        let client = try box.start(
            ["nsenter", "--net=/run/netns/\(namespace)", "--"] + prefix + [
                "/usr/bin/python3", "-c", NetworkFigureTests.reachable, address, "\(port)",
            ]
        )
        _ = try client.ended()
        return client.output.contains("\(port)")
    }

    @Test
    func `a process in a namespace of its own is hit there and nowhere else`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let (other, _) = try box.network()
            let sleeper = try box.start(
                ["nsenter", "--net=/run/netns/\(near)", "--", "sleep", "600"]
            )
            #expect(eventually { Proc.commandLine(of: sleeper.pid).hasPrefix("sleep") })
            for fault in ["partition { ", "loss { percent = \"100%\", "] {
                let file = try box.write(
                    "own.lua",
                    "inject(fault.network.\(fault)target = target.process { pid = \(sleeper.pid) } })\nwait '60s'"
                )
                let runner = try box.begin("run", file)
                try box.injected(1, by: runner)
                #expect(try !pings(box, "10.98.0.2", in: near))
                #expect(try pings(box, "10.98.0.2", in: other))
                runner.signal(SIGINT)
                _ = try runner.ended()
                #expect(try pings(box, "10.98.0.2", in: near))
            }
        }
    }

    private static let nobodyPrefix = [
        "setpriv", "--reuid", "\(nobody)", "--regid", "\(nobody)", "--clear-groups", "--",
    ]

    @Test(arguments: ["partition { ", "loss { percent = \"100%\", "])
    func `a process of another user that shares our namespace is hit by its user alone`(
        _ fault: String
    ) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            try serve(box, "10.98.0.2", 7007, in: far)
            let sleeper = try box.start(
                ["nsenter", "--net=/run/netns/\(near)", "--"] + Self.nobodyPrefix + [
                    "sleep", "600",
                ]
            )
            #expect(eventually { Proc.commandLine(of: sleeper.pid).hasPrefix("sleep") })
            let file = try box.write(
                "user.lua",
                "inject(fault.network.\(fault)target = target.process { pid = \(sleeper.pid) } })\nwait '60s'"
            )
            let runner = try inside(box, near, ["run", file])
            try box.injected(1, by: runner)
            #expect(runner.errors.contains("what every process of user \(nobody) sends here"))
            #expect(try !connects(box, "10.98.0.2", 7007, in: near, as: Self.nobodyPrefix))
            #expect(try connects(box, "10.98.0.2", 7007, in: near))
            runner.signal(SIGINT)
            _ = try runner.ended()
            #expect(try connects(box, "10.98.0.2", 7007, in: near, as: Self.nobodyPrefix))
        }
    }

    @Test
    func `a process that nothing tells apart from us is refused in words`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let sleeper = try box.start(
                ["nsenter", "--net=/run/netns/\(near)", "--", "sleep", "600"]
            )
            #expect(eventually { Proc.commandLine(of: sleeper.pid).hasPrefix("sleep") })
            let file = try box.write(
                "lone.lua",
                "inject(fault.network.partition { target = target.process { pid = \(sleeper.pid) } })"
            )
            let run = try inside(box, near, ["run", file])
            #expect(try run.ended() == ExitCode.definition.rawValue)
            #expect(run.errors.contains("a fault there would hit every process"), "\(run.errors)")
            #expect(try box.hasNoTableOfOurs(near))
        }
    }

    @Test(
        .enabled(
            if: hasUnifiedGroups,
            "SKIPPED: needs control groups v2 at /sys/fs/cgroup; runs in the lab"
        ),
        arguments: ["partition { ", "loss { percent = \"100%\", "]
    )
    func `a process in a control group of its own is hit by its sockets, both ways`(
        _ fault: String
    ) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let group = "/sys/fs/cgroup/mqe-\(UInt32.random(in: .min ... .max))"
            guard mkdir(group, 0o755) == 0 else { throw SetUpError("cannot make \(group)") }
            defer {
                _ = eventually {
                    for pid in (File.text(group + "/cgroup.procs") ?? "").split(separator: "\n") {
                        if let pid = pid_t(pid) { kill(pid, SIGKILL) }
                    }
                    return rmdir(group) == 0
                }
            }
            let grouped = ["sh", "-c", "echo $$ >\(group)/cgroup.procs && exec \"$@\"", "sh"]
            try serve(box, "10.98.0.2", 7007, in: far)
            try serve(box, "10.98.0.1", 7001, in: near, as: grouped)
            try serve(box, "10.98.0.1", 7002, in: near)
            let sleeper = try box.start(
                ["nsenter", "--net=/run/netns/\(near)", "--"] + grouped + ["sleep", "600"]
            )
            #expect(eventually { Proc.commandLine(of: sleeper.pid).hasPrefix("sleep") })
            let file = try box.write(
                "group.lua",
                "inject(fault.network.\(fault)target = target.process { pid = \(sleeper.pid) } })\nwait '60s'"
            )
            let runner = try inside(box, near, ["run", file])
            try box.injected(1, by: runner)
            #expect(
                runner.errors.contains("the sockets of every process in the control group /mqe-")
            )
            #expect(try !connects(box, "10.98.0.2", 7007, in: near, as: grouped))
            #expect(try connects(box, "10.98.0.2", 7007, in: near))
            #expect(try !connects(box, "10.98.0.1", 7001, in: far))
            #expect(try connects(box, "10.98.0.1", 7002, in: far))
            runner.signal(SIGINT)
            _ = try runner.ended()
            #expect(try connects(box, "10.98.0.2", 7007, in: near, as: grouped))
            #expect(try connects(box, "10.98.0.1", 7001, in: far))
        }
    }

    @Test(arguments: Engines.measured)
    func `the peer of our SSH session and our metric source are left alone`(_ engine: String) throws
    {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            for number in [3, 4] {
                try box.tool("ip", "-n", far, "addr", "add", "10.98.0.\(number)/24", "dev", "vb")
            }
            let ssh = ["SSH_CONNECTION": "10.98.0.2 50000 10.98.0.1 22"]
            let fault =
                "fault.network.loss { target = target.host {}, percent = \"100%\", engine = \"\(engine)\" }"
            let metric = try box.write(
                "metric.lua",
                """
                experiment "with a metric source" {
                  steady_state = { metrics = {
                    up = metric.prometheus { server = "http://10.98.0.3:9090", query = "up", above = 0 },
                  } },
                  faults = { \(fault) },
                  duration = "1s",
                }
                """
            )
            let plan = try inside(box, near, ["check", "--plan", metric], environment: ssh)
            _ = try plan.ended()
            #expect(plan.output.contains("leaves 10.98.0.2 alone"), "\(plan.output)\(plan.errors)")
            #expect(plan.output.contains("leaves 10.98.0.3 alone"), "\(plan.output)")
            let file = try box.write("host.lua", "inject(\(fault))\nwait '60s'")
            let runner = try inside(box, near, ["run", file], environment: ssh)
            try box.injected(1, by: runner)
            #expect(try pings(box, "10.98.0.2", in: near))
            #expect(try !pings(box, "10.98.0.4", in: near))
            runner.signal(SIGINT)
            _ = try runner.ended()
            #expect(try pings(box, "10.98.0.4", in: near))
        }
    }

    @Test(arguments: Engines.measured + ["nft"])
    func `a name that gets an address is followed, and the set is reported`(_ engine: String) throws
    {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            for number in [3, 4] {
                try box.tool("ip", "-n", far, "addr", "add", "10.98.0.\(number)/24", "dev", "vb")
            }
            let hosts = try box.write("hosts", "10.98.0.2 db.test\nfd98::2 db.test\n")
            let kind = engine == "nft" ? "partition" : "loss"
            let percent = engine == "nft" ? "" : ", percent = \"100%\""
            let file = try box.write(
                "name.lua",
                """
                inject(fault.network.\(kind) {
                  target = target.netns { name = "\(near)" }, to = "db.test", resolve_every = "1s",
                  engine = "\(engine)"\(percent),
                })
                wait '60s'
                """
            )
            let bound = "mount --make-rprivate / && mount --bind \"$0\" /etc/hosts && exec \"$@\""
            let runner = try box.start([
                "unshare", "-m", "sh", "-c", bound, hosts, Moonquake.path, "run", file,
                "--state-dir", box.state,
            ])
            try box.injected(1, by: runner)
            for address in ["10.98.0.2", "fd98::2"] {
                #expect(try !pings(box, address, in: near), "\(address)")
            }
            #expect(try pings(box, "10.98.0.3", in: near))
            // In place: the program sees the file, not its name.
            try box.tool("sh", "-c", "echo '10.98.0.3 db.test' >>\(hosts)")
            #expect(eventually { runner.errors.contains("db.test is also 10.98.0.3") })
            #expect(try !pings(box, "10.98.0.3", in: near))
            #expect(try !pings(box, "10.98.0.2", in: near))
            #expect(try pings(box, "10.98.0.4", in: near))
            runner.signal(SIGINT)
            _ = try runner.ended()
            for address in ["10.98.0.2", "fd98::2", "10.98.0.3"] {
                #expect(try pings(box, address, in: near), "\(address)")
            }
            let seen = try #require(try box.lastReport().faults.first?.measured?.seen)
            for text in ["10.98.0.2", "fd98::2", "10.98.0.3"] {
                let address = try #require(NetworkAddress(text))
                #expect(seen.contains(address.description), "\(seen)")
            }
        }
    }

    @Test(
        .enabled(
            if: !Engines.working.contains("netem"),
            "SKIPPED: netem works here, so that it cannot be missed"
        )
    )
    func `netem that is asked for and not there is refused with the way to get it`() throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let file = try box.write(
                "netem.lua",
                """
                inject(fault.network.latency {
                  target = target.netns { name = "\(near)" }, delay = "50ms", engine = "netem",
                })
                """
            )
            let run = try box.moonquake("run", file)
            #expect(run.code == ExitCode.unavailable.rawValue)
            for word in ["sch_netem", "modprobe", "kernel-modules-extra", "linux-modules-extra"] {
                #expect((run.errors + run.output).contains(word), "\(run.errors)")
            }
            try box.expect(before, in: near, far)
        }
    }
}
