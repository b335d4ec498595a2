// `moonquake schema`: the JSON Schema of YAML and JSON definitions, for editors and validators.

import ArgumentParser
import ChaosFaults
import ChaosModel
import ChaosScript
import ChaosSteadyState

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints the JSON Schema of YAML and JSON definitions."
    )

    func run() throws {
        let text = try SchemaFile.text(faults: .all, metrics: MetricCatalogue())
        Console.write(text, to: 1)
    }
}
