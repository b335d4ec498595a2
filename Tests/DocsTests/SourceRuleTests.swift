// Rules of the Swift code that can be read from its text.

import FoundationEssentials
import Testing

@Suite
struct `Rules of the sources` {
    /// A line of a file, with those around it.
    private struct Place: CustomStringConvertible {
        let file: String
        let number: Int
        let around: ArraySlice<Substring>

        var description: String { "\(file):\(number)" }

        /// Whether a comment beside it gives a reason; one that lifts a check says so.
        func hasReason(_ mark: String) -> Bool {
            around.contains { line in
                line.firstRange(of: "//").map { line[$0.lowerBound...].contains(mark) } == true
            }
        }
    }

    /// The lines in Sources and Tests that match.
    private static func places(_ pattern: Regex<Substring>) throws -> [Place] {
        var found: [Place] = []
        for folder in ["Sources", "Tests"] {
            let root = Document.root.appending(path: folder)
            for name in try FileManager.default.subpathsOfDirectory(atPath: root.path())
            where name.hasSuffix(".swift") && !name.hasSuffix("SourceRuleTests.swift") {
                let data = try Data(contentsOf: root.appending(path: name))
                let lines = String(decoding: data, as: UTF8.self)
                    .split(separator: "\n", omittingEmptySubsequences: false)
                for (index, line) in lines.enumerated() where line.contains(pattern) {
                    let around = lines[max(0, index - 3)...min(lines.count - 1, index + 1)]
                    found.append(
                        Place(file: "\(folder)/\(name)", number: index + 1, around: around)
                    )
                }
            }
        }
        return found
    }

    @Test
    func `what lifts a check of the compiler says why that is safe`() throws {
        let places = try Self.places(
            /nonisolated\(unsafe\)|@unchecked Sendable|\btry! |\bas! |unsafeBitCast\(/
        )
        #expect(places.count > 10, "the sources are not where they are looked for")
        for place in places { #expect(place.hasReason("SAFETY: "), "\(place)") }
    }

    @Test
    func `what ends the program says why there is no other way`() throws {
        let places = try Self.places(/\b(?:fatalError|preconditionFailure)\(/)
        #expect(places.count > 5, "the sources are not where they are looked for")
        for place in places { #expect(place.hasReason(" "), "\(place)") }
    }
}
