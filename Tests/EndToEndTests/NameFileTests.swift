// The DNS faults by edits of files, in a mount namespace that is not the agent's: C01, C02, C04, C06, D24.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct NameFileTests {
    /// A process in the near namespace of a world, with files in /etc of its own, one of them behind a link.
    struct Target {
        let world: NameWorld
        let process: Program
        let folder: String

        var hosts: String { "\(folder)/hosts" }
        var resolvConf: String { "\(folder)/real-resolv.conf" }

        static let hosts = "127.0.0.1 localhost\n1.1.1.1 a.test\n9.9.9.9 a.test b.test\n"
        static let resolvConf =
            "# by hand\nsearch example\nnameserver 10.98.0.2\noptions timeout:1 attempts:1"

        init(in box: Sandbox) throws {
            world = try NameWorld(in: box)
            folder = box.folder + "/etc"
            try box.tool("mkdir", folder)
            try File.write(Self.hosts, to: folder + "/hosts")
            try File.write(Self.resolvConf, to: folder + "/real-resolv.conf")
            for name in ["passwd", "group"] { try box.tool("cp", "/etc/\(name)", folder) }
            try File.write("hosts: files dns\n", to: folder + "/nsswitch.conf")
            // As Debian has it; without, glibc takes the first line of a name only.
            try File.write("multi on\n", to: folder + "/host.conf")
            try box.tool("ln", "-s", "/etc/real-resolv.conf", folder + "/resolv.conf")
            try box.tool("chmod", "0640", folder + "/hosts", folder + "/real-resolv.conf")
            try box.tool("chown", "1000:1001", folder + "/hosts", folder + "/real-resolv.conf")
            try box.tool(
                "python3",
                "-c",
                "import os, sys; os.setxattr(sys.argv[1], 'user.kept', b'yes')",
                folder + "/hosts"
            )
            process = try box.start(
                ["unshare", "-m", "sh", "-c", "mount --bind \(folder) /etc && exec sleep 600"],
                in: world.near
            )
            let process = process
            guard eventually(holds: { Proc.commandLine(of: process.pid).hasPrefix("sleep") }) else {
                throw SetUpError("no process with its own files: \(process.errors)")
            }
        }

        /// What a program beside the process finds for a name.
        func getaddrinfo(_ name: String) throws -> [String] {
            let program = try world.box.start(
                ["nsenter", "-t", "\(process.pid)", "-m", "-n", "getent", "ahosts", name]
            )
            try program.ended()
            let words = program.output.split(separator: "\n").compactMap {
                $0.split(separator: " ").first.map(String.init)
            }
            return Set(words).sorted()
        }

        /// Text, mode, owner, attributes, inode and links of the two files.
        func state() throws -> [String] {
            let box = world.box
            return try [hosts, resolvConf].map { path in
                try box.tool("stat", "-c", "%a %u %g %i %h %F", path)
                    + box.tool(
                        "python3",
                        "-c",
                        "import os, sys; print(os.listxattr(sys.argv[1]))",
                        path
                    ) + (File.text(path) ?? "none")
            } + [box.tool("readlink", folder + "/resolv.conf")]
        }

        func script(_ fault: String, hold: String = "60s") throws -> String {
            let target = "target = target.process { pid = \(process.pid) }"
            return try world.box.write(
                "files.lua",
                "inject(fault.dns.\(fault.replacing("TARGET", with: target)))\nwait '\(hold)'"
            )
        }
    }

    private static let spoof =
        "spoof { TARGET, names = 'a.test', addresses = { '192.0.2.9', '2001:db8::9' }, method = 'hosts' }"
    private static let error = "error { TARGET, names = 'db.test', method = 'resolv_conf' }"

    @Test
    func `hosts gives only the addresses asked for, and comes back to the byte`() throws {
        try Sandbox.with { box in
            let target = try Target(in: box)
            let (before, ours) = (try target.state(), File.text("/etc/hosts"))
            let runner = try box.begin("run", target.script(Self.spoof))
            try box.injected(1, by: runner)
            #expect(try target.getaddrinfo("a.test") == ["192.0.2.9", "2001:db8::9"])
            #expect(try target.getaddrinfo("b.test") == ["9.9.9.9"])
            #expect(File.text("/etc/hosts") == ours, "the agent's own file is another")
            #expect(try target.state() != before)
            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            #expect(try target.state() == before)
            #expect(try target.getaddrinfo("a.test") == ["1.1.1.1", "9.9.9.9"])
            let fault = try #require(try box.lastReport().faults.first)
            #expect(fault.heldBy == .journal)
            #expect(fault.verified.seen.contains("; getaddrinfo from inside the target gives"))
        }
    }

    @Test
    func `resolv.conf leads to the responder behind its link, and edits of others stay`() throws {
        try Sandbox.with { box in
            let target = try Target(in: box)
            let before = try target.state()
            let runner = try box.begin("run", target.script(Self.error))
            try box.injected(1, by: runner)
            #expect(try target.getaddrinfo("db.test") == [])
            #expect(try target.getaddrinfo("allow.test") == ["10.98.0.8"])
            let during = try #require(File.text(target.resolvConf))
            // In place, as an editor or a DHCP client that appends would.
            try box.tool("sh", "-c", "printf '\\nnameserver 10.98.0.3\\n' >>\(target.resolvConf)")
            #expect(File.text(target.resolvConf)?.hasPrefix(during) == true)
            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            #expect(File.text(target.resolvConf) == Target.resolvConf + "\nnameserver 10.98.0.3\n")
            try File.write(Target.resolvConf, to: target.resolvConf)
            #expect(try target.state() == before)
            #expect(try target.getaddrinfo("db.test") == ["10.98.0.2", "fd98::2"])
            let figures = try #require(try box.lastReport().faults.first?.measured).figures
            #expect(figures.contains { $0.name == "hit db.test" && $0.value >= 2 }, "\(figures)")
        }
    }

    @Test
    func `without nft resolv.conf is edited by itself, and the next resolver is asked as before`()
        throws
    {
        try Sandbox.with { box in
            let target = try Target(in: box)
            let two = Target.resolvConf.replacing(
                "nameserver 10.98.0.2",
                with: "nameserver 10.98.0.77\nnameserver 10.98.0.2"
            )
            try File.write(two, to: target.resolvConf)
            let before = try target.state()
            let libraries = try box.tool("ldconfig", "-p").split(separator: "\n")
            let library = try #require(
                libraries.first { $0.contains("libnftables.so.1 ") }?.split(separator: " ").last
            )
            func hidden(_ arguments: String...) -> [String] {
                let command = "mount --bind /dev/null \(library) && exec \"$@\""
                return ["unshare", "-m", "sh", "-c", command, "sh", Moonquake.path] + arguments
                    + ["--state-dir", box.state]
            }
            let file = try target.script("error { TARGET, names = 'db.test' }")
            let runner = try box.start(hidden("run", file))
            try box.injected(1, by: runner)
            #expect(try target.getaddrinfo("db.test") == [])
            #expect(try target.getaddrinfo("allow.test") == ["10.98.0.8"])
            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            #expect(try target.state() == before)
            let fault = try #require(try box.lastReport().faults.first)
            #expect(fault.engine == "resolv_conf" && fault.heldBy == .journal)
            // What has no file to be edited is refused with the reason.
            let other = try box.write(
                "other.lua",
                "inject(fault.dns.error { target = target.netns { name = '\(target.world.near)' }, names = '*' })"
            )
            let refused = try box.start(hidden("run", other))
            #expect(try refused.ended() == ExitCode.definition.rawValue, "\(refused.errors)")
            #expect(refused.errors.contains("queries cannot be redirected"), "\(refused.errors)")
        }
    }

    @Test(arguments: ["one", "two"])
    func `two faults of one file go together, and end in any order`(_ first: String) throws {
        try Sandbox.with { box in
            let target = try Target(in: box)
            let before = try target.state()
            let marker = "\(box.folder)/go-on"
            let whom =
                "target = target.process { pid = \(target.process.pid) }, method = 'resolv_conf'"
            let file = try box.write(
                "two.lua",
                """
                local held = {
                  one = inject(fault.dns.error { \(whom), names = "db.test" }),
                  two = inject(fault.dns.spoof { \(whom), names = "allow.test", addresses = "192.0.2.9" }),
                }
                check_metric(metric.command { run = { "test", "-e", "\(marker)" }, measure = "exit_status", equals = 0 },
                  { within = "60s" })
                rollback(held.\(first))
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            try box.injected(2, by: runner)
            let (meant, given) = ([String](), ["192.0.2.9"])
            let (plain, allowed) = (["10.98.0.2", "fd98::2"], ["10.98.0.8"])
            #expect(try target.getaddrinfo("db.test") == meant)
            #expect(try target.getaddrinfo("allow.test") == given)
            try File.write("", to: marker)
            #expect(eventually { box.openJournals().joined().contains { $0.entry == .reverted } })
            #expect(try target.getaddrinfo("db.test") == (first == "one" ? plain : meant))
            #expect(try target.getaddrinfo("allow.test") == (first == "two" ? allowed : given))
            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            #expect(try target.state() == before)
            #expect(try target.getaddrinfo("db.test") == plain)
            #expect(try target.getaddrinfo("allow.test") == allowed)
        }
    }

    @Test(arguments: [spoof, error])
    func `after kill -9 of runner and agent recover takes the edit back, once`(
        _ fault: String
    ) throws {
        try Sandbox.with { box in
            let target = try Target(in: box)
            let before = try target.state()
            let runner = try box.begin("run", target.script(fault))
            let agent = try box.injected(1, by: runner)[0]
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            try runner.ended()
            #expect(try target.state() != before)
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0 && recovery.output.contains("reverted  dns."), "\(recovery)")
            #expect(try target.state() == before)
            #expect(try box.moonquake("recover").output == "")
        }
    }

    @Test
    func `an edit is taken back after a reboot too`() throws {
        try Sandbox.with { box in
            let target = try Target(in: box)
            let before = try target.state()
            let runner = try box.begin("run", target.script(Self.spoof))
            let agent = try box.injected(1, by: runner)[0]
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            try runner.ended()
            // Another boot, as far as the journal can tell.
            let journals = box.state + "/journals/open"
            let name = try #require(File.names(in: journals).first { $0.hasSuffix(".jsonl") })
            let text = try #require(File.text("\(journals)/\(name)"))
            let boot = try #require(text.firstMatch(of: /"boot_id":"([^"]+)"/)?.1)
            try File.write(
                text.replacing(boot, with: "0a0a0a0a-another-boot"),
                to: "\(journals)/\(name)"
            )
            #expect(try box.moonquake("recover").code == 0)
            #expect(try target.state() == before)
        }
    }

    @Test
    func `a cache in the way is told before the run`() throws {
        try Sandbox.with { box in
            let world = try NameWorld(in: box)
            let run = box.folder + "/run"
            // What nscd and systemd-resolved are known by: somebody who takes connections on their sockets.
            let serve = """
                import os, socket, sys, time
                held = []
                for path in sys.argv[1:]:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen(9); held.append(server)
                open("\(box.folder)/serving", "w").close()
                time.sleep(600)
                """
            let script = try box.write("serve.py", serve)
            let etc = box.folder + "/etc"
            try box.tool("mkdir", run, etc)
            try File.write("hosts: files resolve dns\n", to: etc + "/nsswitch.conf")
            try File.write("nameserver 10.98.0.2\n", to: etc + "/resolv.conf")
            let command =
                "mount --bind \(run) /run && mount --bind \(etc) /etc && exec python3 \(script) "
                + "/run/nscd/socket /run/systemd/resolve/io.systemd.Resolve"
            let process = try box.start(["unshare", "-m", "sh", "-c", command], in: world.near)
            #expect(eventually { File.text("\(box.folder)/serving") != nil }, "\(process.errors)")
            let file = try box.write(
                "cached.lua",
                "inject(fault.dns.error { target = target.process { pid = \(process.pid) }, names = '*' })"
            )
            let plan = try box.moonquake("check", "--plan", file)
            #expect(plan.output.contains("nscd runs"), "\(plan.output)\(plan.errors)")
            #expect(
                plan.output.contains("systemd-resolved is asked by its own socket"),
                "\(plan.output)"
            )
            process.end()
            // A socket that nobody serves any more is no cache.
            let idle = try box.start(
                ["unshare", "-m", "sh", "-c", "mount --bind \(run) /run && exec sleep 600"],
                in: world.near
            )
            #expect(eventually { Proc.commandLine(of: idle.pid).hasPrefix("sleep") })
            let second = try box.write(
                "uncached.lua",
                "inject(fault.dns.error { target = target.process { pid = \(idle.pid) }, names = '*' })"
            )
            let clean = try box.moonquake("check", "--plan", second)
            #expect(
                clean.code == 0 && !clean.output.contains("nscd"),
                "\(clean.output)\(clean.errors)"
            )
        }
    }
}
