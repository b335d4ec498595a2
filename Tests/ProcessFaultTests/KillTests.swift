// process.kill through the agent: once and again, under a supervisor that is quicker than any pause between kills.

import ChaosAgent
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosSimulation
import Foundation
import Glibc
import TestSupport
import Testing

struct KillTests {
    private func agent() async throws -> Agent {
        let agent = Agent(
            kernel: .real,
            catalogue: .all,
            store: SimulatedJournals(),
            version: "test",
            emit: { _ in }
        )
        let hello = AgentCall.Hello(
            run: "kill-\(UInt32.random(in: .min ... .max))",
            protectedEndpoints: [],
            protectedProcesses: [],
            termMs: 60_000
        )
        guard case .hello = await agent.answer(.hello(hello)) else {
            throw AgentFailure(.protocol, "no greeting")
        }
        return agent
    }

    private func inject(_ spec: FaultSpec, _ agent: Agent) async throws -> [LeaseRecord] {
        let plan = AgentCall.PlanCall(spec: spec, limit: SelectionLimit(), seed: 1)
        guard case .plan(let planned) = await agent.answer(.plan(plan)) else {
            throw AgentFailure(.protocol, "no plan")
        }
        let call = AgentCall.InjectCall(
            spec: spec,
            targets: planned.targets.map(\.target),
            deadlineMs: 60_000
        )
        switch await agent.answer(.inject(call)) {
        case .injected(let leases): return leases
        case .failed(let failure): throw failure
        default: throw AgentFailure(.protocol, "no answer")
        }
    }

    @Test
    func `a service that a supervisor restarts at once is killed again and again, and counted`()
        async throws
    {
        let name = "mqp-kept-\(UInt32.random(in: .min ... .max))"
        let supervisor = try Victim(
            script: "while :; do bash -c 'exec -a \(name) sleep 60'; done"
        )
        #expect(eventually { supervisor.children.contains { $0.names.contains(name) } })
        let agent = try await agent()
        let spec = FaultSpec(
            fault: "process.kill",
            target: TargetSelector(kind: .process, options: ["name": .string(name)]),
            options: ["every": "100ms", "restart": "supervised"]
        )
        let leases = try await inject(spec, agent)
        #expect(leases.count == 1)
        // The agent needs the pool's threads, of which a small machine has one.
        try await Task.sleep(for: .seconds(1.5))
        guard case .reverted(let records) = await agent.answer(.revert([])) else {
            Issue.record("no answer")
            return
        }
        let record = try #require(records.first)
        print("killed every 100 ms for 1.5 s: \(record)")
        #expect(record.outcome == .reverted, "\(record.seen)")
        #expect(record.seen.contains("back as process"))
        let figures = Dictionary(
            uniqueKeysWithValues: (record.effect?.figures ?? []).map { ($0.name, $0.value) }
        )
        #expect((figures["times"] ?? 0) >= 4)
        // The last one may be on its way.
        let (times, restarts) = (figures["times"] ?? 0, figures["restarts"] ?? 0)
        #expect(restarts == times || restarts == times - 1, "\(restarts) of \(times)")
        // No kill comes after the revert.
        let left = try #require(supervisor.children.first { $0.names.contains(name) }).identity
        try await Task.sleep(for: .milliseconds(400))
        #expect(try LinuxProcesses().snapshot(of: left) != nil)
    }

    @Test
    func `a kill is verified at the pidfd, and a process that lives on is no success`() async throws
    {
        let folder = try TestFolder()
        let victim = try Victim(
            script: "trap '' TERM; touch \(folder.path)/r; while :; do sleep 0.05; done"
        )
        #expect(eventually { access("\(folder.path)/r", F_OK) == 0 })
        let trial = try await FaultTrial("process.kill", ["signal": "TERM"], on: victim.identity)
        let error = await #expect(throws: FaultError.self) { try await trial.inject() }
        #expect(error?.description.contains("is alive 5s after signal 15") == true)
        let second = try await FaultTrial("process.kill", [:], on: victim.identity)
        let effect = try await second.inject()
        #expect(effect.seen.contains("has ended"))
        #expect(victim.state == nil)
    }

    @Test
    func `a command brings it back once, and not at all when it is back already`() async throws {
        let arguments = ["/bin/sleep", "64.\(UInt32.random(in: .min ... .max))"]
        let victim = try Victim(arguments)
        let (start, command) = (
            victim.identity.startTime, arguments.map { ParameterValue.string($0) }
        )
        let trial = try await FaultTrial(
            "process.kill",
            ["restart": .list(command)],
            on: victim.identity
        )
        #expect(trial.plan.changes[0].contains("rollback runs /bin/sleep 64."))
        try await trial.inject()
        let seen = try await trial.revert().seen
        let back = try Self.running(arguments)
        #expect(back.count == 1 && seen == "back as process \(back.first?.pid ?? 0)")
        #expect(back.first.map { $0.pid != victim.pid && $0.startTime >= start } == true)
        // A second rollback, as after a crash in between, finds it there.
        try await trial.revert()
        #expect(try Self.running(arguments) == back)
        for process in back { _ = try LinuxProcesses().signal(process, SIGKILL) }
    }

    private static func running(_ arguments: [String]) throws -> [ProcessIdentity] {
        let processes = LinuxProcesses()
        return try processes.pids().compactMap { try processes.snapshot(pid: $0) }
            .filter { $0.arguments == arguments && $0.state != "Z" }.map(\.identity)
    }

    @Test
    func `no supervisor is found out in time`() async throws {
        let victim = try Victim(["/bin/sleep", "63.\(UInt16.random(in: .min ... .max))"])
        let trial = try await FaultTrial(
            "process.kill",
            ["restart": "supervised", "restart_within": "200ms"],
            on: victim.identity
        )
        try await trial.inject()
        let error = await #expect(throws: FaultError.self) { try await trial.revert() }
        #expect(error?.description.contains("was not back 200ms after the rollback") == true)
    }
}
