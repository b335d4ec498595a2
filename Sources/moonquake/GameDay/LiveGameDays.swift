// The GameDays that run here, as seen from another process: by the locks that they hold.

import ChaosLinux
import ChaosModel

/// The GameDays of a state directory that run.
struct LiveGameDays {
    let stateDirectory: String

    /// The processes of those that run none of these experiments.
    func all(besides runs: [LiveJournal]) throws(CommandFailure) -> [ProcessIdentity] {
        let owners = Set(runs.flatMap(ancestry))
        return try ProcessLock.gameDays(stateDirectory: stateDirectory).compactMap(\.holder)
            .filter { !owners.contains($0) }
            .compactMap { (try? LinuxProcesses().snapshot(pid: $0))?.identity }
    }

    /// Whether a run is an experiment of one of these days.
    func isOf(_ run: LiveJournal, one days: [ProcessIdentity]) -> Bool {
        let owners = Set(ancestry(of: run))
        return days.contains { owners.contains($0.pid) }
    }

    /// From a run's agent up: sudo may stand between it and the program that runs the day.
    private func ancestry(of run: LiveJournal) -> [Int32] {
        var found = [run.agent.pid]
        for _ in 0..<Self.mostAncestors {
            guard let last = found.last, last > 1,
                let above = (try? LinuxProcesses().snapshot(pid: last))?.parent
            else { break }
            found.append(above)
        }
        return found
    }

    /// An agent is the child of the day's process, or of sudo's, which is its child.
    private static let mostAncestors = 4
}
