// The journal's entries and the port to where it is kept.
//
// The journal is the agent's: one JSON line per step of a lease, written and synced before the step's effect.
// Everything in it is in the past tense; what a line says has happened or is about to, and never less.

/// One line of a journal.
package struct JournalEntry: Sendable, Codable {
    /// What a line can say.
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The journal began: whose it is.
        case opened
        /// A lease was granted; its effect may follow at any moment.
        case granted
        /// The effect was made and verified.
        case injected
        /// The lease was put back, or its target is gone.
        case reverted
        /// Putting back failed; the lease stays open.
        case revertFailed = "revert_failed"
        /// Nothing is open any more.
        case closed
    }

    /// What the line says.
    package var entry: Kind
    /// Seconds since 1970, UTC.
    package var at: Double
    /// `opened`: the run.
    package var run: String?
    /// `opened`: the boot of the host, by which a later reader knows what a reboot has ended.
    package var bootID: String?
    /// `opened`: the agent.
    package var agent: ProcessIdentity?
    /// `opened`: the program's version.
    package var version: String?
    /// The lease, for all entries of one.
    package var lease: LeaseID?
    /// `granted`: the fault.
    package var fault: String?
    /// `granted`: the target.
    package var target: Target?
    /// `granted`: how to put it back.
    package var undo: AnyUndo?
    /// `granted`: what holds it.
    package var heldBy: Holder?
    /// `granted`: whether its effect survives a reboot.
    package var survivesReboot: Bool?
    /// `reverted`: how it ended.
    package var outcome: RevertOutcome?
    /// What was seen, in words.
    package var seen: String?

    /// Makes an entry; the rest is filled in by its kind.
    package init(_ entry: Kind, at: Double, lease: LeaseID? = nil, seen: String? = nil) {
        self.entry = entry
        self.at = at
        self.lease = lease
        self.seen = seen
    }
}

/// Why a journal could not be written or read.
package struct JournalError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Whether it is a matter of rights.
    package var isPermission: Bool
    /// What failed, on which file, and why.
    package var description: String

    /// Makes an error.
    package init(_ description: String, isPermission: Bool = false) {
        self.description = description
        self.isPermission = isPermission
    }
}

/// A journal that is open for writing; no other process can open it meanwhile.
package protocol JournalFile: AnyObject, Sendable {
    /// The lines that are in it, a torn last one left out.
    func lines() throws(JournalError) -> [String]

    /// Sets room aside, so that `bytes` more can be written even on a full disk.
    func reserve(_ bytes: Int) throws(JournalError)

    /// Appends lines and returns once they are on disk.
    ///
    /// Where it fails, or the machine, lines may be there up to any of them, and of that one a part.
    func append(_ lines: [String]) throws(JournalError)

    /// Moves the journal to the closed ones: nothing in it is open any more.
    func close() throws(JournalError)
}

/// Where journals are kept.
package protocol JournalStore: Sendable {
    /// Makes the journal of a run.
    func create(run: String) throws(JournalError) -> any JournalFile

    /// Opens the journals of agents that are gone, oldest first.
    func orphans() throws(JournalError) -> [any JournalFile]

    /// The lines of the closed journals of a run, one list for each.
    func closedLines(of run: String) throws(JournalError) -> [[String]]

    /// The folder that they are below, which faults must leave writable; nil when they are no files.
    var folder: String? { get }
}

extension JournalStore {
    package var folder: String? { nil }
}
