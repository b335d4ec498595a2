// Leases end: at their deadline, when renewals stop, when the runner leaves, and in the order that was asked for.

import ChaosFaults
import ChaosModel
import ChaosSimulation
import Testing

struct LeaseTests {
    private let pause = SampleFault.pause.spec

    @Test
    func `a lease ends at its deadline and says so`() async throws {
        let machine = try await greeted(.pause)
        let before = machine.kernel.world
        _ = await machine.inject(pause, deadlineMs: 5000)
        await machine.clock.awaitSleepers(3)
        machine.clock.advance(by: .seconds(4))
        #expect(machine.kernel.world != before)
        machine.clock.advance(by: .seconds(1))
        try await machine.awaitEvents(2)
        #expect(machine.kernel.world.differences(from: before) == [])
        #expect(await machine.revertAll() == [])
    }

    @Test
    func `a duration shorter than the deadline ends the fault by itself`() async throws {
        let machine = try await greeted(.pause)
        var spec = pause
        spec.options["duration"] = "2s"
        _ = await machine.inject(spec, deadlineMs: 600_000)
        await machine.clock.awaitSleepers(3)
        machine.clock.advance(by: .seconds(2))
        try await machine.awaitEvents(2)
        let areExpiries = machine.events.withLock { $0.allSatisfy(\.isExpiry) }
        #expect(areExpiries)
    }

    @Test
    func `everything is reverted when renewals stop for a term`() async throws {
        let machine = try await greeted(.pause, termMs: 3000)
        let before = machine.kernel.world
        _ = await machine.inject(pause)
        await machine.clock.awaitSleepers(3)
        machine.clock.advance(by: .seconds(2))
        _ = await machine.agent.answer(.renew)
        machine.clock.advance(by: .seconds(2))
        #expect(machine.kernel.world != before, "a renewal keeps the lease alive")
        await machine.clock.awaitSleepers(3)
        machine.clock.advance(by: .seconds(3))
        try await machine.awaitEvents(1)
        guard case .orphaned(let reverts) = machine.events.withLock({ $0[0] }) else {
            Issue.record("not orphaned")
            return
        }
        #expect(reverts.count == 2)
        #expect(machine.kernel.world.differences(from: before) == [])
        #expect(machine.journals.open.isEmpty)
        #expect(await machine.inject(pause).isFailure, "an agent that leaves takes no faults")
    }

    @Test
    func `a partly failed injection is undone and says why`() async throws {
        var wasPartly = false
        for number in 1..<60 {
            let machine = try await greeted(.pause)
            let before = machine.kernel.world
            machine.kernel.fail(call: number, .before)
            guard case .failed(let failure) = await machine.inject(pause) else { continue }
            // The first process was stopped before the second one's step failed.
            wasPartly = wasPartly || machine.kernel.calls.filter { $0 == "signal" }.count >= 2
            #expect(failure.message.hasPrefix("process.pause: "), "\(failure)")
            #expect(machine.kernel.world.differences(from: before) == [])
        }
        #expect(wasPartly)
    }

    @Test
    func `leave reverts everything and closes the journal`() async throws {
        let machine = try await greeted(.partition)
        let before = machine.kernel.world
        _ = await machine.inject(SampleFault.partition.spec)
        guard case .reverted(let records) = await machine.agent.answer(.leave) else {
            Issue.record("no answer")
            return
        }
        #expect(records.map(\.outcome) == [.reverted])
        #expect(records[0].effect?.hit == true)
        #expect(machine.kernel.world.differences(from: before) == [])
        let closed = try #require(machine.journals.closed["run-1"])
        let kinds = try closed.map { try WireJSON.value(JournalEntry.self, from: $0).entry }
        #expect(kinds == [.opened, .granted, .injected, .reverted, .closed])
    }

    @Test
    func `what has ended meanwhile is gone, not a failure`() async throws {
        let machine = try await greeted(.pause)
        _ = await machine.inject(pause)
        machine.kernel.change { world in
            for pid in world.processes.keys where world.processes[pid]?.name == "shop" {
                world.processes[pid] = nil
            }
        }
        #expect(await machine.revertAll().map(\.outcome) == [.gone, .gone])
    }

    @Test
    func `a pid that another process took over is not touched`() async throws {
        let machine = try await greeted(.pause)
        _ = await machine.inject(pause)
        machine.kernel.change { world in
            for pid in world.processes.keys where world.processes[pid]?.name == "shop" {
                world.processes[pid] = nil
                world.add(pid: pid, name: "innocent")
                world.processes[pid]?.state = "T"
            }
        }
        let before = machine.kernel.world
        #expect(await machine.revertAll().map(\.outcome) == [.gone, .gone])
        #expect(machine.kernel.world == before)
    }

    @Test(arguments: [1, 42, 7])
    func `pid 1, the agent and kernel threads are never hit`(_ pid: Int) async throws {
        let machine = try await greeted(.pause)
        machine.kernel.change { world in
            world.add(pid: 7, name: "kworker", isKernelThread: true)
        }
        let selector = TargetSelector(kind: .process, options: ["pid": .number(Double(pid))])
        let reply = await machine.inject(
            FaultSpec(fault: "process.pause", target: selector, options: [:])
        )
        guard case .failed(let failure) = reply else {
            Issue.record("not refused")
            return
        }
        #expect(failure.kind == .definition)
        #expect(failure.message.contains("is protected"))
    }

