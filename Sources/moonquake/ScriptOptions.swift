// What the commands that read a script have in common: which experiment, which seed, where the library is.

import ArgumentParser
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosScript
import ChaosSteadyState
import Glibc

/// The options of commands that read a script.
struct ScriptOptions: ParsableArguments {
    @Option(name: .long, help: "Which experiment of the file, when it defines several.")
    var experiment: String?

    @Option(name: .long, help: "The seed of every choice left to chance; printed by each run.")
    var seed: UInt64?

    @Option(
        name: .customLong("param"),
        help: ArgumentHelp(
            "Sets a parameter that the definition declares. Repeatable.",
            valueName: "name=value"
        )
    )
    var parameters: [String] = []

    @Flag(name: .long, help: "Start the agent through sudo, so that only it has root's rights.")
    var sudo = false

    @Option(
        name: .customLong("policy"),
        help: ArgumentHelp(
            "A policy file to follow, beside those of the host and the user. Repeatable.",
            valueName: "file"
        )
    )
    var policies: [String] = []

    @Option(
        name: .customLong("limit"),
        help: ArgumentHelp(
            "One limit of a policy, such as max_targets=2. Repeatable.",
            valueName: "key=value"
        )
    )
    var limits: [String] = []

    /// These options as another command of this program takes them, with whole paths, for a GameDay.
    var words: [String] {
        parameters.map { "--param=\($0)" }
            + policies.map { "--policy=\(RegisteredGameDays.wholePath($0))" }
            + limits.map { "--limit=\($0)" } + (seed.map { ["--seed=\($0)"] } ?? [])
            + (sudo ? ["--sudo"] : [])
    }

    /// What the user's policy, files and flags say together.
    func policy() throws(DefinitionError) -> Policy {
        var policy = Policy()
        if let user = PolicyFiles.user, let found = try PolicyFiles.read(user) {
            policy = policy.and(found)
        }
        for path in policies {
            guard let found = try PolicyFiles.read(path) else {
                throw DefinitionError("--policy", "there is no file \(path.escapedForDisplay)")
            }
            policy = policy.and(found)
        }
        for limit in limits { policy = policy.and(try Policy.parse(flag: limit)) }
        return policy
    }

    /// The seed: the one given, or one for this process.
    var chosenSeed: UInt64 { seed ?? Self.randomSeed }

    private static let randomSeed = UInt64.random(in: 1...999_999)

    /// The experiment of a file that is meant.
    func chosen(
        from all: [LoadedExperiment],
        of file: String
    ) throws(CommandFailure) -> LoadedExperiment {
        guard let experiment else {
            guard all.count > 1 else { return all[0] }
            let names = all.map { "\"\($0.definition.name)\"" }.joined(separator: ", ")
            throw CommandFailure(
                .definition,
                "\(file) defines \(all.count) experiments (\(names)): choose one with --experiment NAME"
            )
        }
        guard let named = all.first(where: { $0.definition.name == experiment }) else {
            let hint = NearestName.hint(for: experiment, among: all.map(\.definition.name))
            throw CommandFailure(
                .definition,
                "\(file) defines no experiment \"\(experiment.escapedForDisplay)\"\(hint)"
            )
        }
        return named
    }

    /// Loads every experiment of a file; there is at least one.
    func loadAll(file: String) async throws -> [LoadedExperiment] {
        try await loaded { (loader) throws(ScriptError) in try await loader.load(file: file) }
    }

    /// Loads every experiment of a stored definition; there is at least one.
    func loadAll(
        stored content: DefinitionContent,
        called name: String,
        version: Int? = nil
    ) async throws -> [LoadedExperiment] {
        try await loaded { (loader) throws(ScriptError) in
            try await loader.load(stored: content, called: name, version: version)
        }
    }

    private func loaded(
        _ load: (ScriptLoader) async throws(ScriptError) -> [LoadedExperiment]
    ) async throws -> [LoadedExperiment] {
        let loader = try loader
        do throws(ScriptError) {
            return try await load(loader)
        } catch {
            let traceback = error.traceback.isEmpty ? "" : "\n\(error.traceback)"
            throw CommandFailure(.definition, error.description + traceback)
        }
    }

    /// Loads files with everything that this program knows.
    var loader: ScriptLoader {
        get throws {
            ScriptLoader(
                faults: .all,
                metrics: MetricCatalogue(),
                inputs: try inputs,
                libraryFolders: Self.libraryFolders,
                seed: chosenSeed
            )
        }
    }

    /// What definitions get from outside.
    private var inputs: DefinitionInputs {
        get throws {
            var arguments: [String: String] = [:]
            for parameter in parameters {
                let parts = parameter.split(
                    separator: "=",
                    maxSplits: 1,
                    omittingEmptySubsequences: false
                )
                guard parts.count == 2, !parts[0].isEmpty else {
                    throw CommandFailure(
                        .definition,
                        "--param: write NAME=VALUE, got \"\(parameter.escapedForDisplay)\""
                    )
                }
                guard arguments.updateValue(String(parts[1]), forKey: String(parts[0])) == nil
                else {
                    throw CommandFailure(
                        .definition,
                        "--param: \(parts[0].description.escapedForDisplay) is given twice"
                    )
                }
            }
            return DefinitionInputs(
                arguments: arguments,
                variable: { getenv($0).map { String(cString: $0) } },
                redactor: Console.redactor
            )
        }
    }

    /// Where the Lua library is: beside an installed program, or in the tree that it was built in.
    static var libraryFolders: [String] {
        if let folder = StateOptions.environment("MOONQUAKE_STDLIB") { return [folder] }
        var folder = OwnProgram.path
        for _ in 0..<6 {
            guard let slash = folder.lastIndex(of: "/") else { return [] }
            folder = String(folder[..<slash])
            for candidate in ["\(folder)/share/moonquake/stdlib", "\(folder)/stdlib"]
            where access("\(candidate)/_meta/moonquake.lua", R_OK) == 0 {
                return [candidate]
            }
        }
        return []
    }
}
