// `moonquake targets`, and units by real control groups.

import ChaosModel
import Glibc
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
