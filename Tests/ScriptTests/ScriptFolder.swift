// A folder of its own for each test, with scripts in it.

import ChaosEngine
import ChaosFaults
import ChaosModel
import ChaosScript
import ChaosSteadyState
import FoundationEssentials
import TestSupport

extension TestFolder {
    /// Writes the script of a test, and returns its path.
    @discardableResult
    func write(_ text: String) throws -> String { try write(text, as: "x.lua") }

    /// A loader whose messages name the files of this folder.
    func loader(
        libraries: [String] = [],
        topLevelTime: Duration = .seconds(5),
        inputs: DefinitionInputs = DefinitionInputs()
    ) -> ScriptLoader {
        ScriptLoader(
            faults: .all,
            metrics: MetricCatalogue(),
            inputs: inputs,
            libraryFolders: libraries,
            seed: 7,
            topLevelTime: topLevelTime
        )
    }

    /// Loads a text as a file, `x.lua` if nothing else is said.
    func load(
        _ text: String,
        as name: String = "x.lua",
        inputs: DefinitionInputs = DefinitionInputs()
    ) async throws(ScriptError) -> [LoadedExperiment] {
        let file: String
        do {
            file = try write(text, as: name)
        } catch {
            throw .unreadable(file: "x.lua", reason: "\(error)")
        }
        return try await loader(inputs: inputs).load(file: file)
    }

    /// The one experiment of a text.
    func experiment(_ text: String) async throws -> LoadedExperiment {
        let experiments = try await load(text)
        guard experiments.count == 1 else { throw TestProblem("\(experiments.count) experiments") }
        return experiments[0]
    }

    /// The message of a text that cannot be loaded, with the folder left out.
    func refusal(
        _ text: String,
        as name: String = "x.lua",
        inputs: DefinitionInputs = DefinitionInputs()
    ) async -> String {
        do throws(ScriptError) {
            let experiments = try await load(text, as: name, inputs: inputs)
            return "accepted: \(experiments.map(\.definition.name))"
        } catch {
            return short(error.description)
        }
    }

    /// A message with the folder left out.
    func short(_ message: String) -> String { message.replacing("\(path)/", with: "") }
}

/// Why a test cannot go on.
struct TestProblem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension LoadedExperiment {
    /// Runs a body for its error.
    func failure(_ controls: any RunControls) async -> BodyError? {
        do throws(BodyError) {
            try await body.run(controls)
            return nil
        } catch {
            return error
        }
    }
}
