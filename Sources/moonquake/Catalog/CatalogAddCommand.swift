// `moonquake catalog add FILE…`: a version for each content.
//
// What is stored is loaded and rehearsed first, from the bytes to be stored and nothing else: a definition that would
// miss one of its modules later is refused now.

import ArgumentParser
import ChaosCatalog
import ChaosLinux
import ChaosModel
import ChaosScript

struct CatalogAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Stores definitions; the same content keeps its version."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Argument(help: "The definitions: .lua, .yaml or .json files.")
    var files: [String]

    @Option(
        name: .long,
        help: "The name to store it under, instead of the file's without its ending."
    )
    var name: String?

    func run() async throws {
        guard name == nil || files.count == 1 else {
            throw CommandFailure(
                .definition,
                "--name goes with one file, got \(files.count)"
            )
        }
        for file in files { try await add(file) }
    }

    private func add(_ file: String) async throws {
        let name = self.name ?? Self.name(of: file)
        guard CatalogReference.isName(name) else {
            let hint = self.name == nil ? "; give another with --name" : ""
            throw CommandFailure(.definition, CatalogReference.problem(of: name).text + hint)
        }
        let read = try await script.loadAll(file: file)
        let stored = try await script.loadAll(stored: read[0].content, called: file)
        for experiment in stored {
            if let error = await experiment.rehearse().error {
                throw CommandFailure(.definition, error.description)
            }
        }
        let addition = try state.using { (catalog) throws(CatalogError) in
            try catalog.add(
                stored[0].content,
                as: name,
                titles: stored.map(\.definition.name),
                at: Timestamp.iso8601(LinuxTime().secondsSince1970),
                by: programVersion
            )
        }
        Console.output(Self.text(addition, stored[0].content))
    }

    private static func text(_ addition: CatalogAddition, _ content: DefinitionContent) -> String {
        let reference = addition.version.reference
        let modules = content.modules.count
        let with = modules == 0 ? "" : ", with \(modules) \(modules == 1 ? "module" : "modules")"
        guard !addition.isNew else { return "\(reference) \(addition.version.digest)\(with)" }
        let newest =
            addition.newest == addition.version.version
            ? "" : "; the newest is \(reference.name)@\(addition.newest)"
        return "\(reference) \(addition.version.digest) has this content already\(newest)"
    }

    /// The file's name without its folder and ending.
    private static func name(of file: String) -> String {
        let name = file.split(separator: "/").last.map(String.init) ?? file
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count > 1 ? parts.dropLast().joined(separator: ".") : name
    }
}
