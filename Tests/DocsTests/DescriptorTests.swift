// The tables of the documents are written by hand; here they are compared with the descriptors.

import ChaosFaults
import ChaosModel
import ChaosSteadyState
import FoundationEssentials
import LuaBridge
import Testing

@testable import ChaosScript
@testable import ChaosTesting

@Suite
struct `Documents and descriptors` {
    @Test(arguments: FaultCatalogue.all.types.map(\.descriptor.name))
    func `each fault has a section that names each of its options and nothing else`(
        _ name: String
    ) throws {
        let descriptor = try #require(FaultCatalogue.all[name]?.descriptor)
        let section = try #require(Document("docs/faults.md").section("## `\(name)`"))
        let options = descriptor.parameterSet.parameters.map(\.name)
        #expect(Set(firstColumn(of: section)) == Set(options))
        for target in descriptor.targets {
            #expect(section.contains("`target.\(target.rawValue)`"), "\(target)")
        }
        for need in descriptor.capabilities {
            #expect(section.contains("`\(need.name)`"), "\(need.name)")
        }
    }

    @Test
    func `no section is about a fault that there is not`() throws {
        let headings = try Document("docs/faults.md").text.matches(of: /(?m)^## `(.+)`$/)
        #expect(
            headings.map { String($0.1) } == FaultCatalogue.all.types.map(\.descriptor.name)
        )
    }

    @Test(arguments: MetricCatalogue().descriptors.map(\.name))
    func `each metric has a section that names each of its options and measures`(
        _ name: String
    ) throws {
        let descriptor = try #require(MetricCatalogue()[name])
        let section = try #require(Document("docs/scripting.md").section("### `metric.\(name)`"))
        var options = Set(descriptor.parameters.map(\.name))
        if descriptor.takesTarget { options.insert("target") }
        #expect(Set(firstColumn(of: section)) == options)
        guard name != "tcp" else { return }
        for measure in descriptor.measures.map(\.name) where measure != "value" {
            #expect(section.contains("`\(measure)`"), "\(measure)")
        }
    }

    @Test
    func `the options that all metrics have are in one table`() throws {
        let section = try #require(
            Document("docs/scripting.md").section("### Options of every metric")
        )
        let common = MetricCatalogue().descriptors.reduce(into: Set<String>()) { names, metric in
            let own = metric.parameters.map(\.name)
            names.formUnion(metric.parameterSet.parameters.map(\.name).filter { !own.contains($0) })
        }
        #expect(Set(firstColumn(of: section)) == common)
    }

    @Test(arguments: TargetKind.allCases)
    func `each target has a section, and its options are named`(_ kind: TargetKind) throws {
        let scripting = try Document("docs/scripting.md")
        let section = try #require(scripting.section("### `target.\(kind.rawValue)`"))
        let shared = try #require(scripting.section("### How many of the matches"))
        let named = Set(firstColumn(of: section) + firstColumn(of: shared))
        for option in kind.parameterSet.parameters.map(\.name) {
            #expect(named.contains(option), "\(option)")
        }
    }

    @Test
    func `experiment, steady_state and blast_radius have their options`() throws {
        let scripting = try Document("docs/scripting.md")
        func options(_ heading: String) throws -> Set<String> {
            Set(firstColumn(of: try #require(scripting.section("## \(heading)"))))
        }
        let experiment =
            ExperimentOptions.plain.parameters.map(\.name) + ExperimentOptions.live.map(\.name)
        #expect(try options("experiment") == Set(experiment))
        let steady = SteadyStateBuilder.parameterSet.parameters.map(\.name)
        #expect(try options("steady_state") == Set(steady + [SteadyStateBuilder.metrics.name]))
        let radius = BlastRadiusOptions.parameterSet.parameters.map(\.name)
        #expect(try options("blast_radius") == Set(radius))
    }

    @Test
    func `every verb is in the table of verbs`() throws {
        let section = try #require(Document("docs/scripting.md").section("## Verbs"))
        let named = Set(
            firstColumn(of: section).map { String($0.prefix { $0 != "(" }) }
        )
        let verbs = Primitives.all.map { $0.signature.name }.filter { $0 != "steady_state" }
        #expect(named == Set(verbs + ["log", "print"]))
    }

    @Test
    func `what tests of scripts may say is in the tables`() throws {
        let testing = try Document("docs/testing.md")
        func named(_ heading: String) throws -> Set<String> {
            Set(
                firstColumn(of: try #require(testing.section("## \(heading)"))).map { code in
                    String(code.prefix { $0 != "(" }.split(separator: ".").last ?? "")
                }
            )
        }
        #expect(try named("Options of a run") == Set(TestOptions.ofRun))
        let ofDayOnly = Set(TestOptions.ofDay).subtracting(TestOptions.ofRun)
        #expect(try named("GameDays") == ofDayOnly)
        #expect(Set(TestOptions.ofRun).subtracting(TestOptions.ofDay) == ["experiment", "at"])
        let functions = Expectations.functions(LuaVM()).keys + ["run", "gameday"]
        #expect(try named("What `t` has") == Set(functions))
    }

    @Test(arguments: [
        ("retry", "retry"), ("patterns", "kill_one"), ("patterns", "ramp"),
    ])
    func `each option of the library is in a table, with its type in the module`(
        _ module: String,
        _ function: String
    ) throws {
        let file = Document.root.appending(path: "stdlib/moonquake/\(module).lua")
        let text = try String(decoding: Data(contentsOf: file), as: UTF8.self)
        let start = try #require(text.firstRange(of: "---@class moonquake.\(function)\n"))
        let lines = text[start.upperBound...].split(separator: "\n")
        let fields = lines.prefix { $0.hasPrefix("---@field ") }.map { line in
            String(line.split(separator: " ")[1].filter { $0 != "?" })
        }
        let section = try #require(
            Document("docs/scripting.md").section("### `moonquake.\(module)`")
        )
        #expect(!fields.isEmpty)
        #expect(Set(fields).isSubset(of: Set(firstColumn(of: section))), "\(fields)")
    }

    @Test
    func `every name that a script can use is documented`() async throws {
        let file = try ScriptFile(prompt: "names")
        let context = BuilderContext(
            file: file,
            faults: FaultCatalogue.all.withoutShadows,
            metrics: MetricCatalogue(),
            inputs: DefinitionInputs()
        )
        let environment = ScriptEnvironment(
            context: context,
            libraryFolders: [],
            seed: 1,
            topLevelTime: .seconds(5),
            host: ScriptHost()
        )
        let bare = await Set(LuaVM().registered)
        let names = try await environment.open().vm.registered.filter { !bare.contains($0) }
        #expect(names.count > 40)
        let scripting = try Document("docs/scripting.md").text
        let documents = try ["docs/scripting.md", "docs/gamedays.md"].map { try Document($0).text }
        let faults = try Document("docs/faults.md")
        for name in names {
            if name.hasPrefix("fault.") {
                #expect(faults.section("## `\(name.dropFirst(6))`") != nil, "\(name)")
                #expect(scripting.contains("fault.FAMILY.KIND"))
            } else {
                let shown = try Regex("`(day\\.)?\(name.replacing(".", with: "\\."))(?![a-z_.])")
                #expect(documents.contains { $0.contains(shown) }, "\(name)")
            }
        }
    }
}
