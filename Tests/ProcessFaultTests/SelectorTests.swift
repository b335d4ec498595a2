// Every way to name a process, on real processes; no ps, grep or pkill is there to help (PATH does not matter).

import ChaosLinux
import ChaosModel
import ChaosTargets
import Foundation
import Glibc
import TestSupport
import Testing

struct SelectorTests {
    private let resolver = TargetResolver(kernel: .real)

    private func pids(_ options: [String: ParameterValue]) async throws -> [Int32] {
        try await resolver.seen(TargetSelector(kind: .process, options: options)).compactMap {
            if case .process(_, let identity, _) = $0 { identity.pid } else { nil }
        }
    }

    /// Whether soon these are the ones: a started program has its command line a moment later.
    private func isSoon(
        _ options: [String: ParameterValue],
        _ wanted: [Int32]
    ) async throws -> Bool {
        for _ in 0..<2000 {
            if try await pids(options) == wanted { return true }
            usleep(2000)
        }
        return false
    }

    @Test
    func
        `a name longer than the kernel's fifteen bytes matches whole, by argv[0] and by executable`()
        async throws
    {
        let name = "averyveryverylongprocessname-\(UInt32.random(in: .min ... .max))"
        let renamed = try Victim(script: "exec -a \(name) sleep 60")
        #expect(try await isSoon(["name": .string(name)], [renamed.pid]))
        #expect(
            try await pids(["name": .string(String(name.prefix(15)))]) == [],
            "it is the name of no program"
        )
        let folder = try TestFolder()
        let path = "\(folder.path)/\(name)-file"
        try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: path)
        let copied = try Victim([path, "60"])
        #expect(try await pids(["name": .string("\(name)-file")]) == [copied.pid])
        #expect(try await pids(["exe": .string(path)]) == [copied.pid])
        #expect(try await pids(["command": .string("\(name)-file 60")]) == [copied.pid])
        withExtendedLifetime((renamed, copied, folder)) {}
    }

    @Test(arguments: [(AF_INET, "127.0.0.1"), (AF_INET6, "::1")])
    func `who listens on a port is found, v4 and v6`(_ family: Int32, _ address: String)
        async throws
    {
        let victim = try Victim([
            "/usr/bin/python3", "-c",
            """
            import socket, sys, time
            s = socket.socket(\(family)); s.bind(("\(address)", 0)); s.listen()
            open(sys.argv[1], "w").write(str(s.getsockname()[1])); time.sleep(60)
            """,
            "/tmp/mqp-port-\(getpid())-\(family)",
        ])
        let file = "/tmp/mqp-port-\(getpid())-\(family)"
        defer { unlink(file) }
        #expect(eventually { !text(file).isEmpty })
        #expect(try await pids(["port": .number(Double(text(file)) ?? 0)]) == [victim.pid])
        withExtendedLifetime(victim) {}
    }

    @Test
    func `a control group names what is in it and below it`() async throws {
        let group = try TestGroup(.pids)
        let victim = try group.start("sleep 60; true")
        #expect(eventually { victim.children.count == 1 })
        let found = try await pids(["cgroup": .string(group.group.path)])
        #expect(found.contains(victim.pid))
        #expect(try await pids(["cgroup": .string(group.group.path + "x")]) == [])
        withExtendedLifetime(victim) {}
    }

    @Test(.enabled(if: getuid() == 0, "NOT ROOT: cannot start a process of another user"))
    func `an owner is found by name and by number`() async throws {
        let victim = try Victim([
            "/usr/bin/setpriv", "--reuid", "65534", "--clear-groups", "sleep", "61.7",
        ])
        #expect(try await isSoon(["user": "65534", "command": "sleep 61.7"], [victim.pid]))
        #expect(try await pids(["user": "nobody", "command": "sleep 61.7"]) == [victim.pid])
        #expect(try await pids(["user": "root", "command": "sleep 61.7"]) == [])
        withExtendedLifetime(victim) {}
    }
}
