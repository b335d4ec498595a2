// Walks without end, as far as time allows: MOONQUAKE_SIMULATE=SECONDS walks longer, MOONQUAKE_SEED=N repeats one.

import ChaosFaults
import ChaosModel
import ChaosSimulation
import Foundation
import Testing

@Suite(.serialized)
struct WalkTests {
    private static func variable(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// The seeds of this run: one that was given, or fresh ones for as long as there is time.
    @Test
    func `random walks keep every promise`() async throws {
        if let seed = Self.variable("MOONQUAKE_SEED") { return try await Walk(seed: seed).run() }
        let seconds = Self.variable("MOONQUAKE_SIMULATE") ?? 12
        let deadline = ContinuousClock.now + .seconds(seconds)
        // The first hundred are the same each time, so that a change that breaks one is found at once.
        var seed: UInt64 = 1
        var walks = 0
        while ContinuousClock.now < deadline || walks < 100 {
            try await Walk(seed: seed).run()
            walks += 1
            seed = walks < 100 ? seed + 1 : .random(in: 1_000 ... .max)
        }
        print("\(walks) random walks in \(seconds) s")
    }

    /// Walks with a broken part until a promise is broken, and says which.
    private func firstBroken(_ parts: WalkParts) async throws -> Violation? {
        for seed in 1...400 as ClosedRange<UInt64> {
            do {
                try await Walk(seed: seed, parts: parts).run()
            } catch let violation as Violation {
                return violation
            }
        }
        return nil
    }

    @Test
    func `a journal that forgets what it was told is found`() async throws {
        var parts = WalkParts(store: { ForgetfulStore(kept: $0) })
        // What the kernel holds ends with the agent, whatever is on disk.
        parts.samples = [SampleFault.pause.spec, SampleFault.fdExhaust.spec]
        let found = try #require(try await firstBroken(parts))
        #expect(found.promise.hasPrefix("no effect without an undo on disk"), "\(found)")
        #expect(found.description.contains("MOONQUAKE_SEED=\(found.seed) swift test"))
    }

    @Test
    func `a clock that wakes nobody is found`() async throws {
        let found = try await firstBroken(WalkParts(clock: { DeafClock(clock: $0) }))
        #expect(found?.promise == "no lease is past its deadline", "\(found as Any)")
    }

    @Test
    func `a fault that lies about its revert is found`() async throws {
        let types = FaultCatalogue.all.types.filter { $0.descriptor.name != "process.pause" }
        var parts = WalkParts(catalogue: FaultCatalogue(types + [FaultType(LyingPause.self)]))
        parts.samples = [SampleFault.pause.spec, SampleFault.partition.spec]
        let found = try await firstBroken(parts)
        #expect(found != nil)
    }

    @Test
    func `a rollback that is not newest first is found`() {
        var ledger = WalkLedger()
        let leases = ["1", "2", "3"].map { LeaseID($0) }
        for lease in leases { ledger.grant(lease, until: Instant(nanoseconds: 0)) }
        func records(_ order: [LeaseID]) -> [RevertRecord] {
            order.map { lease in
                RevertRecord(
                    lease: lease,
                    fault: "noop",
                    target: .host,
                    outcome: .reverted,
                    effect: nil,
                    seen: "",
                    tookMs: 0
                )
            }
        }
        ledger.revertedTogether = records(leases.reversed())
        #expect(ledger.checkOrder() == nil)
        ledger.revertedTogether = records([leases[2], leases[0], leases[1]])
        #expect(ledger.checkOrder() == "[3, 1, 2]")
    }
}

/// Journals that do not keep how a fault is put back.
private struct ForgetfulStore: JournalStore {
    let kept: SimulatedJournals

    private final class File: JournalFile {
        let file: any JournalFile
        init(_ file: any JournalFile) { self.file = file }
        func lines() throws(JournalError) -> [String] { try file.lines() }
        func reserve(_ bytes: Int) throws(JournalError) { try file.reserve(bytes) }
        func append(_ lines: [String]) throws(JournalError) {
            try file.append(lines.filter { !$0.contains("\"granted\"") })
        }
        func close() throws(JournalError) { try file.close() }
    }

    func create(run: String) throws(JournalError) -> any JournalFile {
        File(try kept.create(run: run))
    }

    func orphans() throws(JournalError) -> [any JournalFile] { try kept.orphans() }

    func closedLines(of run: String) throws(JournalError) -> [[String]] {
        try kept.closedLines(of: run)
    }
}

/// A clock whose sleepers sleep on.
private struct DeafClock: TimePort {
    let clock: SimulatedTime

    var now: Instant { clock.now }
    var secondsSince1970: Double { clock.secondsSince1970 }

    func sleep(until instant: Instant) async throws {
        try await clock.sleep(until: Instant(nanoseconds: .max))
    }
}

/// `process.pause`, which puts nothing back and says that it did.
private struct LyingPause: Fault {
    static let descriptor = ProcessPause.descriptor
    let pause: ProcessPause

    init(_ parameters: Parameters) throws(DefinitionError) { pause = try ProcessPause(parameters) }

    func plan(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> FaultPlan<ProcessPause.Undo> {
        try await pause.plan(target, in: context, on: kernel)
    }

    func inject(_ undo: ProcessPause.Undo, on kernel: Kernel) async throws(FaultError) {
        try await pause.inject(undo, on: kernel)
    }

    func verify(_ undo: ProcessPause.Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try await pause.verify(undo, on: kernel)
    }

    static func touches(_ undo: ProcessPause.Undo) -> [StatePart] { ProcessPause.touches(undo) }

    static func effect(
        _ undo: ProcessPause.Undo,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect { Effect("stopped") }

    static func revert(_ undo: ProcessPause.Undo, on kernel: Kernel) async throws(FaultError) {}

    static func verifyReverted(
        _ undo: ProcessPause.Undo,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect { Effect("runs") }
}
