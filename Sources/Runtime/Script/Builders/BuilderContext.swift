// What builders need of the program.

import ChaosModel
import ChaosSteadyState

/// The file that is loaded, and what a script may name in it.
struct BuilderContext: Sendable {
    let file: ScriptFile
    let faults: FaultCatalogue
    let metrics: MetricCatalogue
    let inputs: DefinitionInputs
}
