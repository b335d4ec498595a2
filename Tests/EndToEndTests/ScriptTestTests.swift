// `moonquake test`: the same seed gives the same bytes, no time is waited for, and what is wrong is said at its line.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct ScriptTestTests {
    /// An experiment with chance in it: half of six processes, a share of the traffic of two namespaces, and values that
    /// the test makes up with `math.random`.
    private static let script = """
        experiment "half of the shop stops" {
          steady_state = {
            every = "1s", warmup = "3s", recovery = "20s",
            metrics = {
              errors = metric.http { url = "http://10.9.0.1/", below = "50%" },
              p99    = metric.http { url = "http://10.9.0.1/", measure = "p99", below = "300ms" },
              shops  = metric.process { target = target.process { name = "shop" }, measure = "alive", above = 0 },
              own    = metric.lua { function() return math.random() end, below = 2 },
            },
          },
          run = function()
            inject(fault.process.pause { target = target.process { name = "shop", percent = "50%" } })
            inject(fault.network.latency {
              target = target.netns { name = { "a", "b" } }, to = "db.test", delay = "100ms",
            })
            wait "10m"
            log("a word", os.time())
            check_metric("errors < 50%", { within = "5s" })
          end,
        }
        """

    private static let tests = """
        local machine = { processes = { shop = 6 }, netns = { "a", "b" }, hosts = { ["db.test"] = "10.9.0.3" } }
        local metrics = {
          errors = function(now) return (1 - now.running.shop / 6) * 0.9 * math.random() end,
          p99    = function(now) return 0.01 + (now.faults["network.latency"] and now.faults["network.latency"].delay or 0) end,
        }
        test("it holds", function(t)
          local run = t.run("half.lua", { machine = machine, metrics = metrics })
          t.equal(run.verdict, "held")
          t.equal(#run.faults, 5)
          t.equal(run.metrics.p99.during.maximum, 0.11)
        end)
        test("the agent dies, and somebody presses Ctrl-C", function(t)
          for _, what in ipairs { "agent_dies", "interrupt" } do
            local run = t.run("half.lua", {
              machine = machine, metrics = metrics, at = { ["30s"] = function(m) m[what]() end },
            })
            t.equal(run.restoration, "restored")
          end
        end)
        """

    private func test(
        _ box: Sandbox,
        _ arguments: String...
    ) throws -> (code: Int32, output: String, errors: String, took: Duration) {
        let began = ContinuousClock.now
        let program = try box.start([Moonquake.path, "test"] + arguments)
        let code = try program.ended()
        return (code, program.output, program.errors, ContinuousClock.now - began)
    }

    private func write(_ box: Sandbox, _ tests: String, script: String = script) throws -> String {
        _ = try box.write("half.lua", script)
        return try box.write("half_test.lua", tests)
    }

    /// What is kept of all runs of a file, by name.
    private func kept(_ box: Sandbox, _ folder: String) throws -> [String: String] {
        let path = "\(box.folder)/\(folder)/half_test.lua"
        let names = File.names(in: path)
        return Dictionary(
            uniqueKeysWithValues: try names.map { ($0, try #require(File.text("\(path)/\($0)"))) }
        )
    }

    @Test
    func `the same seed gives the same journals and reports, byte for byte`() throws {
        try Sandbox.with { box in
            let file = try write(box, Self.tests)
            for folder in ["1", "2", "3"] {
                let seed = folder == "3" ? "8" : "7"
                let run = try test(box, file, "--seed", seed, "--keep", "\(box.folder)/\(folder)")
                #expect(run.code == 0, "\(run.output)\(run.errors)")
            }
            let first = try kept(box, "1")
            let names = [
                "1-1.journal.jsonl", "1-1.report.json", "2-1.journal.jsonl", "2-1.report.json",
                "2-2.journal.jsonl", "2-2.report.json",
            ]
            #expect(first.keys.sorted() == names)
            let journal = try #require(first[names[0]])
            #expect(journal.matches(of: /"entry":"injected"/).count == 5)
            #expect(journal.hasSuffix("\"entry\":\"closed\"}\n"))
            #expect(try kept(box, "2") == first)
            #expect(try kept(box, "3")[names[0]] != journal, "another seed chooses others")
        }
    }

    @Test(.rounds)
    func `the minutes of a script take milliseconds, and nothing of this machine is touched`()
        throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let file = try write(
                box,
                """
                test("a sleep of this machine is none of the made-up one", function(t)
                  for _ = 1, 10 do
                    local run = t.run("half.lua", { machine = { processes = { sleep = 1 } }, metrics = { up = 1 } })
                    t.equal(run.verdict, "held")
                    t.equal(run.faults[1].reverted_ms - run.faults[1].injected_ms, 9 * 60 * 1000)
                  end
                end)
                """,
                script: """
                    steady_state { every = "10s", metrics = { up = metric.command { run = { "/bin/false" }, equals = 1 } } }
                    inject(fault.process.pause { target = target.process { name = "sleep" } })
                    wait "9m"
                    """
            )
            let run = try test(box, file)
            #expect(run.code == 0, "\(run.output)\(run.errors)")
            #expect(run.took < .seconds(20), .ofFigure("ninety minutes took \(run.took)"))
            #expect(Proc.state(of: sleeper.pid) != "T")
        }
    }

    @Test
    func `faults of requests find their port where the made-up machine has one`() throws {
        try Sandbox.with { box in
            let file = try write(
                box,
                """
                local metrics = { up = 1 }
                local function run(t, kind, machine)
                  return t.run("half.lua", { machine = machine, metrics = metrics, params = { kind = kind } })
                end
                test("anywhere", function(t)
                  for _, kind in ipairs { "http.latency", "http.error", "http.abort", "http.bandwidth", "grpc.error", "grpc.latency" } do
                    local result = run(t, kind)
                    t.equal(result.verdict, "held", kind)
                    t.equal(result.faults[1].name, kind)
                  end
                end)
                test("at the one that listens", function(t)
                  local result = run(t, "http.error", { netns = { "shop" }, processes = { shop = { count = 2, port = 9090 } } })
                  t.equal(result.verdict, "held")
                  t.contains(result.journal[2] .. result.journal[3], '"port":9090')
                end)
                test("not where several or none do", function(t)
                  local two = run(t, "http.error", { netns = { "shop" }, processes = { a = { port = 1 }, b = { port = 2 } } })
                  t.equal(two.exit_code, 2)
                  t.contains(two.error.message, "ports 1, 2 are listened on")
                  t.contains(run(t, "http.error", { netns = { "shop" } }).error.message, "nobody listens")
                end)
                """,
                script: """
                    local kind = params { kind = { type = "string" } }.kind
                    local family, name = kind:match("(%a+)%.(%a+)")
                    experiment "found" {
                      steady_state = { every = "1s", metrics = { up = metric.command { run = { "/bin/false" }, equals = 1 } } },
                      run = function()
                        inject(fault[family][name] {
                          target = target.netns { name = "shop" },
                          delay = name == "latency" and "100ms" or nil, rate = name == "bandwidth" and "1mbit" or nil,
                        })
                        wait "5s"
                      end,
                    }
                    """
            )
            let run = try test(box, file)
            #expect(run.code == 0, "\(run.output)\(run.errors)")
        }
    }

    @Test
    func `what does not hold is told with its line, and with what the run says`() throws {
        try Sandbox.with { box in
            let file = try write(
                box,
                """
                local function check(t, run)
                  t.equal(run.verdict, "deviated", "verdict")
                end
                test("fine", function(t) t.ok(true) end)
                test("not so", function(t)
                  print("before the run")
                  check(t, t.run("half.lua", { metrics = { m = 3 } }))
                end)
                """,
                script: """
                    experiment "quiet" {
                      steady_state = { metrics = { m = metric.command { run = { "/bin/false" }, below = 5 } } },
                      faults = { fault.noop { target = target.host {} } }, duration = "1s",
                    }
                    """
            )
            let run = try test(box, file)
            #expect(run.code == 1)
            let times = /\(?[0-9.]+(us|ms|s)\)?/
            #expect(
                run.output.replacing(times, with: "TIME") == """
                    \(file)
                      ok   fine TIME
                      FAIL not so TIME
                           | before the run
                           \(file):2: verdict: expected "deviated", got "held"
                             \(file):2: in function 'check'
                             \(file):7: in the function defined at line 5
                           the last run, "quiet": verdict held, status completed, restored, exit 0
                             every metric stayed healthy and every check held
                    2 tests: 1 passed, 1 failed, TIME (seed 1)

                    """
            )
            let filtered = try test(box, file, "--filter", "fine")
            #expect(filtered.code == 0)
            #expect(filtered.output.contains("1 test: 1 passed, 0 failed"))
        }
    }

    static let mistakes = [
        ("t.run(\"half.lua\")", "half.lua watches errors, p99, and the test says nothing of it"),
        (
            "t.run(\"half.lua\", { metric = {} })",
            "unknown option \"metric\"; did you mean \"metrics\"?"
        ),
        ("t.run(\"none.lua\")", "none.lua: no such file or directory"),
        ("t.run(\"half.lua\", { experiment = \"half of the shop stop\" })", "did you mean"),
        ("t.run(\"half.lua\", { params = { x = 1 } })", "has no parameter \"x\"; it declares none"),
        ("t.run(\"half.lua\", { at = { soon = print } })", "at takes times with functions"),
        ("t.run(\"half.lua\", { machine = { process = {} } })", "did you mean \"processes\"?"),
        ("t.gameday(\"half.lua\")", "defines no GameDay: use t.run"),
        (
            "t.run(\"half.lua\", { metrics = { p99 = 0, errors = function() return nope end } })",
            "the global nope is unknown"
        ),
        ("t.near(1, 2, 0.5)", "expected 2 within 0.5, got 1"),
        (
            "t.equal({ 1, a = { 2 } }, { 1, a = { 3 } })",
            "expected { 1, a = { 3 } }, got { 1, a = { 2 } }"
        ),
        ("t.contains({ 1, 2 }, 3)", "3 is not in { 1, 2 }"),
        ("t.raises(function() end)", "expected an error, and none was raised"),
        ("t.raises(function() error(\"a\") end, \"b\")", "expected an error with \"b\", got \"a\""),
        ("while true do end", "used up 200000000 instructions"),
    ]

    @Test(arguments: mistakes)
    func `a mistake is told with its line`(_ call: String, _ said: String) throws {
        try Sandbox.with { box in
            let file = try write(box, "test(\"x\", function(t)\n  \(call)\nend)")
            let run = try test(box, file)
            #expect(run.code == 1)
            #expect(run.output.contains(said), "\(run.output)")
            #expect(run.output.contains("\(file):2"), "\(run.output)")
        }
    }

    @Test(arguments: [
        ("test(", "unexpected symbol near <eof>"), ("", "declares no test"),
        ("test(\"x\")", "write test(\"name\", function(t) … end)"),
        ("for _ = 1, 2 do test(\"x\", print) end", "two tests are called \"x\""),
        ("inject()", "the global inject is unknown"),
    ])
    func `a file that is no file of tests is refused`(_ text: String, _ said: String) throws {
        try Sandbox.with { box in
            let run = try test(box, try write(box, text))
            #expect(run.code == 2)
            #expect(run.errors.contains(said), "\(run.errors)")
        }
    }

    @Test
    func `a filter that lets no test through is refused`() throws {
        try Sandbox.with { box in
            let file = try write(box, "test(\"x\", print)")
            let run = try test(box, file, "--filter", "y")
            #expect(run.code == 2)
            #expect(run.errors.contains("no test has \"y\" in its name"))
        }
    }

    @Test
    func `a body that loops without end is ended, and its faults are put back`() throws {
        try Sandbox.with { box in
            let file = try write(
                box,
                """
                test("x", function(t)
                  local run = t.run("half.lua")
                  t.equal(run.status, "failed")
                  t.contains(run.error.message, "used up 200000000 instructions")
                  t.equal(run.restoration, "restored")
                  t.equal(run.faults[1].outcome, "reverted")
                end)
                """,
                script: """
                    inject(fault.process.pause { target = target.process { name = "shop" } })
                    wait "1s"
                    while true do end
                    """
            )
            let run = try test(box, file)
            #expect(run.code == 0, "\(run.output)")
        }
    }

    @Test
    func `the tests of the tree pass`() throws {
        try Sandbox.with { box in
            let files = ["scripts/tests", "stdlib/tests"].flatMap { folder in
                let path = "\(Moonquake.tree)/\(folder)"
                return File.names(in: path).filter { $0.hasSuffix("_test.lua") }.map {
                    "\(path)/\($0)"
                }
            }
            #expect(files.count >= 6)
            let program = try box.start([Moonquake.path, "test"] + files)
            #expect(try program.ended() == 0, "\(program.output)\(program.errors)")
        }
    }
}
