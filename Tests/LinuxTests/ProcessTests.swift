// Processes that the tests start themselves, and the texts of /proc that are hard to meet at will.

import ChaosModel
import Glibc
import Testing

@testable import ChaosLinux

struct ProcessTests {
    private let processes = LinuxProcesses()

    /// A process for the length of a test.
    private func withProcess(
        _ arguments: [String],
        _ body: (ProcessIdentity) async throws -> Void
    ) async throws {
        let identity = try processes.start(arguments)
        do {
            try await body(identity)
        } catch {
            _ = try processes.signal(identity, SIGKILL)
            throw error
        }
        _ = try processes.signal(identity, SIGKILL)
        #expect(try await processes.ended(identity, within: .seconds(5)))
    }

    /// What a process looks like once the kernel has its command line, a moment after its start.
    private func settled(_ identity: ProcessIdentity) throws -> ProcessSnapshot {
        for _ in 0..<1000 {
            let found = try #require(try processes.snapshot(of: identity))
            if !found.arguments.isEmpty { return found }
            usleep(1000)
        }
        throw KernelError(.failed, "start a process for a test", "it has no command line")
    }

    @Test
    func `a snapshot tells what was started`() async throws {
        try await withProcess(["sleep", "61.5"]) { identity async throws in
            let found = try settled(identity)
            #expect(found.identity == identity)
            #expect(found.parent == getpid())
            #expect(found.arguments == ["sleep", "61.5"])
            #expect(found.executable?.hasSuffix("/sleep") == true)
            #expect(found.shortName == "sleep")
            #expect(found.userID == geteuid())
            #expect(!found.isKernelThread)
            #expect(try processes.pids().contains(identity.pid))
            let stat = try #require(try ProcFile.text("/proc/\(identity.pid)/stat"))
            let session = stat.split(separator: " ")[5]
            #expect(session == "\(identity.pid)")
        }
    }

    @Test
    func `a name with blanks and parentheses changes no field, and a removed file keeps its name`()
        async throws
    {
        let folder = "/tmp/mqt-\(UInt32.random(in: .min ... .max))"
        let path = "\(folder)/a ) S (b c"
        #expect(mkdir(folder, 0o700) == 0)
        defer { rmdir(folder) }
        let sleep = try #require(Spawn.executable("sleep"))
        try TestNetwork.output("cp", [sleep, path])
        try await withProcess([path, "60"]) { identity async throws in
            var found = try settled(identity)
            unlink(path)
            #expect(ProcFile.link("/proc/\(identity.pid)/exe") == "\(path) (deleted)")
            found = try settled(identity)
            #expect(found.shortName == "a ) S (b c")
            #expect(found.parent == getpid())
            #expect(found.executable == path)
        }
    }

    @Test
    func `a started program has default signals, no descriptor of ours, and is reaped`()
        async throws
    {
        var blocked = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        defer { pthread_sigmask(SIG_UNBLOCK, &blocked, nil) }
        try await withProcess(["sleep", "60"]) { identity async throws in
            func open() throws -> Set<String> {
                Set(try #require(try ProcFile.names(in: "/proc/\(identity.pid)/fd")))
            }
            // Its loader opens libraries for a moment.
            for _ in 0..<500 where try open() != ["0", "1", "2"] { usleep(2000) }
            #expect(try open() == ["0", "1", "2"])
            #expect(ProcFile.link("/proc/\(identity.pid)/fd/1") == "/dev/null")
            #expect(try processes.signal(identity, SIGTERM))
            #expect(try await processes.ended(identity, within: .seconds(5)))
            // Reaped by its own thread: bounded, as that thread may need its turn.
            for _ in 0..<500 where try processes.snapshot(pid: identity.pid) != nil { usleep(2000) }
            #expect(try processes.snapshot(pid: identity.pid) == nil)
        }
    }

    @Test
    func `what cannot be started is told`() {
        #expect(throws: KernelError.self) { try processes.start([]) }
        #expect(throws: KernelError.self) { try processes.start(["no-such-program-anywhere"]) }
        #expect(throws: KernelError.self) { try processes.start(["sleep", "1\0;2"]) }
    }

    @Test
    func `a signal for an identity that was reused touches nothing`() async throws {
        try await withProcess(["sleep", "60"]) { identity async throws in
            var other = identity
            other.startTime += 1
            #expect(try !processes.signal(other, SIGKILL))
            #expect(try await processes.ended(other, within: .seconds(1)))
            #expect(try processes.controlGroup(of: other) == nil)
            let error = #expect(throws: KernelError.self) {
                try LinuxNetwork().namespace(of: other)
            }
            #expect(error?.kind == .gone)
            #expect(try processes.snapshot(of: identity) != nil)
            #expect(try processes.signal(identity, 0))
        }
    }

