// What a script may get wrong, and the one message that says so. The texts are pinned: users read them.

import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite
struct `Refusing a script` {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    @Test(arguments: [
        (
            "fault.noop { target = target.host {}, duraton = '1s' }",
            "noop: unknown option \"duraton\"; did you mean \"duration\"? (x.lua:1)"
        ),
        (
            "fault.noop { target = target.host {}, duration = 30 }",
            "noop: duration needs a unit: write \"30s\", got the bare number 30 (x.lua:1)"
        ),
        (
            "fault.noop { target = target.host {}, duration = '30 parsecs' }",
            "noop: duration must be a duration such as \"250ms\" or \"2m\", got \"30 parsecs\" (x.lua:1)"
        ),
        (
            "fault.network.partition { to = '10.0.0.1' }",
            "network.partition: target is missing: write target = target.netns { name = \"shop\" } (x.lua:1)"
        ),
        (
            "fault.process.pause { target = 'nginx' }",
            "process.pause: target must be a target: write target = target.process { name = \"nginx\" }, "
                + "got a string \"nginx\" (x.lua:1)"
        ),
        (
            "fault.process.pause { target = target.host {} }",
            "process.pause: target must be one of target.process, target.container, target.systemd, got target.host (x.lua:1)"
        ),
        (
            "fault.noop { target = target.host {}, duration = print }",
            "noop: duration must be a plain value, got a function (x.lua:1)"
        ),
        (
            "fault.noop { target.host {} }",
            "noop: every option has a name, got a target without one (x.lua:1)"
        ),
        (
            "fault.noop()",
            "fault.noop: expects a table: write fault.noop { target = target.host {} }, got nothing (x.lua:1)"
        ),
        (
            "fault.network.partition { target = target.host {}, to = { '10.0.0.1', port = 3 } }",
            "network.partition: to mixes a list and named fields: use one of them (x.lua:1)"
        ),
        (
            "\nfault.network.partion {}",
            "fault.network.partion: unknown; did you mean fault.network.partition? (x.lua:2)"
        ),
        (
            "target.process {}",
            "target.process: selects every process: give at least one of pid, name, command, exe, user, port, "
                + "cgroup (x.lua:1)"
        ),
        (
            "target.process { name = 7 }",
            "target.process: name must be a string such as \"nginx\", got 7 (x.lua:1)"
        ),
        (
            "target.process 'nginx'",
            "target.process: expects a table: write target.process { name = \"nginx\" }, got a string \"nginx\" "
                + "(x.lua:1)"
        ),
        (
            "metric.http { url = 'http://h/', below = 5 }",
            "metric.http: below needs a unit: write \"5%\", got the bare number 5 (the measure is error_rate) "
                + "(x.lua:1)"
        ),
        (
            "metric.process { measure = 'cpu' }",
            "metric.process: target is missing: write target = target.process { name = \"nginx\" } (x.lua:1)"
        ),
        (
            "metric.lua(3)",
            "metric.lua: expects a function: write metric.lua(function() … end), or metric.lua { function() … end, "
                + "below = 3 }, got the number 3 (x.lua:1)"
        ),
        (
            "metric.command { run = { 'true' }, window = '5s' }",
            "metric.command: window is for metrics that compute over a span; a command metric "
                + "is read at each sample (x.lua:1)"
        ),
        (
            "steady_state { evry = '1s' }",
            "steady_state: unknown option \"evry\"; did you mean \"every\"? (x.lua:1)"
        ),
        (
            "steady_state { metrics = { metric.lua(print) } }",
            "steady_state: metrics must name each metric: write metrics = { p99 = metric.http {…} }, got a list "
                + "(x.lua:1)"
        ),
        (
            "steady_state { metrics = { p99 = 3 } }",
            "steady_state: metrics.p99 must be a metric such as metric.http {…}, got the number 3 (x.lua:1)"
        ),
    ])
    func `a builder says what is wrong`(text: String, message: String) async {
        #expect(await folder.refusal(text) == message)
    }

