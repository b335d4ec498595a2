// process.pause in both ways, with descendants, threads, other names, and dying tracers.

import ChaosLinux
import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

struct PauseTests {
    private static let methods = ["signal", "ptrace"]

    @Test(arguments: methods)
    func `a busy process stands still and goes on`(_ method: String) async throws {
        let victim = try Victim(script: "while :; do :; done")
        let trial = try await FaultTrial(
            "process.pause",
            ["method": .string(method)],
            on: victim.identity
        )
        // Now and then it waits for a page (D).
        #expect(eventually { ["R", "S"].contains(victim.state) })
        #expect(trial.plan.holder == (method == "signal" ? .journal : .kernel))
        let effect = try await trial.inject()
        #expect(effect.seen == (method == "signal" ? "state T in /proc" : "state t in /proc"))
        #expect(victim.state == (method == "signal" ? "T" : "t"))
        let used = try Usage.ticks(of: victim.pid)
        _ = eventually(within: .milliseconds(300)) { false }
        #expect(try Usage.ticks(of: victim.pid) == used)
        #expect(try await trial.effect().seen == "stopped until the end")
        try await trial.revert()
        #expect(eventually { ["R", "S"].contains(victim.state) })
        #expect(try eventually { try Usage.ticks(of: victim.pid) > used })
        try await trial.revert()
    }

    @Test(arguments: methods)
    func `descendants stand still too when asked, those of somebody else's stop apart`(
        _ method: String
    ) async throws {
        let victim = try Victim(script: "(sleep 61; true) & (sleep 62; true) & sleep 63; true")
        #expect(eventually { victim.children.count == 5 })
        let stopped = try #require(victim.children.first { $0.arguments.contains("62") }).identity
        _ = try LinuxProcesses().signal(stopped, SIGSTOP)
        #expect(eventually { victim.children.contains { $0.state == "T" } })
        let trial = try await FaultTrial(
            "process.pause",
            ["method": .string(method), "children": true],
            on: victim.identity
        )
        try await trial.inject()
        let letter: Character = method == "signal" ? "T" : "t"
        for child in victim.children where child.identity != stopped {
            #expect(child.state == letter, "\(child)")
        }
        // As a fresh process does it, which only has the undo; a tracer must be the one that holds.
        try await trial.revert(on: method == "signal" ? nil : trial.kernel)
        for child in victim.children where child.identity != stopped {
            #expect(child.state == "S", "\(child)")
        }
        #expect(try LinuxProcesses().snapshot(of: stopped)?.state == "T")
        _ = try LinuxProcesses().signal(stopped, SIGCONT)
    }

    @Test(arguments: methods)
    func `all threads of a process stand still`(_ method: String) async throws {
        let victim = try Victim([
            "/usr/bin/python3", "-c",
            """
            import threading
            def spin():
                while True: pass
            for _ in range(8): threading.Thread(target=spin, daemon=True).start()
            spin()
            """,
        ])
        let tasks = {
            FileManager.default.subpaths(atPath: "/proc/\(victim.pid)/task")?.filter {
                !$0.contains("/")
            } ?? []
        }
        #expect(eventually { tasks().count == 9 })
        let trial = try await FaultTrial(
            "process.pause",
            ["method": .string(method)],
            on: victim.identity
        )
        try await trial.inject()
        let letter = method == "signal" ? "T" : "t"
        let states = {
            tasks().map { id in
                String(
                    text("/proc/\(victim.pid)/task/\(id)/stat").split(separator: ")").last?
                        .dropFirst().first ?? "?"
                )
            }
        }
        #expect(eventually { states().allSatisfy { $0 == letter } }, "\(states())")
        try await trial.revert()
        #expect(eventually { !states().contains(letter) })
    }

    @Test(arguments: methods)
    func `a process that renames itself is continued all the same`(_ method: String) async throws {
        let folder = try TestFolder()
        // It changes its name by itself just before it is stopped, and by its own hand again when it goes on.
        let victim = try Victim(
            script:
                "while [ ! -e \(folder.path)/go ]; do sleep 0.01; done; exec -a another-name sleep 60"
        )
        let trial = try await FaultTrial(
            "process.pause",
            ["method": .string(method)],
            on: victim.identity
        )
        touch("\(folder.path)/go")
        #expect(
            try eventually {
                try LinuxProcesses().snapshot(of: victim.identity)?.names.contains("another-name")
                    == true
            }
        )
        try await trial.inject()
        #expect(victim.state == (method == "signal" ? "T" : "t"))
        try await trial.revert()
        #expect(eventually { ["R", "S"].contains(victim.state) })
    }

    @Test
    func `a held process that is killed ends at once, and is gone`() async throws {
        let victim = try Victim(script: "while :; do :; done")
        let trial = try await FaultTrial("process.pause", ["method": "ptrace"], on: victim.identity)
        try await trial.inject()
        victim.signal(SIGKILL)
        #expect(try await LinuxProcesses().ended(victim.identity, within: .seconds(5)))
        #expect(eventually { access("/proc/\(victim.pid)", F_OK) != 0 }, "its parent reaps it")
        let error = await #expect(throws: FaultError.self) { try await trial.revert() }
        guard case .targetGone = error else {
            Issue.record("not gone: \(String(describing: error))")
            return
        }
    }

    @Test
    func `a signal that comes while a process is held is not lost`() async throws {
        let folder = try TestFolder()
        let victim = try Victim(
            script:
                "trap 'touch \(folder.path)/got' USR1; touch \(folder.path)/ready; while :; do sleep 0.01; done"
        )
        #expect(eventually { access("\(folder.path)/ready", F_OK) == 0 })
        let trial = try await FaultTrial("process.pause", ["method": "ptrace"], on: victim.identity)
        try await trial.inject()
        victim.signal(SIGUSR1)
        #expect(access("\(folder.path)/got", F_OK) != 0)
        try await trial.revert()
        #expect(eventually { access("\(folder.path)/got", F_OK) == 0 })
    }

    @Test
    func `one process has one tracer, and who it is is told`() async throws {
        let victim = try Victim(script: "sleep 60")
        let trial = try await FaultTrial("process.pause", ["method": "ptrace"], on: victim.identity)
        try await trial.inject()
        let error = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("process.pause", ["method": "ptrace"], on: victim.identity)
        }
        let said = error?.description ?? "accepted"
        #expect(said.contains("traced by process \(getpid()) already"), "\(said)")
        try await trial.revert()
        _ = try await FaultTrial("process.pause", ["method": "ptrace"], on: victim.identity)
    }
}
