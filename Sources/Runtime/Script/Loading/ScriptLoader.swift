// From a file to experiments. The top level is run once, in a state of its own, and nothing that it can call there
// touches anything.

package import ChaosModel
package import ChaosSteadyState
import LuaBridge

/// Loads scripts.
package struct ScriptLoader: Sendable {
    private let faults: FaultCatalogue
    private let metrics: MetricCatalogue
    private let inputs: DefinitionInputs
    private let libraryFolders: [String]
    private let seed: UInt64
    private let topLevelTime: Duration
    private let host: ScriptHost

    /// Makes a loader.
    ///
    /// - Parameters:
    ///   - faults: The faults that scripts may name.
    ///   - metrics: The metrics that scripts may name.
    ///   - inputs: What definitions get from outside.
    ///   - libraryFolders: Where `require` looks after the script's own folder.
    ///   - seed: What `math.random` of every state starts with.
    ///   - topLevelTime: How long the top level of a file may take.
    ///   - host: What the states of scripts live in.
    package init(
        faults: FaultCatalogue,
        metrics: MetricCatalogue = MetricCatalogue(),
        inputs: DefinitionInputs = DefinitionInputs(),
        libraryFolders: [String] = [],
        seed: UInt64,
        topLevelTime: Duration = .seconds(5),
        host: ScriptHost = ScriptHost()
    ) {
        self.faults = faults.withoutShadows
        self.metrics = metrics
        self.inputs = inputs
        self.libraryFolders = libraryFolders
        self.seed = seed
        self.topLevelTime = topLevelTime
        self.host = host
    }

    /// The experiments of a file, in their order; at least one.
    ///
    /// - Parameter path: The path as the user gave it, which messages and the report repeat.
    /// - Returns: What the file defines, or the file itself as a plain script.
    /// - Throws: what is wrong, in one message with file and line; nothing was touched.
    package func load(file path: String) async throws(ScriptError) -> [LoadedExperiment] {
        try await load(try ScriptFile(reading: path))
    }

    /// The experiments of a stored definition, in their order; at least one.
    ///
    /// - Parameters:
    ///   - content: What was stored; nothing else is read but the libraries.
    ///   - name: What messages and the report call it: `kill-one@3`.
    ///   - version: The version that it has in the catalogue.
    /// - Returns: What it defines, or itself as a plain script.
    /// - Throws: as for a file.
    package func load(
        stored content: DefinitionContent,
        called name: String,
        version: Int? = nil
    ) async throws(ScriptError) -> [LoadedExperiment] {
        try await load(try ScriptFile(stored: content, called: name)).map { $0.of(version) }
    }

    private func load(_ file: ScriptFile) async throws(ScriptError) -> [LoadedExperiment] {
        let context = context(of: file)
        let experiments = try await experiments(of: context)
        do throws(DefinitionError) {
            try context.inputs.checkArguments(of: file.path)
        } catch {
            throw .definition(error, traceback: "")
        }
        return experiments
    }

    private func experiments(
        of context: BuilderContext
    ) async throws(ScriptError) -> [LoadedExperiment] {
        guard context.file.kind == .lua else { return try documents(context) }
        let environment = environment(of: context)
        let session = try await declarations(environment)
        if let gameDay = session.gameDays.first {
            throw .definition(
                DefinitionError(
                    context.file.path,
                    "defines the GameDay \"\(gameDay.definition.name)\": use `moonquake gameday`"
                ),
                traceback: ""
            )
        }
        guard let verb = session.firstVerb else { return try experiments(session, environment) }
        guard session.experiments.isEmpty else {
            throw .definition(
                DefinitionError(
                    verb.name,
                    "a file that defines an experiment cannot call primitives at its top level: "
                        + "move the call into run = function() … end",
                    at: verb.place
                ),
                traceback: ""
            )
        }
        return [LoadedExperiment(plain: plainDefinition(environment), in: environment)]
    }

    /// The GameDay of a file, with the experiments that the same file defines.
    ///
    /// - Parameter path: The path as the user gave it.
    /// - Returns: The GameDay; nil when the file defines none.
    /// - Throws: what is wrong, in one message with file and line; nothing was touched.
    package func loadGameDay(file path: String) async throws(ScriptError) -> LoadedGameDay? {
        let context = context(of: try ScriptFile(reading: path))
        guard context.file.kind == .lua else { return nil }
        let environment = environment(of: context)
        let session = try await declarations(environment)
        guard let declared = session.gameDays.first else { return nil }
        return LoadedGameDay(declared, session.experiments, in: environment)
    }

    /// Opens a state for a person at a prompt.
    ///
    /// - Throws: what is wrong with the installation; nothing was touched.
    package func prompt() async throws(ScriptError) -> Prompt {
        let environment = environment(of: context(of: try ScriptFile(prompt: Prompt.name)))
        do throws(LuaError) {
            return try await Prompt(environment)
        } catch {
            throw ScriptError(error, in: Prompt.name)
        }
    }

    private func context(of file: ScriptFile) -> BuilderContext {
        BuilderContext(
            file: file,
            faults: faults,
            metrics: metrics,
            inputs: inputs.fresh
        )
    }

    private func environment(of context: BuilderContext) -> ScriptEnvironment {
        ScriptEnvironment(
            context: context,
            libraryFolders: libraryFolders,
            seed: seed,
            topLevelTime: topLevelTime,
            host: host
        )
    }

    /// The experiments of a YAML or JSON file, one for each document.
    private func documents(_ context: BuilderContext) throws(ScriptError) -> [LoadedExperiment] {
        do throws(DefinitionError) {
            let reader = DocumentReader(context: context)
            var experiments: [LoadedExperiment] = []
            for document in try DocumentParser.documents(in: context.file) {
                let declared = try reader.experiment(document)
                let title = declared.definition.name
                guard !experiments.contains(where: { $0.definition.name == title }) else {
                    throw DefinitionError(
                        ExperimentOptions.subject,
                        "two experiments have the title \"\(title)\": give each its own",
                        at: SourceLocation(file: context.file.path, line: document.line)
                    )
                }
                experiments.append(LoadedExperiment(declared, of: context.file.content, in: nil))
            }
            guard !experiments.isEmpty else {
                throw DefinitionError(context.file.path, "defines no experiment")
            }
            return experiments
        } catch {
            throw .definition(error, traceback: "")
        }
    }

    /// What the top level declared, up to its end or its first verb.
    private func declarations(
        _ environment: ScriptEnvironment
    ) async throws(ScriptError) -> ScriptSession {
        let script: OpenScript
        do throws(LuaError) {
            script = try await environment.open()
        } catch {
            throw ScriptError(error, in: environment.context.file.path)
        }
        let session = script.session
        do throws(LuaError) {
            try await script.vm.call(script.main, timeout: topLevelTime)
        } catch {
            guard session.firstVerb != nil else {
                guard let first = session.firstError else {
                    throw ScriptError(error, in: environment.context.file.path)
                }
                throw .definition(first, traceback: error.traceback)
            }
        }
        if let error = session.firstError ?? session.openTitleError {
            throw .definition(error, traceback: "")
        }
        return session
    }

    private func experiments(
        _ session: ScriptSession,
        _ environment: ScriptEnvironment
    ) throws(ScriptError) -> [LoadedExperiment] {
        guard !session.experiments.isEmpty else {
            let file = environment.context.file.path
            throw .definition(
                DefinitionError(file, "defines no experiment and calls no primitive"),
                traceback: ""
            )
        }
        let content = environment.context.file.content
        return session.experiments.map { LoadedExperiment($0, of: content, in: environment) }
    }

    private func plainDefinition(_ environment: ScriptEnvironment) -> ExperimentDefinition {
        let file = environment.context.file
        return ExperimentDefinition(
            name: file.baseName,
            hasBody: true,
            file: file.path,
            digest: file.digest,
            parameters: environment.context.inputs.declared.values
        )
    }
}

extension ScriptError {
    /// What an error of the top level means to the user.
    init(_ error: LuaError, in file: String) {
        if error.kind == .syntax, let location = error.location {
            self = .syntax(message: error.message, at: SourceLocation(location))
        } else if let refusal = error.refusal {
            self = .definition(refusal, traceback: error.traceback)
        } else {
            self = .raised(message: error.message(in: file), traceback: error.traceback)
        }
    }
}
