// The agent's journal: entries to lines, in the order that safety asks for.
//
// Room for the entries that end a lease is set aside before the lease is granted, so that a fault which fills
// the disk can still be put back and written down.

import ChaosModel

/// A lease on one target, on its way into the journal.
struct GrantedLease: Sendable {
    let lease: LeaseID
    let target: Target
    let plan: FaultPlan<AnyUndo>
}

/// The journal of one agent.
final class Journal: Sendable {
    private let file: any JournalFile
    private let time: any TimePort

    /// Room for the `injected`, `reverted` and `closed` lines of one lease.
    private static let roomForTheRest = 4096

    /// Begins the journal of a run.
    init(
        run: String,
        version: String,
        in store: any JournalStore,
        on kernel: Kernel
    ) throws(JournalError) {
        time = kernel.time
        file = try store.create(run: run)
        var entry = JournalEntry(.opened, at: time.secondsSince1970)
        entry.run = run
        entry.version = version
        entry.bootID = try? kernel.host.bootID()
        entry.agent = kernel.host.ancestry().first.flatMap { pid in
            (try? kernel.processes.snapshot(pid: pid))?.identity
        }
        try file.reserve(Self.roomForTheRest * 2)
        try append(entry)
    }

    /// Goes on in a journal that a dead agent left.
    init(continuing file: any JournalFile, on kernel: Kernel) {
        self.file = file
        time = kernel.time
    }

    /// Writes down how a fault is put back on each of its targets, before it is made on any.
    func grant(_ leases: [GrantedLease], fault: FaultDescriptor) throws(JournalError) {
        let at = time.secondsSince1970
        var lines: [String] = []
        for granted in leases {
            var entry = JournalEntry(.granted, at: at, lease: granted.lease)
            entry.fault = fault.name
            entry.target = granted.target
            entry.undo = granted.plan.undo
            entry.heldBy = granted.plan.holder
            entry.survivesReboot = fault.survivesReboot
            lines.append(try Self.line(entry))
        }
        let bytes = lines.reduce(0) { $0 + $1.utf8.count + 1 }
        try file.reserve(bytes + Self.roomForTheRest * lines.count)
        try file.append(lines)
    }

    func injected(_ leases: [LeaseRecord]) throws(JournalError) {
        let at = time.secondsSince1970
        var lines: [String] = []
        for made in leases {
            let entry = JournalEntry(.injected, at: at, lease: made.lease, seen: made.effect.seen)
            lines.append(try Self.line(entry))
        }
        try file.append(lines)
    }

    func reverted(_ lease: LeaseID, outcome: RevertOutcome, seen: String) throws(JournalError) {
        let kind = outcome == .leaked ? JournalEntry.Kind.revertFailed : .reverted
        var entry = JournalEntry(kind, at: time.secondsSince1970, lease: lease, seen: seen)
        entry.outcome = outcome
        try append(entry)
    }

    /// Ends the journal; only when no lease is open.
    func close() throws(JournalError) {
        try append(JournalEntry(.closed, at: time.secondsSince1970))
        try file.close()
    }

    private func append(_ entry: JournalEntry) throws(JournalError) {
        try file.append([try Self.line(entry)])
    }

    private static func line(_ entry: JournalEntry) throws(JournalError) -> String {
        do {
            return try WireJSON.line(entry)
        } catch {
            throw JournalError("a journal entry cannot be written as JSON: \(error)")
        }
    }
}

/// What a journal says is still open.
struct JournalState {
    private(set) var run = "?"
    private(set) var bootID: String?
    /// The open leases, oldest first.
    private(set) var open: [JournalEntry] = []
    /// The leases that were put back, in that order.
    private(set) var reverted: [RevertRecord] = []

    /// The first line that cannot be read; the last may be torn, and is none.
    private(set) var problem: JournalError?

    /// Reads lines, those that can be.
    init(lines: [String]) {
        for (index, line) in lines.enumerated() {
            guard let entry = try? WireJSON.value(JournalEntry.self, from: line) else {
                guard index < lines.count - 1, problem == nil else { continue }
                problem = JournalError(
                    "line \(index + 1) of a journal cannot be read: \(line.escapedForDisplay)"
                )
                continue
            }
            apply(entry)
        }
    }

    private mutating func apply(_ entry: JournalEntry) {
        switch entry.entry {
        case .opened:
            run = entry.run ?? run
            bootID = entry.bootID
        case .granted: open.append(entry)
        case .reverted:
            guard let index = open.firstIndex(where: { $0.lease == entry.lease }) else { break }
            note(entry, of: open.remove(at: index))
        case .injected, .revertFailed, .closed: break
        }
    }

    private mutating func note(_ entry: JournalEntry, of grant: JournalEntry) {
        guard let lease = grant.lease, let fault = grant.fault, let target = grant.target else {
            return
        }
        reverted.append(
            RevertRecord(
                lease: lease,
                fault: fault,
                target: target,
                outcome: entry.outcome ?? .reverted,
                effect: nil,
                seen: entry.seen ?? "",
                tookMs: 0
            )
        )
    }
}
