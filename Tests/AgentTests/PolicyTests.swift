// The policy and the locks, where they are enforced: the runner's word counts for nothing.

import ChaosFaults
import ChaosModel
import ChaosSimulation
import Synchronization
import Testing

@Suite
struct `The agent and the policy` {
    private let pause = SampleFault.pause.spec

    private func agent(
        _ options: [String: ParameterValue],
        with user: Policy? = nil
    ) async throws -> SimulatedAgent {
        let policy = try Policy(options, from: "/etc/moonquake/policy.json")
        let machine = SimulatedAgent(policy: { () throws(DefinitionError) in policy })
        SampleFault.pause.prepare(machine.kernel)
        _ = await machine.greet(policy: user)
        return machine
    }

    private func refusal(_ reply: AgentReply) -> String? {
        if case .failed(let failure) = reply { failure.message } else { nil }
    }

    static let refused: [([String: ParameterValue], String)] = [
        (
            ["forbid_faults": "process.*"],
            "process.pause: the policy forbids process.* (/etc/moonquake/policy.json)"
        ),
        (
            ["allow_faults": ["network.*", "noop"]],
            "process.pause: the policy allows only network.*, noop (/etc/moonquake/policy.json)"
        ),
        (
            ["max_targets": 1],
            "process.pause: would hit 2 targets at once, over the policy's max_targets "
                + "(1, /etc/moonquake/policy.json)"
        ),
        (
            ["max_target_share": "50%"],
            "process.pause: would hit 2 of 2 matching targets, over the policy's max_target_share "
                + "(50%, which is 1; /etc/moonquake/policy.json)"
        ),
    ]

    @Test(arguments: refused)
    func `what the policy does not allow is refused at the plan, with where it is said`(
        _ options: [String: ParameterValue],
        _ message: String
    ) async throws {
        let machine = try await agent(options)
        let before = machine.kernel.world
        #expect(refusal(await machine.inject(pause)) == message)
        #expect(machine.kernel.world == before)
    }

    @Test(arguments: refused)
    func `a runner that injects without a plan is refused all the same`(
        _ options: [String: ParameterValue],
        _ message: String
    ) async throws {
        let machine = try await agent(options)
        let before = machine.kernel.world
        let targets = machine.kernel.world.processes.filter { $0.value.name == "shop" }.map {
            pid,
            process in
            Target.process(
                name: "shop",
                ProcessIdentity(pid: pid, startTime: process.startTime)
            )
        }
        #expect(targets.count == 2)
        let call = AgentCall.InjectCall(spec: pause, targets: targets, deadlineMs: 1000)
        #expect(refusal(await machine.agent.answer(.inject(call))) == message)
        #expect(machine.kernel.world == before)
    }

    @Test
    func `targets that the selector does not match are refused`() async throws {
        let machine = try await agent([:])
        let other = machine.kernel.change { $0.add(name: "other") }
        let target = Target.process(name: "shop", other)
        let call = AgentCall.InjectCall(spec: pause, targets: [target], deadlineMs: 1000)
        let before = machine.kernel.world
        let message = refusal(await machine.agent.answer(.inject(call)))
        #expect(message?.contains("is not there any more, or not what") == true)
        #expect(machine.kernel.world == before)
    }

    @Test
    func `what took a pid over between plan and injection is never touched`() async throws {
        let machine = try await agent([:])
        let plan = await machine.agent.answer(
            .plan(AgentCall.PlanCall(spec: pause, limit: SelectionLimit(count: 1), seed: 1))
        )
        guard case .plan(let planned) = plan, let target = planned.targets.first?.target,
            let pid = target.process?.pid
        else {
            Issue.record("\(plan)")
            return
        }
        machine.kernel.change { world in
            world.processes[pid] = nil
            world.add(pid: pid, name: "shop")
        }
        let before = machine.kernel.world
        let call = AgentCall.InjectCall(spec: pause, targets: [target], deadlineMs: 1000)
        #expect(refusal(await machine.agent.answer(.inject(call))) != nil)
        #expect(machine.kernel.world == before)
    }