    @Test(arguments: [
        (
            "experiment 'x' { run = function() end, onwer = 'me' }",
            "experiment: unknown option \"onwer\"; did you mean \"owner\"? (x.lua:1)"
        ),
        (
            "experiment 'x' { owner = 'me' }",
            "experiment: run is missing: write run = function() … end, or faults = { … } and duration = \"30s\" "
                + "(x.lua:1)"
        ),
        (
            "experiment 'x' { run = function() end, faults = { fault.noop { target = target.host {} } } }",
            "experiment: run and faults exclude each other: give one of them (x.lua:1)"
        ),
        (
            "experiment 'x' { run = function() end, duration = '1s' }",
            "experiment: duration goes with faults: a body decides by itself how long it takes (x.lua:1)"
        ),
        (
            "experiment 'x' { faults = { fault.noop { target = target.host {} } } }",
            "experiment: duration is missing: write duration = \"30s\", as long as the faults stay on (x.lua:1)"
        ),
        (
            "experiment 'x' { faults = { 'noop' }, duration = '1s' }",
            "experiment: faults must be a list of faults: write faults = { fault.noop {…} }, got a string \"noop\" "
                + "(x.lua:1)"
        ),
        (
            "experiment 'x' { faults = {}, duration = '1s' }",
            "experiment: faults must be a list of faults: write faults = { fault.noop {…} }, got a table (x.lua:1)"
        ),
        (
            "experiment 'x' { run = 'inject' }",
            "experiment: run must be a function: write run = function() … end, got a string \"inject\" (x.lua:1)"
        ),
        (
            "experiment 'x' { run = function() end, blast_radius = { targets = '150%' } }",
            "blast_radius: targets must be a share between 0% and 100% such as \"50%\", or a number of targets from "
                + "1, got \"150%\" (x.lua:1)"
        ),
        (
            "experiment 'x' { run = function() end, tags = { 1 } }",
            "experiment: tags must be a string such as \"database\", got 1 (x.lua:1)"
        ),
        (
            "experiment { run = function() end }",
            "experiment: expects a title: write experiment \"title\" { … }, got a table (x.lua:1)"
        ),
        (
            "experiment ''",
            "experiment: the title must be 1 to 200 characters without control characters, got \"\" (x.lua:1)"
        ),
        (
            "experiment 'a\\nb' {}",
            "experiment: the title must be 1 to 200 characters without control characters, got \"a\\nb\" (x.lua:1)"
        ),
        (
            "\nexperiment 'x'",
            "experiment: the title is followed by no table: write experiment \"x\" { run = function() … end } "
                + "(x.lua:2)"
        ),
        (
            "experiment 'x' { run = function() end }\nexperiment 'x' { run = function() end }",
            "experiment: two experiments have the title \"x\": give each its own (x.lua:2)"
        ),
        (
            "experiment 'x' { run = function() end }\nwait '1s'",
            "wait: a file that defines an experiment cannot call primitives at its top level: move the call into "
                + "run = function() … end (x.lua:2)"
        ),
        ("local a = 1", "x.lua: defines no experiment and calls no primitive"),
        ("", "x.lua: defines no experiment and calls no primitive"),
    ])
    func `an experiment says what is wrong`(text: String, message: String) async {
        #expect(await folder.refusal(text) == message)
    }

    @Test(arguments: [
        ("\n\nlocal = 3", "syntax error: <name> expected near '=' (x.lua:3)"),
        ("error('on purpose')", "on purpose (x.lua:1)"),
        ("local t = nil\nlocal v = t.x", "attempt to index a nil value (local 't') (x.lua:2)"),
        ("foo()", "script: the global foo is unknown (x.lua:1)"),
        ("foo = 1", "script: cannot assign the global foo: use local foo (x.lua:1)"),
        ("fault.noop = 1", "script: cannot assign fault.noop: fault is read-only (x.lua:1)"),
        (
            "fault.noop(fault)",
            "fault.noop: argument 1: a namespace is no value: pass one of its functions (x.lua:1)"
        ),
        (
            "local function f() return 1 + f() end f()",
            "not enough memory: 5242960 bytes at once, allowed are 4194304 (a large string or table, or a recursion "
                + "without end) (x.lua)"
        ),
        ("('x'):rep(1e9)", "string.rep: the result would be larger than 4194304 bytes (x.lua:1)"),
        (
            "local t <close> = setmetatable({}, { __close = function() error('closing') end })",
            "closing (x.lua:1)"
        ),
        ("io.write('x')", "script: the global io is unknown (x.lua:1)"),
        (
            "pcall(fault.noop, {})\nexperiment 'x' { run = function() end }",
            "noop: target is missing: write target = target.host {} (x.lua:1)"
        ),
    ])
    func `what is wrong in Lua is said with its line`(text: String, message: String) async {
        let refusal = await folder.refusal(text)
        #expect(refusal.hasPrefix(message), "\(refusal)")
    }

    @Test
    func `a syntax error is one`() async throws {
        do throws(ScriptError) {
            _ = try await folder.load("\nlocal x = = 1")
            Issue.record("accepted")
        } catch {
            guard case .syntax(_, let location) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(location.line == 2)
        }
    }

    @Test
    func `an error comes with the calls that led there`() async throws {
        do throws(ScriptError) {
            _ = try await folder.load(
                "local function f() error('deep') end\nlocal function g() f() end\ng()"
            )
            Issue.record("accepted")
        } catch {
            #expect(error.traceback.contains("x.lua:1"))
            #expect(error.traceback.contains("x.lua:3"))
        }
    }

    @Test
    func `files that cannot be read say why`() async throws {
        let loader = folder.loader()
        await #expect(throws: ScriptError.self) { try await loader.load(file: "/no/such/x.lua") }
        do throws(ScriptError) {
            _ = try await loader.load(file: "/no/such/x.lua")
        } catch {
            #expect(error.description == "cannot read /no/such/x.lua: no such file or directory")
        }
        #expect(
            await folder.refusal(String(repeating: "-", count: 1 << 20 + 1))
                == "cannot read x.lua: it is larger than 1024 KiB"
        )
        do throws(ScriptError) {
            _ = try await loader.load(file: folder.path)
        } catch {
            #expect(error.description == "cannot read \(folder.path): is a directory")
        }
    }

    @Test
    func `a top level without end is cut off`() async throws {
        let file = try folder.write("while true do end")
        do throws(ScriptError) {
            _ = try await folder.loader(topLevelTime: .milliseconds(100)).load(file: file)
            Issue.record("accepted")
        } catch {
            #expect(folder.short(error.description) == "no result within 0.1 seconds (x.lua:1)")
        }
    }
}
