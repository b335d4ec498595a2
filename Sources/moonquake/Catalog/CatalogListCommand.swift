// `moonquake catalog list`: what there is, the newest version of each name first.

import ArgumentParser
import ChaosCatalog
import ChaosModel

struct CatalogListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the versions, the newest of each name first."
    )

    @OptionGroup
    var state: StateOptions

    @Argument(help: "Only the versions of this name.")
    var name: String?

    @Flag(name: .long, help: "Print a JSON list.")
    var json = false

    func run() throws {
        let versions = try state.using { (catalog) throws(CatalogError) in
            try catalog.versions(of: name)
        }
        if json { return Console.output(try WireJSON.pretty(versions)) }
        for version in versions {
            let titles = version.titles.map { "\"\($0.escapedForDisplay)\"" }
            Console.output(
                "\(version.reference)  \(version.addedAt)  \(version.digest.prefix(19))  "
                    + titles.joined(separator: ", ")
            )
        }
        guard versions.isEmpty else { return }
        let what = name.map { " named \"\($0.escapedForDisplay)\"" } ?? ""
        Console.error("nothing\(what) is in the catalogue \(state.catalog.path)")
    }
}
