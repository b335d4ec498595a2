// A random walk: faults made and put back, clocks moved, calls and appends that fail, agents that die in the middle, all
// of it from one seed. After every step the promises of the agent are checked; after every change of the machine, too,
// what would be left if everything died at that very moment.

import ChaosAgent
import ChaosFaults
import ChaosModel
import ChaosSimulation
import Synchronization

/// What a walk found to be broken.
struct Violation: Error, CustomStringConvertible {
    let seed: UInt64
    /// The promise that did not hold.
    let promise: String
    /// What was seen instead.
    let seen: String
    /// The steps up to there.
    let steps: [String]

    var description: String {
        """
        seed \(seed): \(promise)
          seen: \(seen)
          steps:
        \(steps.map { "    \($0)" }.joined(separator: "\n"))
          again: MOONQUAKE_SEED=\(seed) swift test --filter 'AgentTests.*random walks'
        """
    }
}

/// What a walk is made of, so that a test can put a broken part in.
struct WalkParts: Sendable {
    var catalogue = FaultCatalogue.all
    var store: @Sendable (SimulatedJournals) -> any JournalStore = { $0 }
    var clock: @Sendable (SimulatedTime) -> any TimePort = { $0 }
    /// The machine must have something that this test's faults can hit.
    var samples = WalkFaults.samples
}

/// One walk from one seed.
final class Walk {
    /// The machine at the moment of a change, with what was on disk then.
    private struct Moment: Sendable {
        var call: String
        var world: SimulatedWorld
        var journals: [String: [String]]
    }

    /// The moments of this step.
    private final class Moments: Sendable {
        private let all = Mutex<[Moment]>([])

        func append(_ moment: Moment) { all.withLock { $0.append(moment) } }

        /// All of them, which are forgotten then.
        @discardableResult
        func take() -> [Moment] {
            all.withLock { all in
                defer { all = [] }
                return all
            }
        }
    }

    private let seed: UInt64
    private let parts: WalkParts
    private var random: SeededGenerator
    private let kernel = SimulatedKernel()
    private let journals: SimulatedJournals
    private let moments = Moments()
    private var machine: SimulatedAgent
    /// The machine as it is without any fault.
    private var baseline: SimulatedWorld
    private var agents = 1
    private var ledger = WalkLedger()
    private var journal = JournalReader()
    private var steps: [String] = []
    /// The agent has died, or its disk is full: it cannot keep its promises until the next one has come.
    private var isBroken = false
    /// The agent has left, because it had not heard of its runner for a term.
    private var isOver = false

    init(seed: UInt64, parts: WalkParts = WalkParts()) {
        self.seed = seed
        self.parts = parts
        random = SeededGenerator(seed: seed)
        let kernel = kernel
        journals = SimulatedJournals(isDead: { kernel.isDead })
        WalkFaults.prepare(kernel, &random)
        baseline = kernel.world
        machine = Self.agent(1, kernel, journals, parts)
    }

    private static func agent(
        _ number: Int,
        _ kernel: SimulatedKernel,
        _ journals: SimulatedJournals,
        _ parts: WalkParts
    ) -> SimulatedAgent {
        let clock = SimulatedTime(advancesBySleeping: false)
        return SimulatedAgent(
            run: "walk-\(number)",
            kernel: kernel,
            journals: journals,
            store: parts.store(journals),
            catalogue: parts.catalogue,
            ownClock: clock,
            clock: parts.clock(clock)
        )
    }

    /// Walks; throws the first promise that does not hold.
    func run() async throws {
        let (journals, moments) = (journals, moments)
        kernel.watch { call, world in
            let open = journals.open
            moments.append(Moment(call: call, world: world, journals: open))
        }
        try await greet()
        for _ in 0..<Int.random(in: 4...12, using: &random) {
            try await step()
            try await check()
            if isBroken || isOver { try await restart() }
        }
        try await end()
    }

    // MARK: Steps

