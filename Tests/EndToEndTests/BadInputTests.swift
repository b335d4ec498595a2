// Bad input: one clear message on standard error, the exit code that belongs to it, and nothing touched.

import ChaosModel
import Glibc
import Testing

@Suite(.serialized)
struct BadInputTests {
    /// A definition that is wrong, and what the message must name.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let name: String
        let lua: String
        let said: [String]

        var testDescription: String { name }
    }

    private static func inject(_ fault: String) -> String { "local x = 1\ninject(\(fault))" }

    static let mistakes = [
        Mistake(
            name: "unknown option",
            lua: inject(#"fault.noop { target = target.host {}, durration = "5s" }"#),
            said: ["durration", "duration", "bad.lua:2"]
        ),
        Mistake(
            name: "bare number",
            lua: inject("fault.noop { target = target.host {}, duration = 30 }"),
            said: ["duration", "30", "30s", "bad.lua:2"]
        ),
        Mistake(
            name: "wrong unit",
            lua: inject(#"fault.noop { target = target.host {}, duration = "30 parsecs" }"#),
            said: ["duration", "30 parsecs", "bad.lua:2"]
        ),
        Mistake(
            name: "missing target",
            lua: inject("fault.noop {}"),
            said: ["target", "bad.lua:2"]
        ),
        Mistake(
            name: "a selector that selects everything",
            lua: inject("fault.process.pause { target = target.process {} }"),
            said: ["selects every process", "pid", "bad.lua:2"]
        ),
        Mistake(
            name: "a selector that matches nothing",
            lua: inject(
                #"fault.process.pause { target = target.process { name = "no-such-program" } }"#
            ),
            said: ["matches nothing", "no-such-program", "bad.lua:2"]
        ),
        Mistake(
            name: "a share that is no target",
            lua: inject(
                #"fault.process.pause { target = target.process { pid = PID, percent = "20%" } }"#
            ),
            said: ["20% of 1 is 0 targets", "at_least", "bad.lua:2"]
        ),
        Mistake(
            name: "a share over 100",
            lua: inject(
                #"fault.process.pause { target = target.process { pid = PID, percent = "150%" } }"#
            ),
            said: ["percent", "150%", "bad.lua:2"]
        ),
        Mistake(
            name: "more targets than there are",
            lua: inject("fault.process.pause { target = target.process { pid = PID, count = 4 } }"),
            said: ["4", "only 1", "bad.lua:2"]
        ),
        Mistake(
            name: "unknown namespace",
            lua: inject(
                #"fault.network.partition { target = target.netns { name = "nowhere" }, to = "10.0.0.1" }"#
            ),
            said: ["nowhere", "bad.lua:2"]
        ),
        Mistake(
            name: "a namespace that is a path",
            lua: inject(
                #"fault.network.partition { target = target.netns { name = "../x" }, to = "10.0.0.1" }"#
            ),
            said: ["../x", "bad.lua:2"]
        ),
        Mistake(
            name: "an interface with a second command",
            lua: inject(
                #"fault.network.partition { target = target.host {}, to = "10.0.0.1", interface = "d0\nflush ruleset" }"#
            ),
            said: ["interface", "bad.lua:2"]
        ),
        Mistake(
            name: "a host name with a command",
            lua: inject(#"fault.network.partition { target = target.host {}, to = "a;rm -rf /" }"#),
            said: ["to", "a;rm -rf /", "bad.lua:2"]
        ),
        Mistake(
            name: "unknown fault",
            lua: inject("fault.network.partitoin { target = target.host {} }"),
            said: ["partitoin", "partition", "bad.lua:2"]
        ),
        Mistake(name: "syntax error", lua: "local x = = 1", said: ["bad.lua:1"]),
        Mistake(
            name: "no experiment at all",
            lua: "local x = 1",
            said: ["bad.lua", "no experiment"]
        ),
        Mistake(name: "an empty file", lua: "", said: ["bad.lua", "no experiment"]),
        Mistake(
            name: "a title with a line break",
            lua: #"experiment "a\nb" { run = function() end }"#,
            said: ["title", #"a\nb"#]
        ),
        Mistake(
            name: "a title without a table",
            lua: #"experiment "lonely""#,
            said: ["lonely", "bad.lua:1"]
        ),
        Mistake(
            name: "metrics without data",
            lua:
                #"steady_state { metrics = { p99 = metric.http { url = "ftp://x", below = "1%" } } }"#,
            said: ["url", "ftp://x", "bad.lua:1"]
        ),
        Mistake(
            name: "a threshold in the wrong unit",
            lua:
                #"steady_state { metrics = { p99 = metric.http { url = "http://x/", measure = "p99", below = "1%" } } }"#,
            said: ["below", "1%", "bad.lua:1"]
        ),
    ]

    @Test(arguments: mistakes)
    func `a wrong definition is told in one message and touches nothing`(_ mistake: Mistake) throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "bad.lua",
                mistake.lua.replacing("PID", with: "\(sleeper.pid)")
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == 2, "\(run.errors)\(run.output)")
            let said = run.errors + run.output
            for part in mistake.said {
                #expect(said.contains(part), "\(part) is missing in: \(said)")
            }
            #expect(Proc.state(of: sleeper.pid) != "T")
            #expect(!box.hasEverGranted)
        }
    }

    @Test
    func `a file that is not there is named`() throws {
        try Sandbox.with { box in
            let run = try box.moonquake("run", box.folder + "/nothing.lua")
            #expect(run.code == 2)
            #expect(run.errors.contains("nothing.lua"))
            #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
            #expect(!box.hasEverGranted)
        }
    }

    @Test(arguments: [
        ["run"], ["run", "x.lua", "--sede", "4"], ["rnu", "x.lua"],
        ["run", "x.lua", "--seed", "many"],
    ])
    func `wrong usage is exit code 2`(arguments: [String]) throws {
        try Sandbox.with { box in
            let program = try box.start([Moonquake.path] + arguments)
            #expect(try program.ended() == 2)
            #expect(!program.errors.isEmpty)
        }
    }

    @Test
    func `check of a wrong script exits with 2 and names the line`() throws {
        try Sandbox.with { box in
            let script = try box.write(
                "bad.lua",
                "\n\ninject(fault.noop { target = target.host {}, duration = 30 })\n"
            )
            let check = try box.moonquake("check", script)
            #expect(check.code == 2)
            #expect(check.errors.contains("bad.lua:3"))
            #expect(check.output == "")
        }
    }

    @Test
    func `a report that cannot be written is refused before the run`() throws {
        try Sandbox.with { box in
            let script = try box.write("noop.lua", "inject(fault.noop { target = target.host {} })")
            for (file, said) in [("x.pdf", ".json"), ("no/such/folder/x.json", "no such file")] {
                let run = try box.moonquake("run", script, "--report", "\(box.folder)/\(file)")
                #expect(run.code == 2)
                #expect(
                    run.errors.contains("--report") && run.errors.contains(said),
                    "\(run.errors)"
                )
                #expect(access("\(box.folder)/\(file)", F_OK) != 0)
            }
            #expect(!box.hasEverGranted)
        }
    }

    @Test(.root)
    func `pid 1, kernel threads, ancestors and moonquake itself are refused`() throws {
        try Sandbox.with { box in
            // The last one matches no process but runner and agent: no other has this folder in its command line.
            var selectors = ["pid = 1", "pid = \(getpid())", "command = \"\(box.folder)\""]
            if Proc.commandLine(of: 2).isEmpty, Proc.isAlive(2) { selectors.append("pid = 2") }
            for selector in selectors {
                let script = try box.write(
                    "own.lua",
                    "inject(fault.process.pause { target = target.process { \(selector) } })"
                )
                let run = try box.moonquake("run", script)
                #expect(run.code == 2, "\(selector): \(run.errors)")
                let said = run.errors + run.output
                #expect(said.contains("protected") || said.contains("matches nothing"), "\(said)")
            }
            #expect(!box.hasEverGranted)
        }
    }
}

extension Sandbox {
    /// Whether any journal of this test speaks of a lease.
    var hasEverGranted: Bool {
        let folders = ["open", "closed"].map { "\(state)/journals/\($0)" }
        return folders.contains { folder in
            File.names(in: folder).contains {
                (File.text("\(folder)/\($0)") ?? "").contains("\"granted\"")
            }
        }
    }
}
