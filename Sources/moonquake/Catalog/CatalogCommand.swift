// `moonquake catalog`: definitions with versions.

import ArgumentParser

struct CatalogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog",
        abstract: "Keeps definitions under names, with a version for each content.",
        subcommands: [
            CatalogAddCommand.self, CatalogListCommand.self, CatalogShowCommand.self,
            CatalogDiffCommand.self,
        ]
    )
}
