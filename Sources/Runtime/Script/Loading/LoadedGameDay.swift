// A GameDay of a script: its definition as data, the experiments of the same file, and the way to run it.

package import ChaosGameDay

/// A GameDay as a script defines it.
package struct LoadedGameDay: Sendable {
    /// What it says.
    package let definition: GameDayDefinition
    /// The experiments that the same file defines.
    package let inline: [LoadedExperiment]
    private let environment: ScriptEnvironment

    init(
        _ declared: DeclaredGameDay,
        _ experiments: [DeclaredExperiment],
        in environment: ScriptEnvironment
    ) {
        definition = declared.definition
        inline = experiments.map {
            LoadedExperiment($0, of: environment.context.file.content, in: environment)
        }
        self.environment = environment
    }

    /// A new body for one day, in a state of its own; take it once and keep it.
    package var body: any DayBody {
        definition.hasBody ? ScriptDayBody(in: environment) : ListedBody(definition)
    }
}