    @Test
    func `a zombie is gone and has ended`() async throws {
        let path = try #require(Spawn.executable("sleep"))
        let pid = try Spawn.start(path, ["sleep", "60"], newSession: true)
        defer { Spawn.reap(pid) }
        let identity = try #require(try processes.snapshot(pid: pid)).identity
        #expect(try processes.signal(identity, SIGKILL))
        #expect(try await processes.ended(identity, within: .seconds(5)))
        let zombie = try #require(try processes.snapshot(pid: pid))
        #expect(zombie.state == "Z")
        #expect(zombie.arguments.isEmpty)
        #expect(try !processes.signal(identity, 0))
        #expect(try await processes.ended(identity, within: .zero))
    }

    @Test
    func `waiting has a limit and can be cancelled`() async throws {
        try await withProcess(["sleep", "60"]) { identity async throws in
            #expect(try await !processes.ended(identity, within: .milliseconds(20)))
            let waiting = Task { try await processes.ended(identity, within: .seconds(60)) }
            waiting.cancel()
            #expect(try await !waiting.value)
        }
    }

    @Test(arguments: ["tcp", "udp"], ["127.0.0.1", "::1"])
    func `who listens on a port is found`(_ name: String, _ address: String) throws {
        let kind = try #require(PacketProtocol(rawValue: name))
        let own = try LinuxNetwork().ownNamespace()
        let socket = try TestSocket(kind, address, listens: kind == .tcp, in: own)
        // Contains, not equals: a child that another test is just forking has the socket too, until its exec.
        #expect(try processes.listening(on: socket.port).contains(getpid()))
        withExtendedLifetime(socket) {}
    }

    @Test
    func `a TCP socket that does not listen is nobody's port`() throws {
        let socket = try TestSocket(.tcp, "127.0.0.1", in: try LinuxNetwork().ownNamespace())
        #expect(try processes.listening(on: socket.port).isEmpty)
        withExtendedLifetime(socket) {}
    }

    @Test
    func `users are found by name`() throws {
        #expect(try processes.userID(named: "root") == 0)
        #expect(try processes.userID(named: "no-such-user") == nil)
    }

    @Test
    func `the control group is the unified one where it says anything, else the longest`() {
        let hybrid = "9:name=systemd:/a\n4:memory:/some/where\n1:cpu:/\n0::/\n"
        #expect(ControlGroupFile.path(of: hybrid) == "/some/where")
        #expect(
            ControlGroupFile.path(of: "4:memory:/longer/path\n0::/user.slice\n") == "/user.slice"
        )
        #expect(ControlGroupFile.path(of: "0::/\n") == "/")
        #expect(ControlGroupFile.path(of: "0::/a:b (deleted)\n") == "/a:b")
        #expect(ControlGroupFile.path(of: "") == nil)
    }

    @Test
    func `a thread of the kernel is told by its flag and not by its parent`() throws {
        let end = " 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 12 0 0 184467\n"
        let kernel = try #require(ProcessStatus(stat: Array("9 (kworker/0:0H-(x)) I 2\(end)".utf8)))
        #expect(kernel.isKernelThread)
        #expect(kernel.name == "kworker/0:0H-(x)")
        #expect(kernel.startTime == 12)
        let program = end.replacingOccurrence(of: "69238880", with: "4194304")
        let other = try #require(ProcessStatus(stat: Array("9 (sh) S 2\(program)".utf8)))
        #expect(!other.isKernelThread)
        #expect(ProcessStatus(stat: Array("9 (sh S 2".utf8)) == nil)
        #expect(ProcessStatus(stat: []) == nil)
    }
}

extension String {
    fileprivate func replacingOccurrence(of part: String, with other: String) -> String {
        guard let range = firstRange(of: part) else { return self }
        return String(self[..<range.lowerBound]) + other + self[range.upperBound...]
    }
}