    @Test
    func `a process of a forbidden container or unit is refused however it is named`() async throws
    {
        let machine = try await agent(["forbid_targets": ["container:db*", "systemd:ssh.service"]])
        let (database, ssh) = machine.kernel.change { world in
            (
                world.addContainer("db-1", id: "dddddddd1111", namespace: 90),
                world.add(name: "sshd", group: "/system.slice/ssh.service")
            )
        }
        for pid in [database.pid, ssh.pid] {
            let selector = TargetSelector(kind: .process, options: ["pid": .number(Double(pid))])
            let spec = FaultSpec(fault: "process.pause", target: selector, options: [:])
            let message = refusal(await machine.inject(spec))
            #expect(message?.contains("is forbidden: it is") == true, "\(message ?? "not refused")")
        }
        let network = FaultSpec(
            fault: "network.latency",
            target: TargetSelector(
                kind: .process,
                options: ["pid": .number(Double(database.pid))]
            ),
            options: ["delay": "10ms"]
        )
        #expect(refusal(await machine.inject(network))?.contains("container db-1") == true)
    }

    @Test
    func `of each limit the strictest counts, whoever set it`() async throws {
        let user = try Policy(["max_targets": 1, "max_faults": 9], from: "--limit")
        let machine = try await agent(["max_targets": 5, "max_faults": 2], with: user)
        let message = refusal(await machine.inject(pause))
        #expect(message?.contains("max_targets (1, --limit)") == true, "\(message ?? "")")
    }

    @Test
    func `faults at once are counted by their injections`() async throws {
        let machine = try await agent(["max_faults": 1])
        #expect(refusal(await machine.inject(pause)) == nil)
        let second = refusal(await machine.inject(SampleFault.noop.spec))
        #expect(second?.contains("would be fault 2 at once") == true, "\(second ?? "")")
        _ = await machine.revertAll()
        #expect(refusal(await machine.inject(SampleFault.noop.spec)) == nil)
    }

    @Test
    func `a policy that cannot be read refuses every run`() async {
        let machine = SimulatedAgent(policy: { () throws(DefinitionError) in
            throw DefinitionError("policy /etc/moonquake/policy.json", "cannot be read")
        })
        let message = refusal(await machine.greet())
        #expect(message == "policy /etc/moonquake/policy.json: cannot be read")
        #expect(refusal(await machine.inject(pause)) != nil)
    }

    @Test
    func `a policy that changes while a fault is on ends it`() async throws {
        let current = Mutex(Policy())
        let machine = SimulatedAgent(policy: { () throws(DefinitionError) in
            current.withLock { $0 }
        })
        SampleFault.pause.prepare(machine.kernel)
        _ = await machine.greet()
        let before = machine.kernel.world
        #expect(refusal(await machine.inject(pause)) == nil)
        _ = await machine.agent.answer(.renew)
        let strict = try Policy(["forbid_faults": "process.pause"], from: "/etc/policy.json")
        current.withLock { $0 = strict }
        _ = await machine.agent.answer(.renew)
        try await machine.awaitEvents(1)
        let first = machine.events.withLock { $0.first }
        guard case .violated(let reason, let reverts) = first else {
            Issue.record("\(String(describing: first))")
            return
        }
        #expect(reason == "process.pause: the policy forbids process.pause (/etc/policy.json)")
        #expect(reverts.count == 2)
        #expect(machine.kernel.world.differences(from: before) == [])
    }

    @Test
    func `two runs never hold one target at once, and the refusal names the other`() async throws {
        let kernel = SimulatedKernel()
        SampleFault.pause.prepare(kernel)
        let locks = SharedLocks()
        let first = SimulatedAgent(run: "run-1", kernel: kernel, locks: locks.of("run-1"))
        let second = SimulatedAgent(run: "run-2", kernel: kernel, locks: locks.of("run-2"))
        _ = await first.greet()
        _ = await second.greet()
        var one = pause
        one.target.options["count"] = 1
        #expect(refusal(await first.inject(one)) == nil)
        let message = refusal(await second.inject(SampleFault.noop.spec))
        #expect(message?.contains("is held by run run-1: two runs never hit one target") == true)
        _ = await first.revertAll()
        #expect(refusal(await second.inject(SampleFault.noop.spec)) == nil)
    }
}

/// Locks that several agents of one process share.
private final class SharedLocks: Sendable {
    private let held = Mutex<[TargetIdentity: [String]]>([:])

    func of(_ run: String) -> any TargetLocks { Own(run: run, all: self) }

    private struct Own: TargetLocks {
        let run: String
        let all: SharedLocks

        func take(_ target: TargetIdentity, for run: String) throws(KernelError) -> String? {
            all.held.withLock { held in
                if let holder = held[target]?.first, holder != run { return "run \(holder)" }
                held[target, default: []].append(run)
                return nil
            }
        }

        func release(_ target: TargetIdentity) {
            all.held.withLock { held in
                guard held[target]?.first == run else { return }
                held[target]?.removeLast()
                if held[target]?.isEmpty == true { held[target] = nil }
            }
        }
    }
}
