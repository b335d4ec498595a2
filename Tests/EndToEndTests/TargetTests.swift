// `moonquake targets`, and units by real control groups.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct TargetTests {
    /// A control group of the test with the name of a unit, in the hierarchy that systemd uses.
    private final class Unit {
        let name: String
        private let slice: String
        private let folder: String

        static let root: String? = {
            let places = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
            return places.first { place in access("\(place)/cgroup.procs", W_OK) == 0 }
        }()

        init(_ root: String) throws {
            let number = String(UInt32.random(in: .min ... .max), radix: 16)
            name = "mqe-\(number)@a.service"
            slice = "\(root)/mqe-\(number).slice"
            folder = "\(slice)/\(name)"
            guard mkdir(slice, 0o755) == 0, mkdir(folder, 0o755) == 0 else {
                throw SetUpError("no control group \(folder)")
            }
        }

        var template: String { name.split(separator: "@")[0] + "@" }

        func add(_ program: Program) throws {
            try File.write("\(program.pid)", to: folder + "/cgroup.procs")
        }

        /// Removes the group, once nothing is in it.
        func remove() {
            _ = eventually(within: .seconds(5)) { rmdir(folder) == 0 || errno == ENOENT }
            rmdir(slice)
        }
    }

    @Test(
        .enabled(
            if: Needs.isRoot && Unit.root != nil,
            "SKIPPED: needs root and a mounted cgroup hierarchy"
        )
    )
    func `a unit's processes are paused together and its template finds it`() throws {
        try Sandbox.with { box in
            let (first, second) = (try box.sleeper(), try box.sleeper())
            let outsider = try box.sleeper()
            let unit = try Unit(try #require(Unit.root))
            try unit.add(first)
            try unit.add(second)
            defer {
                for program in [first, second] { program.end() }
                unit.remove()
            }
            let script = try box.write(
                "unit.lua",
                "inject(fault.process.pause { target = target.systemd { unit = \"\(unit.template)\" } })\n"
                    + "wait '60s'\n"
            )
            let plan = try box.moonquake("check", "--plan", script)
            #expect(plan.output.contains("process.pause: 1 of 1 matching"), "\(plan.output)")
            let runner = try box.begin("run", script)
            try box.injected(2, by: runner)
            #expect(Proc.state(of: first.pid) == "T" && Proc.state(of: second.pid) == "T")
            #expect(Proc.state(of: outsider.pid) == "S")
            #expect(try box.moonquake("abort").code == 0)
            #expect(Proc.state(of: first.pid) == "S" && Proc.state(of: second.pid) == "S")
            #expect(try runner.ended() == 3)
            let report = try box.lastReport()
            #expect(report.targets.allSatisfy { $0.group?.name == unit.name })
            #expect(report.radius.first?.hit == 1)
        }
    }

    /// Runs `moonquake targets`, which has no state directory.
    private func targets(_ box: Sandbox, _ arguments: String...) throws -> Listed {
        let program = try box.start([Moonquake.path, "targets"] + arguments)
        let code = try program.ended()
        return Listed(code: code, output: program.output, errors: program.errors)
    }

    private struct Listed {
        let code: Int32
        let output: String
        let errors: String
    }

    @Test
    func `targets lists what matches, with what is protected`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let one = try targets(box, "process", "pid=\(sleeper.pid)")
            #expect(one.code == 0, "\(one.errors)")
            #expect(one.output.contains("process   sleep"), "\(one.output)")
            #expect(one.output.contains("\(sleeper.pid)"))
            let json = try targets(box, "process", "pid=1", "--json")
            #expect(json.output.contains("\"protected\" : \"pid 1\""), "\(json.output)")
            let none = try targets(box, "process", "name=nobody-has-this-name")
            #expect(none.code == 0 && none.output.isEmpty)
            let wrong = try targets(box, "proces")
            #expect(wrong.code == 2)
            #expect(wrong.errors.contains("did you mean \"process\""), "\(wrong.errors)")
            let everything = try targets(box, "process", "count=1")
            #expect(everything.code == 2, "an empty selector is refused")
            #expect(try targets(box).output.contains("host"))
        }
    }

    /// A process with a name of this test's own, by which a selector finds no other.
    private func named(_ name: String, _ box: Sandbox) throws -> Program {
        let program = try box.start(["bash", "-c", "exec -a \(name) sleep 600"])
        #expect(eventually { Proc.commandLine(of: program.pid).hasPrefix(name) })
        return program
    }

    private func newName() -> String {
        "mqe-" + String(UInt32.random(in: .min ... .max), radix: 16)
    }

    @Test
    func `targets are found and hit where the path has no tool`() throws {
        try Sandbox.with { box in
            let name = newName()
            let program = try named(name, box)
            let script = try box.write(
                "bare.lua",
                "inject(fault.process.pause { target = target.process { name = \"\(name)\" } })\nwait '60s'"
            )
            let bare = ["PATH": "/nonexistent"]
            let runner = try box.begin("run", script, environment: bare)
            try box.injected(1, by: runner)
            #expect(Proc.state(of: program.pid) == "T")
            #expect(try box.moonquake("abort", environment: bare).code == 0)
            #expect(Proc.state(of: program.pid) == "S")
            #expect(try runner.ended() == 3, "\(runner.errors)")
        }
    }

    @Test
    func `a set that grows between the plan and the injection is refused`() throws {
        try Sandbox.with { box in
            let name = newName()
            let first = try named(name, box)
            let script = try box.write(
                "grows.lua",
                """
                experiment "a set that grows" {
                  run = function()
                    log("ready")
                    wait "3s"
                    inject(fault.process.pause { target = target.process { name = "\(name)" } })
                  end,
                }
                """
            )
            let runner = try box.begin("run", script)
            #expect(eventually { runner.errors.contains("script: ready") }, "\(runner.errors)")
            let second = try named(name, box)
            #expect(try runner.ended() == 2, "\(runner.errors)\(runner.output)")
            #expect(
                runner.output.contains(
                    "would hit 2 of 2 matching targets, but the plan had 1: the set has grown since"
                ),
                "\(runner.output)"
            )
            #expect(try box.lastReport().faults.isEmpty)
            #expect([first, second].allSatisfy { Proc.state(of: $0.pid) == "S" })
        }
    }

    @Test
    func `when what was left alone ends, the same fault hits too large a share and is ended`()
        throws
    {
        try Sandbox.with { box in
            let name = newName()
            let programs = [try named(name, box), try named(name, box)]
            let script = try box.write(
                "half.lua",
                """
                inject(fault.process.pause { target = target.process { name = "\(name)", percent = "50%" } })
                wait "60s"
                """
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            let paused = try #require(programs.first { Proc.state(of: $0.pid) == "T" })
            let other = try #require(programs.first { $0.pid != paused.pid })
            other.signal(SIGKILL)
            try other.ended()
            #expect(try runner.ended() == 3, "\(runner.errors)\(runner.output)")
            let report = try box.lastReport()
            #expect(report.abort?.cause == .radius && report.restoration == .restored)
            #expect(
                report.abort?.reason
                    == "process.pause now hits 1 of 1 matching targets, over the declared 50%, which is 0"
            )
            #expect(report.radius.first?.hit == 1 && report.radius.first?.candidates == 1)
            #expect(Proc.state(of: paused.pid) == "S")
        }
    }

    @Test
    func `an absent target is no error when the script says so`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "absent.lua",
                """
                steady_state { every = "100ms", metrics = {
                  alive = metric.process { target = target.process { pid = \(sleeper.pid) }, measure = "alive", equals = 1 },
                } }
                inject(fault.process.pause { target = target.process { name = "nobody-has-this", if_absent = "ok" } })
                check_metric("alive == 1")
                """
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == 0, "\(run.errors)\(run.output)")
            #expect(run.errors.contains("so nothing is hit"), "\(run.errors)")
        }
    }
}
