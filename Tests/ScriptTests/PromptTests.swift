// The prompt without a terminal: what TAB means at each place, and which inputs keep their variables.

import ChaosFaults
import ChaosModel
import ChaosSteadyState
import Testing

@testable import ChaosScript

@Suite
struct `A prompt` {
    private static let completion = PromptCompletion(
        PromptNames(faults: .all, metrics: MetricCatalogue()),
        commands: ["help ", "plan ", "undo "]
    )

    private func complete(_ text: String) -> PromptCompletion.Found {
        Self.completion.complete(text, metrics: ["error_rate", "p99"], variables: ["held"])
    }

    @Test(arguments: [
        ("inj", "ect"), ("und", "o "), ("he", "l"), ("hel", ""), ("held.x = inj", "ect"),
        ("fault.net", "work."), ("x = fault.network.lat", "ency {"),
        ("help fault.network.lat", "ency"), ("plan fault.network.lat", "ency {"),
        ("inject(fault.network.latency { del", "ay = "),
        ("inject(fault.network.latency {\n  target = t,\n  jit", "ter = "),
        ("inject(fault.process.pause { target = ", "target."),
        ("target.process { nam", "e = "),
        ("fault.process.pause { target = target.netns { na", "me = "),
        ("fault.network.partition { protocol = \"u", "dp\""),
        ("metric.ht", "tp {"), ("steady_state { warm", "up = "),
        ("check_metric(\"p9", "9"), ("abort_if \"p99 > 2s and err", "or_rate"),
        ("print(\"fault.net", ""), ("nothing.like.thi", ""),
    ])
    func `TAB inserts what is certain`(_ text: String, _ insert: String) {
        #expect(complete(text).insert == insert, "\(text): \(complete(text).choices)")
    }

    @Test
    func `the choices are those of the descriptors`() throws {
        let families = Set(
            FaultCatalogue.all.types.map { "fault.\($0.descriptor.name.prefix { $0 != "." })." }
        )
        let found = Set(complete("fault.").choices.map { $0.hasSuffix(".") ? $0 : "other" })
        #expect(families.subtracting(["fault.noop."]).isSubset(of: found))
        let latency = try #require(FaultCatalogue.all["network.latency"]?.descriptor)
        let options = latency.parameterSet.parameters.map { "\($0.name) = " } + ["target = "]
        #expect(complete("fault.network.latency { ").choices == options.sorted())
        let given = complete("fault.network.latency { delay = \"1ms\", ").choices
        #expect(given == options.filter { $0 != "delay = " }.sorted())
    }

    @Test(arguments: [
        ("local x = 1", "x = 1"), ("local a, b = f()", "a, b = f()"),
        ("\nlocal x = 1", "\nx = 1"), ("local function f() end", "function f() end"),
        ("local x <close> = f()", "local x <close> = f()"), ("locals = 1", "locals = 1"),
        ("f() local x = 1", "f() local x = 1"),
    ])
    func `a first local is kept for the next input`(_ text: String, _ kept: String) {
        #expect(Prompt.keeping(text) == kept)
    }

    @Test
    func `every name has help, and a family lists its own`() throws {
        let names = PromptNames(faults: .all, metrics: MetricCatalogue())
        for entry in names.all {
            let help = try #require(names.help(entry.name))
            #expect(help.first == "\(entry.name): \(entry.summary)")
            #expect(!entry.summary.isEmpty)
        }
        #expect(names.help("fault.dns")?.count == 4)
        #expect(names.help("fault.nothing") == nil)
    }
}
