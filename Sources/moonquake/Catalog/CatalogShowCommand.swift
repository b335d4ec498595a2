// `moonquake catalog show` and `diff`: what a version is, to the byte.

import ArgumentParser
import ChaosCatalog
import ChaosModel
import Glibc

struct CatalogShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Prints the exact bytes of a stored definition."
    )

    @OptionGroup
    var state: StateOptions

    @Argument(help: ArgumentHelp("NAME@VERSION; NAME alone is the newest.", valueName: "name"))
    var reference: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Print a module that is stored with it instead: lib/ramp.lua.",
            valueName: "path"
        )
    )
    var module: String?

    func run() throws {
        let (version, content) = try state.stored(reference)
        let modules = content.modules.keys.sorted()
        guard let module else {
            StoredText.write(content.bytes)
            for path in modules { Console.error("with the module \(path)") }
            return
        }
        guard let bytes = content.modules[module] else {
            let hint =
                modules.isEmpty
                ? ": it has none" : NearestName.hint(for: module, among: modules)
            throw CommandFailure(
                .definition,
                "\(version.reference) has no module \"\(module.escapedForDisplay)\"\(hint)"
            )
        }
        StoredText.write(bytes)
    }
}

struct CatalogDiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compares two stored definitions line by line, with their modules."
    )

    @OptionGroup
    var state: StateOptions

    @Argument(help: ArgumentHelp("The one: NAME@VERSION.", valueName: "a"))
    var first: String

    @Argument(help: ArgumentHelp("The other: NAME@VERSION.", valueName: "b"))
    var second: String

    func run() throws {
        let (old, oldContent) = try state.stored(first)
        let (new, newContent) = try state.stored(second)
        var parts = [
            UnifiedDiff(
                from: oldContent.bytes,
                named: old.reference.description,
                to: newContent.bytes,
                named: new.reference.description
            )
        ]
        for path in Set(oldContent.modules.keys).union(newContent.modules.keys).sorted() {
            parts.append(
                UnifiedDiff(
                    from: oldContent.modules[path],
                    named: "\(old.reference)/\(path)",
                    to: newContent.modules[path],
                    named: "\(new.reference)/\(path)"
                )
            )
        }
        StoredText.write(Array(parts.map(\.bytes).joined()))
    }
}

/// Text that came from somebody's file.
private enum StoredText {
    /// Writes it as it is, but to a terminal without what a terminal would obey.
    static func write(_ bytes: [UInt8]) {
        guard isatty(STDOUT_FILENO) == 1 else { return Console.write(bytes, to: STDOUT_FILENO) }
        let lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        let shown = lines.map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false)
                .map { String($0).escapedForDisplay(limit: .max) }
                .joined(separator: "\t")
        }
        Console.write(Array(shown.joined(separator: "\n").utf8), to: STDOUT_FILENO)
    }
}
