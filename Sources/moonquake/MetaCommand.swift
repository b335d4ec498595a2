// `moonquake meta`: the types of the Lua side for editors that read LuaCATS, such as those with lua-language-server.

import ArgumentParser
import ChaosFaults
import ChaosModel
import ChaosScript
import ChaosSteadyState

struct MetaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meta",
        abstract: "Prints the types of the Lua primitives, for editors (LuaCATS)."
    )

    func run() throws {
        Console.write(MetaFile.text(faults: .all, metrics: MetricCatalogue()), to: 1)
    }
}
