// What a body does to its run, and how it ends.

import ChaosEngine
import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite
struct `Running a body` {
    private let folder: TestFolder
    private static let noop = "fault.noop { target = target.host {} }"

    init() throws { folder = try TestFolder() }

    /// An experiment with this body.
    private func body(_ text: String) async throws -> LoadedExperiment {
        try await folder.experiment(
            "local noop = \(Self.noop)\nexperiment 'x' { run = function()\n\(text)\nend }"
        )
    }

    @Test
    func `calls reach the run in their order`() async throws {
        let controls = RecordingControls(answer: CheckResult(held: true, values: ["p99": 0.25]))
        let loaded = try await body(
            """
            abort_if("p99 > 2s")
            log("before", 1, nil, true)
            local handle = inject(noop)
            log(tostring(handle), handle.fault, handle.targets[1])
            wait "1m30s"
            local figures = check_metric("p99 < 300ms and not (p99 > 1s)")
            observe(("p99 was %.2f %.2f %s"):format(figures.p99, figures.values.p99, figures.held))
            check_metric(metric.http { url = "http://h/", measure = "p99", below = "1s" })
            check_metric("p99 < 2s", { within = "5s", counts = false })
            handle:rollback()
            rollback()
            print "after"
            """
        )
        #expect(await loaded.failure(controls) == nil)
        #expect(
            controls.calls == [
                "abort if p99 > 2s line 3", "log before\t1\tnil\ttrue", "inject noop",
                "log handle of noop (1)\tnoop\thost", "wait 1m30s",
                "check p99 < 300ms and not (p99 > 1s) line 8", "observe p99 was 0.25 0.25 true",
                "check metric p99", "look p99 < 2s within 5s line 11", "rollback 1", "rollback all",
                "log after",
            ]
        )
    }

    @Test
    func `a plain script declares what it watches`() async throws {
        let controls = RecordingControls()
        let loaded = try await folder.experiment(
            """
            steady_state { metrics = { load = metric.lua(function() return 3 end) } }
            inject(\(Self.noop))
            wait "1s"
            """
        )
        #expect(await loaded.failure(controls) == nil)
        #expect(controls.calls == ["watch load", "inject noop", "wait 1s"])
    }

    @Test
    func `a declarative experiment injects all and waits`() async throws {
        let controls = RecordingControls()
        let loaded = try await folder.experiment(
            "experiment 'x' { faults = { \(Self.noop), \(Self.noop) }, duration = '30s' }"
        )
        #expect(await loaded.failure(controls) == nil)
        #expect(controls.calls == ["inject noop", "inject noop", "wait 30s"])
    }

    @Test
    func `a close variable puts its fault back at the end of its scope`() async throws {
        let controls = RecordingControls()
        let loaded = try await body(
            "do local f <close> = inject(noop) wait '1s' end wait '2s'"
        )
        #expect(await loaded.failure(controls) == nil)
        #expect(controls.calls == ["inject noop", "wait 1s", "rollback 1", "wait 2s"])
    }

    @Test
    func `a fault that was put back is not put back again at the end of its scope`() async throws {
        let controls = RecordingControls()
        let loaded = try await body(
            "local one <close> = inject(noop) local two <close> = inject(noop) rollback(one) rollback()"
        )
        #expect(await loaded.failure(controls) == nil)
        #expect(controls.calls == ["inject noop", "inject noop", "rollback 1", "rollback all"])
    }

    @Test
    func `an error in the scope of a close variable puts its fault back and goes on`() async throws
    {
        let controls = RecordingControls()
        let loaded = try await body("local f <close> = inject(noop)\nerror('no luck')")
        let failure = await loaded.failure(controls)
        #expect(failure.map { folder.short("\($0)") } == "no luck (x.lua:4)")
        guard case .raised(_, let traceback) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(traceback.contains("x.lua:4"))
        #expect(controls.calls == ["inject noop", "rollback 1"])
    }

    @Test
    func `an error of a script's own close handler is its error`() async throws {
        let controls = RecordingControls()
        let loaded = try await body(
            """
            local f <close> = inject(noop)
            local mine <close> = setmetatable({}, { __close = function() error("in close") end })
            """
        )
        let failure = await loaded.failure(controls)
        #expect(failure.map { folder.short("\($0)") } == "in close (x.lua:4)")
        #expect(controls.calls == ["inject noop", "rollback 1"])
    }

    @Test
    func `a script may catch that an injection failed`() async throws {
        let controls = RecordingControls { _ in .failed(AgentFailure(.injection, "noop: no")) }
        let loaded = try await body(
            "local ok, message = pcall(inject, noop) log(tostring(ok), (message:gsub('^.*/', ''))) wait '1s'"
        )
        #expect(await loaded.failure(controls) == nil)
        #expect(controls.calls == ["inject noop", "log false\tx.lua:3: noop: no", "wait 1s"])
    }

    @Test
    func `a failure that is not caught comes back as it was`() async throws {
        let controls = RecordingControls { _ in .failed(AgentFailure(.unavailable, "noop: no")) }
        let failure = await (try await body("inject(noop)")).failure(controls)
        guard case .control(.failed(let reason), let traceback) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(reason == AgentFailure(.unavailable, "noop: no"))
        #expect(traceback.contains("x.lua:3"))
    }

    @Test(arguments: [
        (
            "inject('x')",
            "inject: expects a fault such as fault.noop {…}, got a string \"x\" (x.lua:3)"
        ),
        (
            "inject(noop, noop)",
            "inject: takes one fault, got 2 arguments: call it once for each (x.lua:3)"
        ),
        ("inject()", "inject: expects a fault such as fault.noop {…}, got nothing (x.lua:3)"),
        (
            "wait(30)",
            "wait: the time needs a unit: write \"30s\", got the bare number 30 (x.lua:3)"
        ),
        ("wait()", "wait: expects a time such as \"30s\", got nothing (x.lua:3)"),
        (
            "wait '3 parsecs'",
            "wait: the time must be a duration such as \"250ms\" or \"2m\", got \"3 parsecs\" (x.lua:3)"
        ),
        (
            "rollback(nil)",
            "rollback: expects the handle that inject returned, got nil; rollback() puts everything back (x.lua:3)"
        ),
        (
            "check_metric('p99')",
            "check_metric: \"p99\" is no condition: expected <, <=, >, >=, == or !=, found the end (x.lua:3)"
        ),
        (
            "check_metric(metric.http { url = 'http://h/' })",
            "check_metric: the metric has no threshold to be judged by: add below, above, equals, between or one_of "
                + "(x.lua:3)"
        ),
        (
            "abort_if(3)",
            "abort_if: expects a condition such as \"error_rate > 5%\" or a function that returns true to abort, got "
                + "the number 3 (x.lua:3)"
        ),
        ("abort()", "abort: expects a reason such as \"the queue is full\", got nothing (x.lua:3)"),
        (
            "observe(3)",
            "observe: expects a text such as \"the queue drained\", got the number 3 (x.lua:3)"
        ),
        (
            "experiment 'y' {}",
            "experiment: belongs to the top level of a file, not into a body (x.lua:3)"
        ),
        (
            "steady_state {}",
            "steady_state: belongs into experiment { steady_state = … }: a body cannot change what is watched "
                + "(x.lua:3)"
        ),
        ("fault.nop {}", "fault.nop: unknown; did you mean fault.noop? (x.lua:3)"),
        (
            "table.sort({ 1, 2 }, function() wait '1s' end)",
            "script: wait cannot wait here: it was called from inside a built-in function, as table.sort and "
                + "string.gsub call theirs (x.lua:3)"
        ),
    ])
    func `a primitive says what is wrong`(text: String, message: String) async throws {
        let failure = await (try await body(text)).failure(RecordingControls())
        guard case .control(.definition(let error), _) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(folder.short("\(error)") == message)
    }

    @Test
    func `an experiment after a verb is refused`() async throws {
        let loaded = try await folder.experiment(
            "wait '1s'\nexperiment 'x' { run = function() end }"
        )
        let failure = await loaded.failure(RecordingControls())
        #expect(
            failure.map { folder.short("\($0)") }
                == "experiment: the script calls primitives at its top level, which makes it an experiment already: "
                + "move those calls into run = function() … end (x.lua:2)"
        )
    }

    @Test
    func `a script that uses up its memory says so`() async throws {
        let loaded = try await body(
            "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"
        )
        let failure = await loaded.failure(RecordingControls())
        guard case .raised(let message, _) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(message.hasPrefix("not enough memory"))
    }

    @Test
    func `every run begins afresh, with the same chance`() async throws {
        let loaded = try await folder.experiment(
            """
            local runs = 0
            experiment 'x' { run = function() runs = runs + 1 log(runs, math.random(1000000)) end }
            """
        )
        let first = RecordingControls()
        let second = RecordingControls()
        #expect(await loaded.failure(first) == nil)
        #expect(await loaded.failure(second) == nil)
        #expect(first.calls == second.calls)
        #expect(first.calls.first?.hasPrefix("log 1\t") == true)
    }

    @Test
    func `a required module may hold the body`() async throws {
        try folder.write("return function(fault) inject(fault) wait '1s' end", as: "steps.lua")
        let controls = RecordingControls()
        #expect(await (try await body("require('steps')(noop)")).failure(controls) == nil)
        #expect(controls.calls == ["inject noop", "wait 1s"])
    }
}
