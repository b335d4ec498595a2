// Journals in memory, which can be torn in the last line, lose their disk, or outlive their agent.

package import ChaosModel
import Synchronization

/// Journals in memory.
package final class SimulatedJournals: JournalStore, Sendable {
    fileprivate struct State {
        var open: [String: [String]] = [:]
        var closed: [String: [String]] = [:]
        var held: Set<String> = []
        var appends = 0
        var failAt: Int?
        var tornBytes: Int?
        var torn: Set<String> = []
    }

    fileprivate let state = Mutex(State())

    fileprivate let isDead: @Sendable () -> Bool

    /// Makes an empty store.
    ///
    /// - Parameter isDead: Whether the agent that writes is dead, so that nothing it writes arrives.
    package init(isDead: @escaping @Sendable () -> Bool = { false }) { self.isDead = isDead }

    /// Makes a store with the journals that a dead agent left.
    package init(left open: [String: [String]]) {
        isDead = { false }
        state.withLock { $0.open = open }
    }

    /// The lines of the open journals, by run.
    package var open: [String: [String]] { state.withLock { $0.open } }

    /// The lines of the closed journals, by run.
    package var closed: [String: [String]] { state.withLock { $0.closed } }

    /// Makes the N-th append from now fail, counted from 1; with `tornAfter`, that many bytes of it stay.
    package func fail(append number: Int, tornAfter bytes: Int? = nil) {
        state.withLock {
            $0.failAt = $0.appends + number
            $0.tornBytes = bytes
        }
    }

    /// What happens to the locks when the agent dies.
    package func agentDied() {
        state.withLock {
            $0.held = []
            $0.failAt = nil
        }
    }

    package func create(run: String) throws(JournalError) -> any JournalFile {
        state.withLock {
            $0.open[run] = []
            $0.held.insert(run)
        }
        return SimulatedJournal(run: run, store: self)
    }

    package func closedLines(of run: String) throws(JournalError) -> [[String]] {
        closed[run].map { [$0] } ?? []
    }

    package func orphans() throws(JournalError) -> [any JournalFile] {
        let runs = state.withLock { state in
            let free = state.open.keys.filter { !state.held.contains($0) }.sorted()
            state.held.formUnion(free)
            for run in free where state.torn.remove(run) != nil { state.open[run]?.removeLast() }
            return free
        }
        return runs.map { SimulatedJournal(run: $0, store: self) }
    }
}

/// One journal in memory.
private final class SimulatedJournal: JournalFile {
    private let run: String
    private let store: SimulatedJournals

    init(run: String, store: SimulatedJournals) {
        self.run = run
        self.store = store
    }

    func lines() throws(JournalError) -> [String] {
        store.state.withLock { $0.open[run] ?? [] }
    }

    func reserve(_ bytes: Int) throws(JournalError) {}

    func append(_ lines: [String]) throws(JournalError) {
        for line in lines { try append(line) }
    }

    private func append(_ line: String) throws(JournalError) {
        let isDead = store.isDead()
        let failed = store.state.withLock { state in
            if isDead { return true }
            state.appends += 1
            let fails = state.failAt.map { state.appends >= $0 } ?? false
            if !fails {
                state.open[run, default: []].append(line)
            } else if let bytes = state.tornBytes, state.appends == state.failAt {
                state.open[run, default: []].append(String(line.prefix(bytes)))
                state.torn.insert(run)
            }
            return fails
        }
        if failed { throw JournalError("simulated: no space left on device") }
    }

    func close() throws(JournalError) {
        if store.isDead() { throw JournalError("simulated: the agent is dead") }
        store.state.withLock { state in
            state.closed[run] = state.open.removeValue(forKey: run)
            _ = state.held.remove(run)
        }
    }
}