    private func step() async throws {
        armFailure()
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<5: try await inject()
        case 5, 6: await revertOne()
        case 7: await revertAll()
        case 8, 9: await advance()
        case 10: endTarget()
        default:
            steps.append("renew")
            _ = await machine.agent.answer(.renew)
            ledger.contactAt = machine.clock.now
        }
        await settle()
        kernel.fail(call: nil)
    }

    /// Makes something fail in this step, or not.
    private func armFailure() {
        let number = Int.random(in: 1...40, using: &random)
        let failure: SimulatedKernel.Failure = Bool.random(using: &random) ? .before : .after
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<4:
            steps.append("call \(number) from here fails \(failure)")
            kernel.fail(call: number, failure)
        case 4, 5:
            steps.append("the agent dies at call \(number) from here, \(failure)")
            kernel.die(at: number, failure)
            isBroken = true
        case 6:
            let torn = Bool.random(using: &random) ? Int.random(in: 0...200, using: &random) : nil
            let append = Int.random(in: 1...6, using: &random)
            steps.append("the disk is full at append \(append) from here, torn: \(torn ?? -1)")
            journals.fail(append: append, tornAfter: torn)
            isBroken = true
        default: break
        }
    }

    private func inject() async throws {
        let index = Int.random(in: 0..<parts.samples.count, using: &random)
        let spec = parts.samples[index]
        let deadline = Double(Int.random(in: 1...20, using: &random)) * 1000
        steps.append("inject \(spec.fault) on \(spec.target) until \(deadline)ms")
        let reply = await machine.inject(spec, deadlineMs: deadline)
        ledger.contactAt = machine.clock.now
        switch reply {
        case .injected(let leases):
            let due = machine.clock.now.advanced(by: .milliseconds(deadline))
            for lease in leases { ledger.grant(lease.lease, until: due) }
        case .failed(let failure):
            steps.append("  refused: \(failure.message)")
            if failure.kind == .leaked { ledger.hasNamedLeak = true }
        default: break
        }
    }

    private func revertOne() async {
        guard let lease = ledger.granted.randomElement(using: &random) else { return }
        steps.append("revert \(lease)")
        guard case .reverted(let records) = await machine.agent.answer(.revert([lease])) else {
            return
        }
        ledger.contactAt = machine.clock.now
        ledger.note(records)
    }

    private func revertAll() async {
        steps.append("revert all")
        ledger.revertedTogether = await machine.revertAll()
        ledger.contactAt = machine.clock.now
        ledger.note(ledger.revertedTogether)
    }

    private func advance() async {
        let span = Duration.milliseconds(Int.random(in: 100...30_000, using: &random))
        steps.append("\(span.spelled) pass")
        await armed()
        machine.clock.advance(by: span)
    }

    /// A process ends by itself, and what was done to it with it.
    private func endTarget() {
        let pids = baseline.processes.filter { $0.value.name == "shop" }.keys.sorted()
        guard let pid = pids.randomElement(using: &random) else { return }
        steps.append("process \(pid) ends by itself")
        kernel.change { world in
            world.processes[pid] = nil
            world.clocks[UInt64(pid)] = nil
        }
        baseline.processes[pid] = nil
        // What was seen before this moment is not compared with the machine after it.
        moments.take()
    }

    // MARK: The agent's life

    private func greet() async throws {
        let term = Double(Int.random(in: 5...60, using: &random)) * 1000
        steps.append("agent \(agents) is greeted, term \(term)ms")
        guard case .hello = await machine.greet(termMs: term) else {
            throw violation("an agent greets", "it does not")
        }
        ledger = WalkLedger()
        ledger.termMs = term
        ledger.contactAt = machine.clock.now
    }

    /// Agent and runner are gone at once; the next agent puts back what they left.
    private func restart() async throws {
        (isBroken, isOver) = (false, false)
        steps.append("agent \(agents) is gone")
        kernel.restartAgent()
        journals.agentDied()
        moments.take()
        agents += 1
        machine = Self.agent(agents, kernel, journals, parts)
        try await greet()
        try expectBaseline("the next agent puts back what the last one left")
    }

    private func end() async throws {
        steps.append("leave")
        _ = await machine.agent.answer(.leave)
        try await restart()
        guard journals.open.isEmpty else {
            throw violation("no journal stays open", "\(journals.open)")
        }
    }

    // MARK: Promises

    private func check() async throws {
        try await checkMoments()
        if let order = ledger.checkOrder() { throw violation("rollback is newest first", order) }
        guard !isBroken else { return }
        if let due = await overdue() {
            throw violation("no lease is past its deadline", "\(due) is")
        }
        let state = journal(journals.open["walk-\(agents)"] ?? [])
        for lease in state.failed where await !isNamed(lease) {
            throw violation("what is not restored is named", "\(lease) is not")
        }
        if state.open.isEmpty {
            try expectBaseline("nothing is left when no lease is open")
        }
    }

    /// What would be left if everything died at each moment of this step.
    private func checkMoments() async throws {
        for moment in moments.take().shuffled(using: &random).prefix(6) {
            let machine = SimulatedKernel()
            machine.change { $0 = moment.world }
            machine.restartAgent()
            let store = SimulatedJournals(left: moment.journals)
            let recovery = Recovery(
                kernel: machine.kernel,
                catalogue: parts.catalogue,
                store: store
            )
            let records = try await recovery.run()
            let left = machine.world.differences(from: baseline)
            guard left.isEmpty, records.allSatisfy({ $0.revert.outcome != .leaked }) else {
                throw violation(
                    "no effect without an undo on disk (all died after \(moment.call))",
                    "\(left), \(records.map(\.revert.seen))"
                )
            }
        }
    }

    private func expectBaseline(_ promise: String) throws {
        let left = kernel.world.differences(from: baseline)
        guard left.isEmpty else { throw violation(promise, "\(left)") }
    }

    /// A lease that is open although its time is over, waited for as long as tasks need to run.
    private func overdue() async -> LeaseID? {
        var late: LeaseID?
        for round in 0..<Self.patience {
            let state = journal(journals.open["walk-\(agents)"] ?? [])
            late = state.open.subtracting(state.failed).first {
                ledger.isDue($0, at: machine.clock.now)
            }
            guard late != nil else { return nil }
            await Self.pause(round)
        }
        return late
    }

    /// Waits until what was told of and what was waited for has been done.
    private func settle() async {
        isOver = ledger.termIsOver(at: machine.clock.now)
        guard !isBroken else { return }
        _ = await overdue()
        noteEvents()
    }

    private func noteEvents() {
        for event in machine.events.withLock({ $0 }) { ledger.note(event) }
    }

    /// Whether a lease whose revert failed is named: on disk that is known before it is told.
    private func isNamed(_ lease: LeaseID) async -> Bool {
        for round in 0..<Self.patience {
            if ledger.named.contains(lease) || ledger.hasNamedLeak { return true }
            await Self.pause(round)
            noteEvents()
        }
        return false
    }

    /// Waits until every clock that was set is set: their tasks begin when they can.
    private func armed() async {
        guard !isBroken else { return }
        let state = journal(journals.open["walk-\(agents)"] ?? [])
        let live = state.open.intersection(ledger.granted).subtracting(state.failed)
        let wanted = live.count + 1
        for round in 0..<Self.patience where machine.clock.sleepers < wanted {
            await Self.pause(round)
        }
    }

    private static let patience = 4000

    /// Lets others run: at first for a moment only.
    private static func pause(_ round: Int) async {
        if round < 500 { await Task.yield() } else { try? await Task.sleep(for: .milliseconds(1)) }
    }

    private func violation(_ promise: String, _ seen: String) -> Violation {
        Violation(seed: seed, promise: promise, seen: seen, steps: steps)
    }
}