    @Test
    func `moonquake is no target by name either, of this run or another`() async throws {
        let machine = try await greeted(.pause)
        let before = machine.kernel.world
        machine.kernel.change { world in world.add(name: "moonquake") }
        let after = machine.kernel.world
        let selector = TargetSelector(kind: .process, options: ["name": "moonquake"])
        let spec = FaultSpec(fault: "process.pause", target: selector, options: [:])
        guard case .failed(let failure) = await machine.inject(spec) else {
            Issue.record("not refused")
            return
        }
        #expect(failure.message.contains("matches only what is protected"), "\(failure)")
        #expect(machine.kernel.world == after)
        #expect(after != before)
    }

    @Test
    func `a journal of an earlier boot touches nothing that ended with it`() async throws {
        let machine = try await greeted(.partitionJournaled)
        _ = await machine.inject(SampleFault.partitionJournaled.spec)
        machine.kernel.reboot()
        let calls = machine.kernel.calls.count
        let records = try await machine.dieAndRecover()
        #expect(records.map(\.revert.outcome) == [.gone])
        #expect(machine.kernel.calls.count == calls, "nothing was asked of the kernel")
    }

    @Test
    func `the next agent puts back what the last one left, and never replays it`() async throws {
        let first = try await greeted(.partitionJournaled)
        let before = first.kernel.world
        _ = await first.inject(SampleFault.partitionJournaled.spec)
        first.kernel.restartAgent()
        first.journals.agentDied()
        let second = SimulatedAgent(run: "run-2", kernel: first.kernel, journals: first.journals)
        guard case .hello(let hello) = await second.greet() else {
            Issue.record("no greeting")
            return
        }
        #expect(hello.leftovers.map(\.run) == ["run-1"])
        #expect(second.kernel.world.differences(from: before) == [])
    }

    @Test
    func `nothing is made when the undo cannot be written`() async throws {
        let machine = try await greeted(.pause)
        let before = machine.kernel.world
        machine.journals.fail(append: 2)
        #expect(await machine.inject(pause).isFailure)
        #expect(machine.kernel.world == before)
        #expect(!machine.kernel.calls.contains("signal"))
    }

    /// A fault that changes a value, and another that would change it again.
    private static let changes:
        [(SampleFault, [String: ParameterValue], [String: ParameterValue])] = [
            (.cpuLimit, ["quota": "40%"], ["quota": "20%"]),
            (.cpuLimitV1, ["quota": "40%"], ["quota": "20%"]),
            (.memoryLimit, ["limit": "64MiB"], ["limit": "32MiB"]),
            (.fdExhaust, ["share": "50%"], ["share": "100%"]),
            (.limitedTransfers, ["limit_read": "2MB/s"], ["limit_read": "1MB/s"]),
        ]

    @Test(arguments: changes)
    func `a value that a fault has changed is not changed again until it is back`(
        _ sample: SampleFault,
        _ options: [String: ParameterValue],
        _ again: [String: ParameterValue]
    ) async throws {
        let machine = try await greeted(sample)
        let before = machine.kernel.world
        var (first, second) = (sample.spec, sample.spec)
        first.options.merge(options) { $1 }
        second.options.merge(again) { $1 }
        guard case .injected = await machine.inject(first) else {
            Issue.record("not injected")
            return
        }
        guard case .failed(let failure) = await machine.inject(second) else {
            Issue.record("not refused")
            return
        }
        #expect(failure.kind == .definition)
        #expect(failure.message.contains("of this run already: roll that back first"), "\(failure)")
        #expect(await machine.revertAll().allSatisfy { $0.outcome == .reverted })
        #expect(machine.kernel.world.differences(from: before) == [])
        guard case .injected = await machine.inject(second) else {
            Issue.record("not injected once it was back")
            return
        }
        _ = await machine.revertAll()
        #expect(machine.kernel.world.differences(from: before) == [])
    }

    @Test
    func `two loads that change no value go side by side`() async throws {
        let machine = try await greeted(.limitedTransfers)
        var spec = SampleFault.limitedTransfers.spec
        for name in ["limit_read", "limit_write"] { spec.options[name] = nil }
        for _ in 0..<2 {
            guard case .injected = await machine.inject(spec) else {
                Issue.record("not injected")
                return
            }
        }
        #expect(machine.kernel.world.loads.count == 2)
        _ = await machine.revertAll()
    }

    private func greeted(_ sample: SampleFault, termMs: Double = 1e9) async throws -> SimulatedAgent
    {
        let machine = SimulatedAgent()
        sample.prepare(machine.kernel)
        guard case .hello = await machine.greet(termMs: termMs) else {
            throw AgentFailure(.protocol, "no greeting")
        }
        return machine
    }
}

extension AgentReply {
    var isFailure: Bool {
        if case .failed = self { true } else { false }
    }
}

extension AgentEvent {
    fileprivate var isExpiry: Bool {
        if case .expired = self { true } else { false }
    }
}

extension SimulatedTime {
    /// Waits until so many are asleep: the agent's clocks are set by tasks of their own.
    func awaitSleepers(_ count: Int) async {
        for _ in 0..<100_000 where sleepers < count { await Task.yield() }
    }
}

extension SimulatedAgent {
    /// Waits until so many events were told.
    func awaitEvents(_ count: Int) async throws {
        for _ in 0..<100_000 where events.withLock({ $0.count }) < count { await Task.yield() }
        let told = events.withLock { $0.count }
        try #require(told >= count)
    }
}
