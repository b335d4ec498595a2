// GameDays with a schedule that were registered: a file each in the state directory, with what was settled so far.

import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosScript
import Foundation

/// A registered GameDay.
struct RegisteredGameDay: Codable {
    /// The whole path of its file, which is read anew each time.
    var file: String
    /// Its title when it was registered.
    var name: String
    /// What the jitter is drawn from.
    var seed: UInt64
    /// What was settled so far.
    var state: ScheduleState
    /// What became of the times that were due, the last hundred.
    var history: [Firing]
    /// The options of scripts that it was registered with, as words; nil for none.
    var options: [String]?

    /// What became of a time that was due.
    struct Firing: Codable {
        var due: Date
        /// `started`, or why it was skipped.
        var outcome: String
        var missed: Int
    }

    /// The options of scripts that hold for it: its own, and those of the command that looks at it.
    func options(beside others: ScriptOptions) throws -> ScriptOptions {
        try ScriptOptions.parse((options ?? []) + others.words)
    }

    /// Notes what became of a time.
    mutating func note(_ due: Date, _ outcome: String, missed: Int) {
        history = Array(
            (history + [Firing(due: due, outcome: outcome, missed: missed)]).suffix(100)
        )
    }
}

/// The registered GameDays of a state directory.
struct RegisteredGameDays {
    let stateDirectory: String

    var folder: String { "\(stateDirectory)/schedules" }

    /// All of them, in the order of their files.
    func all() throws(CommandFailure) -> [RegisteredGameDay] {
        var days: [RegisteredGameDay] = []
        for entry in try entries() { days.append(try entry.get()) }
        return days.sorted { $0.file < $1.file }
    }

    /// Each registration, or what is wrong with it.
    func entries() throws(CommandFailure) -> [Result<RegisteredGameDay, CommandFailure>] {
        let names = try StateFile.names(in: folder).filter { $0.hasSuffix(".json") }
        return names.compactMap { name in
            guard let text = StateFile.read("\(folder)/\(name)") else { return nil }
            guard let day = try? WireJSON.value(RegisteredGameDay.self, from: text) else {
                let shown = "\(folder)/\(name.escapedForDisplay)"
                return .failure(
                    CommandFailure(
                        .definition,
                        "\(shown) is not a schedule of this program: left alone"
                    )
                )
            }
            return .success(day)
        }
    }

    /// Stores one.
    func save(_ gameDay: RegisteredGameDay) throws(KernelError) {
        let operation = "store the schedule of \(gameDay.file)"
        guard let text = try? WireJSON.pretty(gameDay) else {
            throw KernelError(.failed, operation, "it is not JSON")
        }
        try StateFile.write(text + "\n", to: path(of: gameDay.file), operation)
    }

    /// Removes one; false when there was none.
    func remove(_ file: String) -> Bool { unlink(path(of: file)) == 0 }

    private func path(of file: String) -> String {
        "\(folder)/\(SHA256.hexDigest(of: file.utf8).prefix(16)).json"
    }

    /// The whole path of a file.
    static func wholePath(_ file: String) -> String {
        guard let resolved = realpath(file, nil) else { return file }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
