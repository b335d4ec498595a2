// The experiments of a GameDay by the names that it gives them: those of its own file, and other files.

package import ChaosGameDay
package import ChaosModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Finds the experiments of one GameDay.
package struct DayFiles: Sendable {
    private let file: String
    private let loader: ScriptLoader
    private let catalogued:
        @Sendable (CatalogReference) async throws(DefinitionError) ->
            [LoadedExperiment]

    /// Makes a finder.
    ///
    /// - Parameters:
    ///   - file: The file of the GameDay.
    ///   - loader: Loads it and others.
    ///   - catalogued: Loads a definition of the catalogue.
    package init(
        of file: String,
        loader: ScriptLoader,
        catalogued:
            @escaping @Sendable (CatalogReference) async throws(DefinitionError) ->
            [LoadedExperiment]
    ) {
        self.file = file
        self.loader = loader
        self.catalogued = catalogued
    }

    /// An experiment as it is now, not as it was when the day began.
    package func load(
        _ reference: ExperimentReference
    ) async throws(DefinitionError) -> LoadedExperiment {
        switch reference {
        case .inline(let title):
            guard let now = try? await loader.loadGameDay(file: file),
                let found = now.inline.first(where: { $0.definition.name == title })
            else {
                throw DefinitionError(
                    "gameday",
                    "\(file) no longer defines experiment \(reference)"
                )
            }
            return found
        case .named(let name):
            let path = try path(of: name)
            let all: [LoadedExperiment]
            do throws(ScriptError) {
                all = try await loader.load(file: path)
            } catch {
                throw DefinitionError("gameday", error.description)
            }
            return try only(all, of: path)
        case .catalogued(let name, let version):
            let wanted = CatalogReference(name: name, version: version)
            return try only(await catalogued(wanted), of: wanted.description)
        }
    }

    /// The digest of the GameDay itself as it is now.
    package func digestOfDay() async throws(DefinitionError) -> String {
        let day: LoadedGameDay?
        do throws(ScriptError) {
            day = try await loader.loadGameDay(file: file)
        } catch {
            throw DefinitionError("gameday", error.description)
        }
        guard let day else {
            throw DefinitionError("gameday", "\(file) no longer defines a GameDay")
        }
        return day.definition.digest
    }

    private func only(
        _ all: [LoadedExperiment],
        of name: String
    ) throws(DefinitionError) -> LoadedExperiment {
        guard all.count == 1, let only = all.first else {
            throw DefinitionError(
                "gameday",
                "\(name) defines \(all.count) experiments: name a definition with one"
            )
        }
        return only
    }

    /// The file of a name: a path from the GameDay's folder, or a name beside it or in the folder `experiments`.
    private func path(of name: String) throws(DefinitionError) -> String {
        let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        let base = name.hasPrefix("/") ? name : folder + name
        let candidates =
            [base, "\(base).lua"]
            + (name.contains("/") ? [] : ["\(folder)../experiments/\(name).lua"])
        for candidate in candidates where isFile(candidate) { return candidate }
        let looked = candidates.map { "\"\($0.escapedForDisplay)\"" }.joined(separator: ", ")
        throw DefinitionError(
            "gameday",
            "experiment \"\(name.escapedForDisplay)\" is not there: looked for \(looked)"
        )
    }

    private func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
}

/// Experiments of a GameDay that come from files.
package protocol ExperimentsOfFiles: ExperimentSource {
    /// Where they are found.
    var files: DayFiles { get }
}

extension ExperimentsOfFiles {
    package func look(
        at reference: ExperimentReference
    ) async throws(DefinitionError) -> (title: String, digest: String) {
        let loaded = try await files.load(reference)
        return (loaded.definition.name, loaded.definition.digest)
    }

    package func digestOfDay() async throws(DefinitionError) -> String {
        try await files.digestOfDay()
    }
}
