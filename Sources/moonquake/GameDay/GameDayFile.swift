// A GameDay's file, loaded.

import ChaosModel
import ChaosScript

/// A file that defines a GameDay.
struct GameDayFile {
    var path: String
    var script: ScriptOptions

    /// Loads it.
    func load() async throws -> LoadedGameDay {
        let loader = try script.loader
        let loaded: LoadedGameDay?
        do throws(ScriptError) {
            loaded = try await loader.loadGameDay(file: path)
        } catch {
            let traceback = error.traceback.isEmpty ? "" : "\n\(error.traceback)"
            throw CommandFailure(.definition, error.description + traceback)
        }
        guard let loaded else {
            throw CommandFailure(
                .definition,
                "\(path): defines no GameDay: write gameday \"title\" { experiments = { … } }"
            )
        }
        return loaded
    }
}
