// pid.exhaust on real control groups and users.

import ChaosLinux
import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

struct TaskTests {
    private func tasks(_ effect: Effect, _ name: String) -> Double {
        effect.figures.first { $0.name == name }?.value ?? -1
    }

    @Test
    func `a group's places are taken, new processes are refused and counted, and all is as before`()
        async throws
    {
        let group = try TestGroup(.pids)
        try group.write("60", to: "pids.max")
        let folder = try TestFolder()
        let victim = try Self.forker(folder, in: group)
        let trial = try await FaultTrial("pid.exhaust", [:], on: victim.identity)
        #expect(trial.plan.holder == .kernel)
        let verified = try await trial.inject()
        #expect(tasks(verified, "own_tasks") > 40)
        touch("\(folder.path)/go")
        #expect(try eventually { try LinuxControlGroups().refusedTasks(of: group.group) > 3 })
        #expect(eventually { (Int(text("\(folder.path)/refused")) ?? 0) > 3 })
        let effect = try await trial.effect()
        print("pid.exhaust: \(effect)")
        #expect(tasks(effect, "refused_tasks") > 3)
        try await trial.revert()
        #expect(try LinuxControlGroups().groups(below: group.group).isEmpty)
        #expect(try eventually { try LinuxControlGroups().tasks(of: group.group) < 10 })
        let refused = Int(text("\(folder.path)/refused")) ?? 0
        _ = eventually(within: .milliseconds(200)) { false }
        #expect((Int(text("\(folder.path)/refused")) ?? 0) <= refused + 1)
        try await trial.revert()
    }

    /// A process that starts others for ever, and keeps a count of what was refused.
    private static func forker(_ folder: TestFolder, in group: TestGroup) throws -> Victim {
        let victim = try Victim([
            "/usr/bin/python3", "-c",
            """
            import os, sys, time
            count = open(sys.argv[1] + "/refused", "w")
            while not os.path.exists(sys.argv[1] + "/go"): time.sleep(0.005)
            refused = 0
            while True:
                try:
                    pid = os.fork()
                    if pid == 0: os._exit(0)
                    os.waitpid(pid, 0)
                except BlockingIOError: refused += 1
                count.seek(0); count.write(str(refused)); count.flush()
                time.sleep(0.003)
            """,
            folder.path,
        ])
        try LinuxControlGroups().move(victim.pid, into: group.group)
        return victim
    }

    @Test
    func `places that the target gives up are taken too, and counted as no refusal`() async throws {
        let group = try TestGroup(.pids)
        try group.write("30", to: "pids.max")
        let victim = try group.start("sleep 60")
        let passing = try group.start("sleep 60")
        let trial = try await FaultTrial("pid.exhaust", [:], on: victim.identity)
        let before = try LinuxControlGroups().refusedTasks(of: group.group)
        #expect(tasks(try await trial.inject(), "own_tasks") == 28)
        _ = try LinuxProcesses().signal(passing.identity, SIGKILL)
        for _ in 0..<200 where tasks(try await trial.effect(), "own_tasks") < 29 {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(tasks(try await trial.effect(), "own_tasks") == 29)
        #expect(try LinuxControlGroups().tasks(of: group.group) == 30)
        #expect(try LinuxControlGroups().refusedTasks(of: group.group) == before)
        try await trial.revert()
        #expect(try eventually { try LinuxControlGroups().tasks(of: group.group) == 1 })
        withExtendedLifetime(victim) {}
    }

    @Test
    func `a share leaves the rest, and groups without a limit or with no room are refused`()
        async throws
    {
        let group = try TestGroup(.pids)
        let victim = try group.start("sleep 60")
        let unlimited = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("pid.exhaust", [:], on: victim.identity)
        }
        #expect(unlimited?.description.contains("write one to pids.max") == true)
        try group.write("100", to: "pids.max")
        let trial = try await FaultTrial("pid.exhaust", ["share": "50%"], on: victim.identity)
        let effect = try await trial.inject()
        #expect(tasks(effect, "tasks") == 50)
        #expect(try LinuxControlGroups().tasks(of: group.group) == 50)
        let full = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("pid.exhaust", ["share": "40%"], on: victim.identity)
        }
        #expect(full?.description.contains("are taken already") == true)
        try await trial.revert()
        #expect(try LinuxControlGroups().tasks(of: group.group) == 1)
        try group.write("4000000", to: "pids.max")
        let huge = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("pid.exhaust", [:], on: victim.identity)
        }
        #expect(huge?.description.contains("the whole host has room for") == true)
    }

    @Test
    func `what was left by a crash is removed from the undo alone`() async throws {
        let group = try TestGroup(.pids)
        try group.write("40", to: "pids.max")
        let victim = try group.start("sleep 60")
        let trial = try await FaultTrial("pid.exhaust", [:], on: victim.identity)
        try await trial.inject()
        var fresh = Kernel.real
        fresh.tasks = LinuxTasks()
        try await trial.revert(on: fresh)
        #expect(try LinuxControlGroups().groups(below: group.group).isEmpty)
        #expect(try eventually { try LinuxControlGroups().tasks(of: group.group) == 1 })
        withExtendedLifetime(victim) {}
    }

    @Test
    func `a child that somebody else ends is told, with its pid`() async throws {
        let group = try TestGroup(.pids)
        try group.write("40", to: "pids.max")
        let victim = try group.start("sleep 60")
        let trial = try await FaultTrial("pid.exhaust", [:], on: victim.identity)
        try await trial.inject()
        let waiting = Task { await trial.type.endedEarly(trial.plan.undo, trial.kernel) }
        let inner = try #require(try LinuxControlGroups().groups(below: group.group).first)
        let child = try #require(try LinuxControlGroups().members(of: inner).first)
        let process = try #require(try LinuxProcesses().snapshot(pid: child)).identity
        _ = try LinuxProcesses().signal(process, SIGKILL)
        #expect(await waiting.value?.contains("(\(child)) was ended by somebody else") == true)
        try await trial.revert()
        #expect(try LinuxControlGroups().groups(below: group.group).isEmpty)
        withExtendedLifetime(victim) {}
    }

    @Test(.enabled(if: getuid() == 0, "NOT ROOT: cannot be counted as another user"))
    func `a user's places are taken, and root's cannot be`() async throws {
        let user = 54_000 + Int(UInt16.random(in: 0...999))
        let victim = try Victim([
            "/usr/bin/setpriv", "--reuid", "\(user)", "--clear-groups",
            "/bin/bash", "-c", "ulimit -u 50; exec sleep 60",
        ])
        #expect(
            try eventually {
                try LinuxProcesses().snapshot(of: victim.identity)?.names.contains("sleep") == true
            }
        )
        let trial = try await FaultTrial(
            "pid.exhaust",
            ["scope": "user", "share": "80%"],
            on: victim.identity
        )
        let effect = try await trial.inject()
        #expect(tasks(effect, "tasks") == 40)
        #expect(try LinuxTasks().userPlaces(of: victim.identity).used == 40)
        try await trial.revert()
        #expect(try eventually { try LinuxTasks().userPlaces(of: victim.identity).used == 1 })
        let root = try Victim(["/bin/sleep", "60"])
        let error = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("pid.exhaust", ["scope": "user"], on: root.identity)
        }
        #expect(error?.description.contains("belongs to root") == true)
    }
}
