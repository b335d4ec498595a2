// However a script fails while its faults are on, they are reverted, and the message names the line.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct ScriptFailureTests {
    /// A way to fail, and a part of what is said about it.
    struct Failure: Sendable, CustomTestStringConvertible {
        let name: String
        let lua: String
        let said: String
        var code: Int32 = 2
        /// Lua tells no line when memory is over.
        var line = ":7"

        var testDescription: String { name }
    }

    static let failures = [
        Failure(name: "error with a text", lua: "error('boom')", said: "boom"),
        Failure(name: "error with a table", lua: "error({ code = 7 })", said: "fail.lua:"),
        Failure(name: "error with nil", lua: "error(nil)", said: "nil"),
        Failure(
            name: "error whose text cannot be made",
            lua: "error(setmetatable({}, { __tostring = function() error('again') end }))",
            said: "fail.lua"
        ),
        Failure(name: "an index of nil", lua: "local t = nil; t.x = 1", said: "index a nil value"),
        Failure(name: "an unknown name", lua: "undefined_name()", said: "undefined_name"),
        Failure(name: "a new global", lua: "counter = 1", said: "counter"),
        Failure(
            name: "a failed assert",
            lua: "assert(1 == 2, 'sums are off')",
            said: "sums are off"
        ),
        Failure(
            name: "a string too large",
            lua: "local s = string.rep('x', 1 << 40)",
            said: "fail.lua:"
        ),
        Failure(
            name: "out of memory by a table",
            lua: "local t = {}; while true do t[#t + 1] = ('x'):rep(10000) .. #t end",
            said: "memory",
            line: ""
        ),
        Failure(
            name: "out of memory by a string",
            lua: "local s = 'x'; while true do s = s .. s end",
            said: "memory",
            line: ""
        ),
        Failure(
            name: "endless recursion",
            lua: "local function f() return 1 + f() end; f()",
            said: "memory",
            line: ""
        ),
        Failure(
            name: "an error in a <close>",
            lua:
                "local c <close> = setmetatable({}, { __close = function() error('in close') end })",
            said: "in close"
        ),
        Failure(
            name: "an error and one in a <close>",
            lua:
                "local c <close> = setmetatable({}, { __close = function() error('second') end }); error('first')",
            said: "second"
        ),
        Failure(
            name: "an error inside of a callback",
            lua: "table.sort({ 3, 1, 2 }, function() error('in sort') end)",
            said: "in sort"
        ),
        Failure(name: "a bare number to wait", lua: "wait(-1)", said: "wait"),
        Failure(name: "an unknown unit", lua: "wait '5 parsecs'", said: "5 parsecs"),
        Failure(name: "an unknown metric", lua: "check_metric('latency < 3')", said: "latency"),
        Failure(name: "a broken condition", lua: "abort_if('alive >')", said: "abort_if"),
        Failure(name: "inject of nothing", lua: "inject(nil)", said: "inject"),
        Failure(
            name: "a wrong option",
            lua: "inject(fault.noop { target = target.host {}, speed = 1 })",
            said: "speed"
        ),
        Failure(name: "rollback of a number", lua: "rollback(42)", said: "rollback"),
        Failure(name: "an abort of its own", lua: "abort('enough')", said: "enough", code: 3),
        Failure(
            name: "an abort that it catches",
            lua: "pcall(abort, 'enough'); while true do end",
            said: "enough",
            code: 3
        ),
        Failure(name: "a missing module", lua: "require('nowhere')", said: "nowhere"),
    ]

    @Test(arguments: failures)
    func `a script that fails while its faults are on has them reverted`(_ failure: Failure) throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            // The rehearsal, which has no real target, stays away from the line that fails.
            let script = try box.write(
                "fail.lua",
                """
                local alive = metric.process { target = target.process { pid = \(sleeper.pid) }, measure = "alive" }
                experiment "one that fails" {
                  steady_state = { metrics = { alive = alive } },
                  run = function()
                    local pause = inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })
                    if pause.targets[1]:find("process 0 ", 1, true) then return end
                    \(failure.lua)
                  end,
                }
                """
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == failure.code, "\(run.errors)\(run.output)")
            #expect(run.output.contains(failure.said), "\(run.output)")
            let report = try box.lastReport()
            #expect(report.faults.map(\.outcome) == [.reverted])
            #expect(report.restoration == .restored)
            #expect(Proc.state(of: sleeper.pid) != "T")
            #expect(box.openJournals().isEmpty)
            if failure.code == 2 {
                #expect(
                    run.output.contains("fail.lua" + failure.line),
                    "the place must be named: \(run.output)"
                )
            }
        }
    }

    @Test(
        .rounds,
        arguments: [
            #"abort_if("alive < 1")"#,
            #"abort_if(function() return check() end, "a function")"#,
            "",
        ]
    )
    func `a rule or a threshold aborts a script in while true do end`(rule: String) throws {
        try Sandbox.with { box in
            let paused = try box.sleeper()
            let watched = try box.sleeper()
            let isFunction = rule.contains("function")
            let threshold = rule.isEmpty ? ", abort_below = 1" : ""
            let script = try box.write(
                "loop.lua",
                """
                local function check() return \(isFunction ? "os.time() > \(time(nil) + 8)" : "false") end
                experiment "a loop" {
                  steady_state = { every = "100ms", metrics = {
                    alive = metric.process {
                      target = target.process { pid = \(watched.pid) }, measure = "alive"\(threshold) },
                  } },
                  run = function()
                    \(rule)
                    local _ = check
                    local pause = inject(fault.process.pause { target = target.process { pid = \(paused.pid) } })
                    if pause.targets[1]:find("process 0 ", 1, true) then return end
                    while true do end
                  end,
                }
                """
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            #expect(Proc.state(of: paused.pid) == "T")
            if !isFunction {
                watched.signal(SIGKILL)
                try watched.ended()
            }
            let began = ContinuousClock.now
            #expect(eventually(within: .seconds(20)) { Proc.state(of: paused.pid) != "T" })
            let took = (ContinuousClock.now - began).milliseconds
            print(
                "aborted out of the loop \(isFunction ? "by a function" : "\(shown(took)) after the breach")"
            )
            if !isFunction { #expect(took < 1500, .ofFigure) }
            #expect(try runner.ended() == 3, "\(runner.errors)")
            #expect(try box.lastReport().restoration == .restored)
        }
    }

    @Test
    func `SIGINT ends a script that loops and swallows every error`() throws {
        try Sandbox.with { box in
            let paused = try box.sleeper()
            let script = try box.write(
                "stubborn.lua",
                """
                local pause = inject(fault.process.pause { target = target.process { pid = \(paused.pid) } })
                if pause.targets[1]:find("process 0 ", 1, true) then return end
                while true do pcall(function() while true do end end) end
                """
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            runner.signal(SIGINT)
            #expect(eventually(within: .seconds(2)) { Proc.state(of: paused.pid) != "T" })
            #expect(try runner.ended(within: .seconds(10)) == 130)
        }
    }

    @Test
    func `a fault of a scope that ends is reverted while the run goes on`() throws {
        try Sandbox.with { box in
            let paused = try box.sleeper()
            let script = try box.write(
                "scope.lua",
                """
                do
                  local pause <close> = inject(fault.process.pause { target = target.process { pid = \(paused.pid) } })
                end
                observe("after the scope")
                wait "60s"
                """
            )
            let runner = try box.begin("run", script)
            #expect(eventually { runner.errors.contains("after the scope") })
            #expect(Proc.state(of: paused.pid) != "T")
            runner.signal(SIGINT)
            #expect(try runner.ended(within: .seconds(10)) == 130)
        }
    }
}
