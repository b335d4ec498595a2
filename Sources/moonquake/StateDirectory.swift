// Where runs, journals and logs are kept.

import ArgumentParser
import ChaosModel
import Glibc

/// The option of every command that keeps or reads state.
struct StateOptions: ParsableArguments {
    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "Where runs and journals are kept (default: $MOONQUAKE_STATE, /var/lib/moonquake for root, "
                + "$XDG_STATE_HOME/moonquake for others).",
            valueName: "dir"
        )
    )
    var stateDirectory: String?

    /// The directory, without a slash at its end.
    var path: String {
        let chosen = stateDirectory ?? Self.environment("MOONQUAKE_STATE") ?? Self.standard
        return chosen.count > 1 && chosen.hasSuffix("/") ? String(chosen.dropLast()) : chosen
    }

    /// The directory of root's runs.
    static let system = "/var/lib/moonquake"

    private static var standard: String {
        if geteuid() == 0 { return system }
        if let state = environment("XDG_STATE_HOME") { return "\(state)/moonquake" }
        return "\(environment("HOME") ?? "/tmp")/.local/state/moonquake"
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
