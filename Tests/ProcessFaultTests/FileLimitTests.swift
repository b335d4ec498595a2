// fd.exhaust on a real process.

import ChaosLinux
import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

struct FileLimitTests {
    /// A process that opens and closes files for ever, and keeps a count of what failed with EMFILE.
    private static func victim(_ folder: TestFolder, keeps: Int = 10) throws -> Victim {
        try Victim([
            "/usr/bin/python3", "-c",
            """
            import errno, os, resource, subprocess, sys, time
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024))
            kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(\(keeps))]
            count = open(sys.argv[1] + "/refused", "w")
            child = None
            refused = 0
            open(sys.argv[1] + "/ready", "w").close()
            while True:
                try:
                    fds = []
                    for _ in range(3): fds.append(os.open("/dev/null", os.O_RDONLY))
                except OSError as problem:
                    if problem.errno == errno.EMFILE: refused += 1
                for fd in fds: os.close(fd)
                if refused and child is None:
                    child = os.fork()
                    if child == 0: time.sleep(60); os._exit(0)
                count.seek(0); count.write(str(refused)); count.flush()
                time.sleep(0.002)
            """,
            folder.path,
        ])
    }

    @Test
    func
        `a process runs out of files by its own limit, its children too, and all limits are restored`()
        async throws
    {
        let folder = try TestFolder()
        let victim = try Self.victim(folder)
        #expect(eventually { access("\(folder.path)/ready", F_OK) == 0 })
        let before = text("/proc/\(victim.pid)/limits")
        let trial = try await FaultTrial("fd.exhaust", [:], on: victim.identity)
        #expect(text("/proc/\(victim.pid)/limits") == before, "a plan only reads")
        try await trial.inject()
        let refused = { Int(text("\(folder.path)/refused")) ?? 0 }
        #expect(eventually { refused() > 5 })
        #expect(eventually { victim.children.count == 1 })
        let child = try #require(victim.children.first).identity
        let effect = try await trial.effect()
        print("fd.exhaust: \(effect), \(refused()) opens refused")
        #expect((effect.figures.first { $0.name == "left" }?.value ?? 99) <= 3)
        try await trial.revert()
        #expect(text("/proc/\(victim.pid)/limits") == before)
        let limit = try #require(try LinuxProcesses().fileLimit(of: child))
        #expect(limit.soft == 256 && limit.hard == 1024, "what it inherited is restored too")
        let after = refused()
        _ = eventually(within: .milliseconds(200)) { false }
        #expect(refused() <= after + 1)
        try await trial.revert()
    }

    @Test
    func `what is open for moments only leaves no room for the next`() async throws {
        let folder = try TestFolder()
        let victim = try Victim([
            "/usr/bin/python3", "-c",
            """
            import os, sys, time
            open(sys.argv[1] + "/ready", "w").close()
            while True:
                try: held = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
                except OSError: held = []
                time.sleep(0.001)
                for number in held: os.close(number)
                time.sleep(0.004)
            """,
            folder.path,
        ])
        #expect(eventually { access("\(folder.path)/ready", F_OK) == 0 })
        for _ in 0..<10 {
            let trial = try await FaultTrial("fd.exhaust", [:], on: victim.identity)
            try await trial.inject()
            // What it had open by chance it gives back, and cannot open again.
            usleep(50_000)
            let left = try await trial.effect().figures.first { $0.name == "left" }?.value
            #expect(left == 0)
            try await trial.revert()
        }
    }

    @Test
    func `a share leaves the rest of the limit`() async throws {
        let folder = try TestFolder()
        let victim = try Self.victim(folder)
        #expect(eventually { access("\(folder.path)/ready", F_OK) == 0 })
        let trial = try await FaultTrial("fd.exhaust", ["share": "90%"], on: victim.identity)
        let effect = try await trial.inject()
        // Between the plan and now it opens and closes three at most.
        let left = effect.figures.first { $0.name == "left" }?.value ?? 0
        #expect(22...28 ~= left, "10 % of 256 is 25, got \(left)")
        try await trial.revert()
        await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("fd.exhaust", ["share": "1%"], on: victim.identity)
        }
    }

    @Test
    func `a limit that the process changes itself is left alone`() async throws {
        let folder = try TestFolder()
        let victim = try Victim(
            script:
                "trap 'ulimit -Sn 99' USR1; : >\(folder.path)/ready; while :; do sleep 0.01; done"
        )
        #expect(eventually { access("\(folder.path)/ready", F_OK) == 0 })
        let trial = try await FaultTrial("fd.exhaust", ["share": "80%"], on: victim.identity)
        try await trial.inject()
        victim.signal(SIGUSR1)
        #expect(try eventually { try LinuxProcesses().fileLimit(of: victim.identity)?.soft == 99 })
        #expect(try await trial.revert().seen.contains("somebody else"))
        #expect(try LinuxProcesses().fileLimit(of: victim.identity)?.soft == 99)
    }

    @Test(
        .enabled(
            if: getuid() == 0 && !LinuxHost().hasCapability("CAP_SYS_RESOURCE"),
            "ROOT HAS CAP_SYS_RESOURCE HERE, or this is not root: nothing is refused"
        )
    )
    func `another user's process needs a capability that is named before anything is done`()
        async throws
    {
        let victim = try Victim([
            "/usr/bin/setpriv", "--reuid", "65534", "--clear-groups", "sleep", "60",
        ])
        #expect(
            try eventually { try LinuxProcesses().snapshot(of: victim.identity)?.userID == 65534 }
        )
        let error = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("fd.exhaust", [:], on: victim.identity)
        }
        #expect(error?.description.contains("CAP_SYS_RESOURCE") == true)
    }
}
