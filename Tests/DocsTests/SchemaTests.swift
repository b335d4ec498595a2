// The schema against an independent validator (check-jsonschema, from PyPI), and against the program.

import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized)
struct `The schema of definitions` {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    /// What the validator says of files; an empty text when all are valid.
    private func validate(_ arguments: [String]) async throws -> (code: Int32, said: String) {
        let script = Document.root.appending(path: "scripts/validator.sh").path()
        let made = try await Subprocess.run(
            .path(FilePath(script)),
            output: .string(limit: 4096),
            error: .string(limit: 1 << 16)
        )
        let program = made.standardOutput.split(separator: "\n").last.map(String.init)
        let path = try #require(program, "no validator: \(made.standardError)")
        let result = try await Subprocess.run(
            .path(FilePath(path)),
            arguments: Arguments(arguments),
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        )
        let code: Int32 = if case .exited(let code) = result.terminationStatus { code } else { -1 }
        return (code, result.standardOutput + result.standardError)
    }

    /// Writes the schema and returns its path.
    private func schema() async throws -> String {
        let answer = try await Program.run(["schema"])
        #expect(answer.code == 0, "\(answer.error)")
        return try folder.write(answer.output, as: "schema.json")
    }

    @Test
    func `it is a schema, and each example of the tree is valid by it`() async throws {
        let schema = try await schema()
        let meta = try await validate(["--check-metaschema", schema])
        #expect(meta.code == 0, "\(meta.said)")
        let examples = Document.root.appending(path: "scripts/experiments").path()
        let names = try FileManager.default.contentsOfDirectory(atPath: examples)
            .filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".json") }
        #expect(names.count >= 2)
        var files = names.map { "\(examples)/\($0)" }
        for (index, document) in Document.all.flatMap(\.documents).enumerated() {
            files.append(try folder.write(document.text, as: "example-\(index).\(document.ending)"))
        }
        let valid = try await validate(["--schemafile", schema] + files)
        #expect(valid.code == 0, "\(valid.said)")
    }

    @Test
    func `the report of a run is valid by the schema of reports, and a changed one is not`()
        async throws
    {
        let schema = Document.root.appending(path: "docs/report.schema.json").path()
        let meta = try await validate(["--check-metaschema", schema])
        #expect(meta.code == 0, "\(meta.said)")
        let script = try folder.write(
            """
            local p = params { hold = { type = "duration", default = "300ms" } }
            experiment "x" {
              owner = "shop", tags = { "a" }, hypothesis = "h", description = "d",
              steady_state = {
                every = "100ms", warmup = "200ms",
                metrics = {
                  one = metric.lua { function() return 1 end, equals = 1, abort_above = 2 },
                  odd = metric.lua { function() return 1 / 0 end, no_data = "ignore" },
                },
              },
              run = function()
                inject(fault.noop { target = target.host {} })
                wait(p.hold)
                check_metric("one == 1")
                error("over")
              end,
            }
            """,
            as: "x.lua"
        )
        let file = folder["report.json"].path
        let run = try await Program.run(["run", script, "--report", file])
        #expect(run.code == 2, "\(run.error)")
        let valid = try await validate(["--schemafile", schema, file])
        #expect(valid.code == 0, "\(valid.said)")
        let text = try String(decoding: Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        let changes = [
            ("\"verdict\"", "\"verdicts\""), ("\"INIT\"", "\"BEGIN\""), ("\"equals\"", "\"is\""),
        ]
        for (index, (old, new)) in changes.enumerated() {
            #expect(text.contains(old))
            let changed = try folder.write(
                text.replacing(old, with: new),
                as: "changed-\(index).json"
            )
            #expect(try await validate(["--schemafile", schema, changed]).code == 1, "\(new)")
        }
    }

    private static let whole = """
        name: x
        steady_state: { every: 1s, metrics: { m: { http: { url: 'http://h/', below: 1% } } } }
        faults:
          - network.latency: { target: { netns: { name: shop } }, to: 10.9.0.3, delay: 100ms }
        duration: 10s
        """

    static let wrong = [
        ("duration: 10s", "duration: 10"), ("duration: 10s", "duration: 10 parsecs"),
        ("name: x", "nam: x"), ("delay: 100ms", "dely: 100ms"), ("delay: 100ms", "delay: 100"),
        ("network.latency", "network.latencies"), ("netns: { name", "host: { name"),
        ("netns", "hosts"),
        ("below: 1%", "below: [1%]"), ("every: 1s", "every: true"), ("http:", "htp:"),
        ("duration: 10s", ""), ("url: 'http://h/', ", ""), ("name: shop", ""),
        ("url: 'http://h/'", "url: { secrets: X }"),
    ]

    @Test
    func `what the program refuses, the schema refuses too`() async throws {
        let schema = try await schema()
        let right = try folder.write(Self.whole, as: "right.yaml")
        let valid = try await validate(["--schemafile", schema, right])
        #expect(valid.code == 0, "\(valid.said)")
        #expect(try await Program.run(["check", right]).code == 0)
        for (index, (old, new)) in Self.wrong.enumerated() {
            let text = Self.whole.replacing(old, with: new)
            #expect(text != Self.whole)
            let file = try folder.write(text, as: "wrong-\(index).yaml")
            let checked = try await Program.run(["check", file])
            #expect(checked.code == 2, "\(new): \(checked.output)")
            let validated = try await validate(["--schemafile", schema, file])
            #expect(validated.code == 1, "\(new): \(validated.said)")
        }
    }
}
