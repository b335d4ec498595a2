// What a walk knows of its leases without asking the agent.

import ChaosModel

/// The leases of one agent, as the walk was told of them.
struct WalkLedger {
    /// In the order in which they were granted.
    private(set) var granted: [LeaseID] = []
    private var due: [LeaseID: Instant] = [:]
    /// The leases that were named as not put back.
    private(set) var named: Set<LeaseID> = []
    /// Whether a refusal said that something is left.
    var hasNamedLeak = false
    /// The records of the last rollback of everything.
    var revertedTogether: [RevertRecord] = []
    var termMs = 0.0
    /// When the agent last heard of its runner.
    var contactAt = Instant(nanoseconds: 0)

    mutating func grant(_ lease: LeaseID, until instant: Instant) {
        granted.append(lease)
        due[lease] = instant
    }

    mutating func note(_ records: [RevertRecord]) {
        for record in records where record.outcome == .leaked { named.insert(record.lease) }
    }

    mutating func note(_ event: AgentEvent) {
        switch event {
        case .expired(let record): note([record])
        case .orphaned(let records), .aborted(_, let records), .violated(_, let records):
            note(records)
        case .targetGone, .noted, .endedEarly: break
        }
    }

    func isDue(_ lease: LeaseID, at now: Instant) -> Bool {
        termIsOver(at: now) || due[lease].map { $0 <= now } == true
    }

    func termIsOver(at now: Instant) -> Bool {
        now.since(contactAt).inMilliseconds >= termMs
    }

    /// What of the last rollback was not newest first; nil when it was.
    mutating func checkOrder() -> String? {
        defer { revertedTogether = [] }
        let order = revertedTogether.compactMap { granted.firstIndex(of: $0.lease) }
        return order == order.sorted(by: >) ? nil : "\(revertedTogether.map(\.lease))"
    }
}

/// Reads an open journal again and again, each line once.
struct JournalReader {
    private var read: [String] = []
    private var summary = JournalSummary([])

    /// What its lines say, of which those that were read before have not changed.
    mutating func callAsFunction(_ lines: [String]) -> JournalSummary {
        guard lines.count >= read.count, lines.prefix(read.count).elementsEqual(read) else {
            (read, summary) = (lines, JournalSummary(lines))
            return summary
        }
        summary.read(lines[read.count...])
        read = lines
        return summary
    }
}

/// What the lines of an open journal say.
struct JournalSummary {
    var open: Set<LeaseID> = []
    /// Those whose revert failed.
    var failed: Set<LeaseID> = []

    init(_ lines: [String]) { read(lines[...]) }

    mutating func read(_ lines: ArraySlice<String>) {
        for line in lines {
            // The last one may be torn.
            guard let entry = try? WireJSON.value(JournalEntry.self, from: line),
                let lease = entry.lease
            else { continue }
            switch entry.entry {
            case .granted: open.insert(lease)
            case .reverted:
                open.remove(lease)
                failed.remove(lease)
            case .revertFailed: failed.insert(lease)
            case .injected, .opened, .closed: break
            }
        }
    }
}
