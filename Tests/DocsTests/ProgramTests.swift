// What the documents say of the program, compared with the program itself.

import FoundationEssentials
import TestSupport
import Testing

@Suite
struct `Documents and the program` {
    @Test
    func `the table of commands in README is that of the program`() async throws {
        let help = try await Program.run(["--help"])
        let list = try #require(help.output.firstRange(of: "SUBCOMMANDS:\n"))
        let commands = help.output[list.upperBound...].matches(of: /(?m)^  ([a-z-]+) {2,}\S/)
        let section = try #require(Document("README.md").section("## Commands"))
        let named = firstColumn(of: section).compactMap { code in
            code.split(separator: " ").dropFirst().first
        }
        #expect(!commands.isEmpty)
        #expect(Set(named) == Set(commands.map(\.1)))
    }

    @Test
    func `the types for editors are those of the tree`() async throws {
        let file = Document.root.appending(path: "stdlib/_meta/moonquake.lua")
        let answer = try await Program.run(["meta"])
        #expect(answer.output == String(decoding: try Data(contentsOf: file), as: UTF8.self))
        #expect(answer.code == 0)
    }

    @Test(arguments: Document.all)
    func `every script in it is well-formed`(_ document: Document) async throws {
        let folder = try TestFolder()
        let scripts = document.scripts.map { (text: $0, ending: "lua") } + document.documents
        for (index, example) in scripts.enumerated() {
            let script = example.text
            let file = try folder.write(script, as: "example-\(index + 1).\(example.ending)")
            let isGameDay = script.contains("gameday \"")
            let answer = try await Program.run(
                (isGameDay ? ["gameday"] : []) + ["check", file]
            )
            #expect(answer.code == 0, "\(answer.error)\n\(script)")
            #expect(!answer.output.contains("note:"), "\(answer.output)\n\(script)")
        }
    }

    @Test
    func `every test of a script in it passes`() async throws {
        let document = try Document("docs/testing.md")
        let folder = try TestFolder()
        let scripts = ["half": try #require(document.scripts.first), "kill": Self.kill]
        for (name, text) in scripts {
            try folder.write(text, as: "\(name).lua")
        }
        let tests = document.text.matches(of: /(?ms)^```lua test\n(.*?)^```/)
        #expect(tests.count >= 3)
        for (index, match) in tests.enumerated() {
            let file = try folder.write(match.1, as: "example-\(index + 1)_test.lua")
            let answer = try await Program.run(["test", file])
            #expect(answer.code == 0, "\(answer.output)\(answer.error)")
        }
    }

    /// What an example of a machine is tested with.
    private static let kill = """
        experiment "a server of the cache is killed" {
          steady_state = { metrics = { redis = metric.scrape { url = "http://h/", name = "up", equals = 2 } } },
          faults = { fault.process.kill { target = target.process { port = 6379, user = "999", count = 1 } } },
          duration = "10s",
        }
        """

    @Test
    func `there are scripts to check`() throws {
        #expect(Document.all.map(\.scripts.count).reduce(0, +) >= 8)
        #expect(try Document("README.md").scripts.count >= 1)
    }

    @Test(arguments: Document.all)
    func `every link leads somewhere`(_ document: Document) throws {
        let here = Document.root.appending(path: document.name)
        for link in document.links {
            let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let file = parts[0].isEmpty ? here : URL(filePath: String(parts[0]), relativeTo: here)
            #expect(FileManager.default.fileExists(atPath: file.path()), "\(link)")
            guard parts.count == 2 else { continue }
            let target = try Document(
                parts[0].isEmpty ? document.name : Self.name(of: file)
            )
            #expect(target.anchors.contains(String(parts[1])), "\(link)")
        }
    }

    private static func name(of file: URL) -> String {
        String(file.absoluteURL.standardized.path().dropFirst(Document.root.path().count))
    }
}
