// The catalogue of the state directory, for the commands that take a definition from it. It is opened by the first
// question, so that a command on a file pays nothing for it.

import ChaosCatalog
import ChaosLinux
import ChaosModel
import ChaosScript
import Glibc

extension StateOptions {
    /// The catalogue.
    var catalog: Catalog { Catalog(stateDirectory: path) }

    /// Does something with the catalogue; its folder is there then.
    func using<Value>(
        _ body: (Catalog) throws(CatalogError) -> Value
    ) throws(CommandFailure) -> Value {
        do throws(JournalError) {
            try LinuxJournals.makeFolder(path)
        } catch {
            throw CommandFailure(.unavailable, error.description)
        }
        do throws(CatalogError) {
            return try body(catalog)
        } catch {
            throw CommandFailure(error.kind == .failed ? .unavailable : .definition, error.message)
        }
    }

    /// The version that a text means, and its content.
    func stored(
        _ text: String
    ) throws(CommandFailure) -> (version: CatalogVersion, content: DefinitionContent) {
        let reference: CatalogReference
        do throws(ParameterProblem) {
            reference = try CatalogReference(text)
        } catch {
            throw CommandFailure(.definition, error.text)
        }
        return try using { (catalog) throws(CatalogError) in try catalog.find(reference) }
    }
}

extension ScriptOptions {
    /// Loads every experiment of a file, or of a stored definition when it names one; there is at least one.
    ///
    /// A file comes first. What is no file and looks like a name is looked for in the catalogue.
    func loadAll(_ definition: String, _ state: StateOptions) async throws -> [LoadedExperiment] {
        guard access(definition, F_OK) != 0, Self.mayBeStored(definition) else {
            return try await loadAll(file: definition)
        }
        let found: (version: CatalogVersion, content: DefinitionContent)
        do throws(CommandFailure) {
            found = try state.stored(definition)
        } catch {
            throw CommandFailure(error.code, "there is no file \(definition), and \(error.message)")
        }
        return try await loadAll(
            stored: found.content,
            called: found.version.reference.description,
            version: found.version.version
        )
    }

    /// Loads the experiment that is meant.
    ///
    /// Not inlined: the optimizer of Swift 6.3.1 crashes when this and `PastRun.load` are, in the one coroutine of
    /// `RunCommand`.
    @inline(never)
    func load(_ definition: String, _ state: StateOptions) async throws -> LoadedExperiment {
        try chosen(from: try await loadAll(definition, state), of: definition)
    }

    private static func mayBeStored(_ text: String) -> Bool {
        let isFile = [".lua", ".yaml", ".yml", ".json"].contains { text.hasSuffix($0) }
        return !isFile && (try? CatalogReference(text)) != nil
    }
}
