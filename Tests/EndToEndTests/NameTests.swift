// The DNS faults through the whole program, with a real resolver (dnsmasq) and real clients (dig, getaddrinfo).

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct NameTests {
    private func measured(_ box: Sandbox) throws -> [String: Double] {
        let fault = try #require(try box.lastReport().faults.first)
        #expect(fault.outcome == .reverted, "\(fault)")
        let figures = try #require(fault.measured).figures
        return Dictionary(figures.map { ($0.name, $0.value) }) { first, _ in first }
    }

    @Test(arguments: ["NXDOMAIN", "SERVFAIL", "REFUSED"])
    func `an error is answered over UDP and TCP for the names meant, and ends with the run`(
        _ answer: String
    ) throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let before = try box.world(world.near, world.far)
            let fault = "error { NEAR, names = { 'db.test', '*.shop.test' }, answer = '\(answer)' }"
            try world.during(fault) { runner in
                for name in ["db.test", "DB.Test", "a.shop.test", "b.a.shop.test"] {
                    #expect(world.dig(name) == [answer], "\(name)")
                    #expect(world.dig(name, "+tcp") == [answer], "\(name)")
                }
                #expect(world.dig("db.test", "MX") == [answer])
                #expect(world.dig("db.test", "@fd98::2") == [answer])
                #expect(world.dig("db.test", "+tcp", "@fd98::2") == [answer])
                #expect(world.dig("allow.test") == ["10.98.0.8"])
                #expect(world.dig("allow.test", "+tcp") == ["10.98.0.8"])
                #expect(world.dig("shop.test") == [], "the resolver's own answer")
                #expect(world.getaddrinfo("db.test") == [])
            }
            #expect(world.dig("db.test") == ["10.98.0.2"])
            #expect(world.getaddrinfo("db.test") == ["10.98.0.2", "fd98::2"])
            try box.expect(before, in: world.near, world.far)
            let figures = try measured(box)
            #expect(
                figures["hit db.test"] ?? 0 >= 7 && figures["hit a.shop.test"] == 2,
                "\(figures)"
            )
            #expect(figures["queries_matched"] == figures["queries_hit"])
            #expect(figures["queries_seen"] ?? 0 > figures["queries_hit"] ?? 0)
            let seen = try box.lastReport().faults.first?.verified.seen ?? ""
            #expect(
                seen.contains("getaddrinfo from inside the target comes to the fault"),
                "\(seen)"
            )
        }
    }

    @Test
    func `addresses are given for A and AAAA, and a family without any has none`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let both =
                "spoof { NEAR, names = 'db.test', addresses = { '192.0.2.7', '2001:db8::7' } }"
            try world.during(both) { _ in
                #expect(world.dig("db.test") == ["192.0.2.7"])
                #expect(world.dig("db.test", "AAAA") == ["2001:db8::7"])
                #expect(world.dig("db.test", "AAAA", "+tcp") == ["2001:db8::7"])
                #expect(world.dig("db.test", "MX") == ["10 mail.test."])
                #expect(world.getaddrinfo("db.test") == ["192.0.2.7", "2001:db8::7"])
            }
            try world.during("spoof { NEAR, names = 'db.test', addresses = '192.0.2.7' }") { _ in
                #expect(world.dig("db.test", "AAAA") == [])
                #expect(world.getaddrinfo("db.test") == ["192.0.2.7"])
            }
            #expect(world.getaddrinfo("db.test") == ["10.98.0.2", "fd98::2"])
        }
    }

    @Test
    func `what is not meant comes back to the byte, with EDNS, DNSSEC's bits and truncation`()
        throws
    {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let client = "\(Moonquake.tree)/Tests/Fixtures/ask-names.py"
            func answers() throws -> String {
                try box.tool("python3", client, NameWorld.resolver, in: world.near)
            }
            let direct = try answers()
            #expect(direct.split(separator: "\n").count > 20)
            // Truncated over UDP, whole over TCP.
            #expect(direct.contains("truncated"))
            let through = try world.during("error { NEAR, names = 'other.test' }") { _ in
                try answers()
            }
            #expect(through == direct)
            let figures = try measured(box)
            #expect(
                figures["queries_seen"] ?? 0 > 10 && figures["queries_failed"] == nil,
                "\(figures)"
            )
        }
    }

    @Test
    func `a delay is met over UDP and TCP, and what waits goes on when it ends`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            func timed(_ arguments: String) -> Double {
                let start = ContinuousClock.now
                #expect(
                    arguments.isEmpty
                        ? world.dig("db.test") == ["10.98.0.2"]
                        : world.dig("db.test", arguments) == ["10.98.0.2"]
                )
                return (ContinuousClock.now - start).milliseconds
            }
            let (plain, plainTCP) = (timed(""), timed("+tcp"))
            try world.during("delay { NEAR, names = 'db.test', delay = '300ms' }") { _ in
                let (late, lateTCP) = (timed(""), timed("+tcp"))
                print("asked 300 ms: UDP \(shown(late - plain)), TCP \(shown(lateTCP - plainTCP))")
                #expect((250...600).contains(late - plain))
                #expect((250...600).contains(lateTCP - plainTCP))
            }
            let waits = try world.during("delay { NEAR, names = 'db.test', delay = '50s' }") { _ in
                let programs = try ["+notcp", "+tcp"].map { way in
                    try box.start(
                        ["dig", "+short", "+time=30", "+tries=1", way, "@10.98.0.2", "db.test"],
                        in: world.near
                    )
                }
                usleep(300_000)
                #expect(programs.allSatisfy { $0.exitCode == nil })
                return programs
            }
            for program in waits {
                #expect(try program.ended(within: .seconds(5)) == 0)
                #expect(program.output == "10.98.0.2\n")
            }
        }
    }

    @Test
    func `DNS is down but for one name, over UDP, TCP and TLS`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let tls = try box.start(["python3", "-m", "http.server", "853"], in: world.far)
            let connects = [
                "python3", "-c", "import socket; socket.create_connection(('10.98.0.2', 853), 1)",
            ]
            #expect(eventually { (try? box.start(connects, in: world.near).ended()) == 0 })
            let fault = "drop { NEAR, names = '*', except = 'allow.test', dot = 'reset' }"
            try world.during(fault) { _ in
                #expect(world.dig("db.test") == ["silence"])
                #expect(world.dig("db.test", "+tcp") == ["silence"])
                #expect(world.dig("allow.test") == ["10.98.0.8"])
                #expect(world.dig("allow.test", "+tcp") == ["10.98.0.8"])
                let blocked = try box.start(connects, in: world.near).ended()
                #expect(blocked != 0)
            }
            #expect(world.dig("db.test") == ["10.98.0.2"])
            let again = try box.start(connects, in: world.near).ended()
            #expect(again == 0)
            #expect(try measured(box)["packets_cut"] ?? 0 > 0)
            tls.end()
        }
    }

    @Test
    func `a share of the queries of one type is hit, by the seed`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let batch = try box.write(
                "queries",
                String(repeating: "db.test A\ndb.test AAAA\n", count: 500)
            )
            let fault =
                "error { NEAR, names = '*', types = 'A', traffic = '20%', answer = 'REFUSED' }"
            let refused = try world.during(fault) { _ in
                let text = try box.tool(
                    "dig",
                    "+noall",
                    "+comments",
                    "+time=2",
                    "@10.98.0.2",
                    "-f",
                    batch,
                    in: world.near
                )
                return text.matches(of: /status: REFUSED/).count
            }
            let figures = try measured(box)
            #expect(figures["queries_seen"] == 1000 && figures["queries_matched"] == 500)
            #expect(figures["queries_hit"] == Double(refused))
            #expect((60...140).contains(refused))
        }
    }

    @Test
    func `the queries of the host are met, and those of a process by its namespace`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let process = try box.start(["sleep", "600"], in: world.near)
            #expect(eventually { Proc.commandLine(of: process.pid).hasPrefix("sleep") })
            for (target, namespace) in [
                ("target.host {}", world.near), ("target.process { pid = \(process.pid) }", nil),
            ] {
                let file = try box.write(
                    "who.lua",
                    "inject(fault.dns.error { target = \(target), names = 'db.test' })\nwait '60s'"
                )
                // In the namespace, the agent takes it for the host's.
                let runner = try box.start(
                    [Moonquake.path, "run", file, "--state-dir", box.state],
                    in: namespace
                )
                try box.injected(1, by: runner)
                #expect(world.getaddrinfo("db.test") == [], "\(target)")
                #expect(world.dig("allow.test") == ["10.98.0.8"])
                runner.signal(SIGINT)
                #expect(try runner.ended() == 130)
                #expect(world.getaddrinfo("db.test") == ["10.98.0.2", "fd98::2"])
                let seen = try box.lastReport().faults.first?.verified.seen ?? ""
                #expect(seen.contains("from inside the target comes to the fault"), "\(seen)")
            }
        }
    }

    @Test
    func `a target whose lookups do not come to the fault is told so`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            try box.namesFiles(of: world.near, ["nsswitch.conf": "hosts: files\n"])
            try world.during("error { NEAR, names = '*' }") { _ in }
            let report = try box.lastReport()
            let seen = report.faults.first?.verified.seen ?? ""
            #expect(
                seen.contains("but getaddrinfo from inside the target does not come to the fault"),
                "\(seen)"
            )
            #expect(report.verdict == .inconclusive)
        }
    }

    @Test
    func `queries of one user are met, and of nobody else`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            try world.during("error { NEAR, names = '*', user = '65534' }") { _ in
                #expect(world.dig("db.test") == ["10.98.0.2"])
                let theirs = try box.start(
                    ["setpriv", "--reuid=65534", "--clear-groups", "dig", "@10.98.0.2", "db.test"],
                    in: world.near
                )
                try theirs.ended()
                #expect(theirs.output.contains("NXDOMAIN"))
            }
        }
    }

    @Test
    func `queries of one control group are met, and of nobody else`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let group = "mqe-\(String(UInt32.random(in: .min ... .max), radix: 16))"
            // Where the machine mounts version 1, a mount of our own shows version 2.
            let mount = "mount -t cgroup2 none /sys/fs/cgroup"
            func inMount(_ then: String, _ arguments: [String] = []) -> [String] {
                ["unshare", "-m", "sh", "-c", "\(mount) && \(then)", "sh"] + arguments
            }
            guard try box.start(inMount("mkdir /sys/fs/cgroup/\(group)")).ended() == 0 else {
                return print("SKIPPED: control groups of version 2 cannot be mounted here")
            }
            defer { _ = try? box.start(inMount("rmdir /sys/fs/cgroup/\(group)")).ended() }
            let file = try box.write(
                "group.lua",
                """
                inject(fault.dns.error {
                  target = target.netns { name = "\(world.near)" }, names = "*", cgroup = "/\(group)",
                })
                wait "60s"
                """
            )
            let command = [Moonquake.path, "run", file, "--state-dir", box.state]
            let runner = try box.start(inMount("exec \"$@\"", command))
            try box.injected(1, by: runner)
            #expect(world.dig("db.test") == ["10.98.0.2"])
            let theirs = try box.start(
                inMount(
                    "echo $$ >/sys/fs/cgroup/\(group)/cgroup.procs && exec \"$@\"",
                    ["nsenter", "--net=/run/netns/\(world.near)", "dig", "@10.98.0.2", "db.test"]
                )
            )
            try theirs.ended()
            #expect(theirs.output.contains("NXDOMAIN"), "\(theirs.output)\(theirs.errors)")
            runner.signal(SIGINT)
            try runner.ended()
        }
    }

    @Test
    func `two faults in one namespace go together and end one by one`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let target = "target = target.netns { name = \"\(world.near)\" }"
            let file = try box.write(
                "two.lua",
                """
                local one = inject(fault.dns.error { \(target), names = "db.test" })
                local two = inject(fault.dns.spoof { \(target), names = "allow.test", addresses = "192.0.2.9" })
                wait "3s"
                rollback(one)
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            try box.injected(2, by: runner)
            #expect(world.dig("db.test") == ["NXDOMAIN"])
            #expect(world.dig("allow.test") == ["192.0.2.9"])
            #expect(eventually(within: .seconds(20)) { world.dig("db.test") == ["10.98.0.2"] })
            #expect(world.dig("allow.test") == ["192.0.2.9"])
            runner.signal(SIGINT)
            try runner.ended()
            #expect(world.dig("allow.test") == ["10.98.0.8"])
            #expect(try box.hasNoTableOfOurs(world.near))
        }
    }

    @Test(.rounds)
    func `queries go to the real resolver within 200 ms of a kill -9 of runner and agent`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let before = try box.world(world.near, world.far)
            let file = try box.write(
                "hold.lua",
                """
                inject(fault.dns.error { target = target.netns { name = "\(world.near)" }, names = "*" })
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            let agent = try box.injected(1, by: runner)[0]
            // A client that keeps its socket: what the kernel tracks of it must not outlive the fault.
            let client = try box.start(
                ["python3", "\(Moonquake.tree)/Tests/Fixtures/keep-asking.py", NameWorld.resolver],
                in: world.near
            )
            #expect(eventually { client.output.contains(" 3\n") })
            let killed = Proc.monotonicSeconds
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            #expect(eventually { client.output.contains(" 0\n") })
            let first = client.output.split(separator: "\n").first { $0.hasSuffix(" 0") }
            let time = try #require(first?.split(separator: " ").first.flatMap { Double($0) })
            print(
                "after kill -9 of runner and agent: the real resolver answered in \(shown((time - killed) * 1e3))"
            )
            #expect(time - killed < 0.2, .ofFigure)
            #expect(try box.moonquake("recover").code == 0)
            #expect(world.dig("db.test") == ["10.98.0.2"])
            try box.expect(before, in: world.near, world.far)
        }
    }

    @Test
    func `a responder that dies ends the fault, and the run says so`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            try world.during("error { NEAR, names = '*' }") { _ in
                kill(try #require(box.worker("resolver")), SIGKILL)
                #expect(eventually { world.dig("db.test") == ["10.98.0.2"] })
            }
            let report = try box.lastReport()
            #expect(report.restoration == .restored)
            #expect(report.verdict == .inconclusive)
            let end = try #require(report.faults.first?.endedEarly)
            #expect(end.seen.contains("was killed by signal 9 (SIGKILL)"), "\(end)")
        }
    }

    @Test
    func `what cannot work is refused before anything is done`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let target = "target = target.netns { name = \"\(world.near)\" }"
            for (options, reason) in [
                ("error { \(target), names = 'a b' }", "names must be a name"),
                ("error { \(target), names = '*', answer = 'OOPS' }", "answer must be one of"),
                (
                    "spoof { \(target), names = 'a', addresses = '10.0.0.0/8' }",
                    "addresses must be an IPv4"
                ),
                (
                    "spoof { \(target), names = '*', addresses = '1.1.1.1', method = 'hosts' }",
                    "whole names"
                ),
                ("delay { \(target), names = 'a', delay = '1s', jitter = '2s' }", "jitter must be"),
                (
                    "error { \(target), names = 'a', method = 'resolv_conf' }",
                    "has no files of its own"
                ),
                (
                    "error { \(target), names = 'a', method = 'resolv_conf', user = 'root' }",
                    "method = \"redirect\""
                ),
                ("error { \(target), names = 'a', user = 'no-such-user' }", "there is no user"),
            ] {
                let file = try box.write("refused.lua", "inject(fault.dns.\(options))")
                let run = try box.moonquake("run", file)
                #expect(run.code == 2, "\(options): \(run.code) \(run.errors)")
                #expect(run.errors.contains(reason), "\(options): \(run.errors)")
            }
            try box.tool("ip", "link", "set", "lo", "down", in: world.near)
            let file = try box.write(
                "down.lua",
                "inject(fault.dns.error { \(target), names = '*' })"
            )
            let run = try box.moonquake("run", file)
            #expect(run.errors.contains("ip link set lo up"), "\(run.errors)")
            #expect(try box.hasNoTableOfOurs(world.near))
        }
    }
}
