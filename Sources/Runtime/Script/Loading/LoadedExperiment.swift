// An experiment of a script: its definition as data, and the ways to run it.

package import ChaosEngine
package import ChaosModel

/// An experiment as a script defines it.
package struct LoadedExperiment: Sendable {
    /// What it says.
    package private(set) var definition: ExperimentDefinition
    /// The exact bytes that it comes from.
    package let content: DefinitionContent
    /// Whether the file is a plain script: it calls primitives at its top level, and declares what it watches as it
    /// runs.
    package let isPlain: Bool
    /// The script; nil for a document, which has no functions.
    private let environment: ScriptEnvironment?
    private let functionNames: Set<String>

    init(
        _ declared: DeclaredExperiment,
        of content: DefinitionContent,
        in environment: ScriptEnvironment?
    ) {
        definition = declared.definition
        self.content = content
        isPlain = false
        functionNames = Set(declared.functions.keys)
        self.environment = environment
    }

    init(plain definition: ExperimentDefinition, in environment: ScriptEnvironment) {
        self.definition = definition
        content = environment.context.file.content
        isPlain = true
        functionNames = []
        self.environment = environment
    }

    /// The same as a version of the catalogue.
    func of(_ version: Int?) -> LoadedExperiment {
        var experiment = self
        experiment.definition.version = version
        return experiment
    }

    /// A new body for one run, in a state of its own; take it once and keep it.
    package var body: any RunBody {
        guard definition.hasBody, let environment else {
            let functions = environment.flatMap { environment in
                functionNames.isEmpty
                    ? nil : MetricFunctions(of: definition.name, in: environment)
            }
            return DeclarativeBody(definition, functions: functions)
        }
        return ScriptBody(entry, in: environment)
    }

    /// Runs the body without effects; takes five seconds at most, whatever the script waits for.
    package func rehearse() async -> Rehearsal {
        guard definition.hasBody, let environment else {
            return Rehearsal(
                faults: definition.faults,
                length: definition.durationMs.map { .milliseconds($0) }
            )
        }
        return await Rehearsing(entry: entry, definition: definition, environment: environment)
            .rehearse()
    }

    private var entry: ScriptBody.Entry { isPlain ? .plain : .experiment(definition.name) }
}
