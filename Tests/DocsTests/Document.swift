// A Markdown file of the tree, as far as the tests must understand it: sections, tables, code, links.

import FoundationEssentials
import Testing

/// A document of the tree.
struct Document: Sendable, CustomTestStringConvertible {
    /// The path below the root of the tree.
    let name: String
    /// The whole text.
    let text: String

    /// The root of the tree.
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// README and its like, then everything below docs/.
    static let all: [Document] = {
        let folder = root.appending(path: "docs").path()
        let below = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
        let names = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        return (names + below.sorted().map { "docs/\($0)" }).filter { $0.hasSuffix(".md") }
            .compactMap { try? Document($0) }
    }()

    /// Reads a document by its path below the root.
    init(_ name: String) throws {
        self.name = name
        let file = Self.root.appending(path: name)
        text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    }

    var testDescription: String { name }

    private var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// The text below a heading such as `## Metrics`, up to the next of the same level or above.
    func section(_ heading: String) -> String? {
        let level = heading.prefix { $0 == "#" }.count
        guard let start = lines.firstIndex(where: { $0 == heading }) else { return nil }
        let rest = lines[(start + 1)...]
        let end = rest.firstIndex { line in
            let marks = line.prefix { $0 == "#" }.count
            return (1...level).contains(marks) && line.dropFirst(marks).hasPrefix(" ")
        }
        return rest[..<(end ?? rest.endIndex)].joined(separator: "\n")
    }

    /// The anchors of the headings, as GitHub makes them.
    var anchors: Set<String> {
        Set(
            lines.filter { $0.hasPrefix("#") }.map { line in
                line.drop { $0 == "#" }.dropFirst().lowercased()
                    .filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
                    .replacing(" ", with: "-")
            }
        )
    }

    /// The code of each block fenced as ```lua; fragments, fenced as ```lua fragment, are left out.
    var scripts: [String] {
        text.matches(of: /(?ms)^```lua\n(.*?)^```/).map { String($0.1) }
    }

    /// The YAML and JSON definitions, fenced as ```yaml and ```json.
    var documents: [(text: String, ending: String)] {
        text.matches(of: /(?ms)^```(yaml|json)\n(.*?)^```/).map { (String($0.2), String($0.1)) }
    }

    /// The targets of links, those to other sites left out.
    var links: [String] {
        text.matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }.filter { !$0.contains("://") }
    }
}

/// What stands in backquotes in the first column of the tables of a text.
func firstColumn(of text: String) -> [String] {
    text.split(separator: "\n").filter { $0.hasPrefix("|") }.flatMap { row in
        row.split(separator: "|").first.map { codes(in: String($0)) } ?? []
    }
}

/// What stands in backquotes.
func codes(in text: String) -> [String] {
    text.matches(of: /`([^`]+)`/).map { String($0.1) }
}
