// The kill switch from another terminal.

import ChaosModel
import Glibc
import Testing

@Suite(.serialized)
struct AbortTests {
    private func begin(_ box: Sandbox, _ name: String, pausing sleeper: Program) throws -> Program {
        let script = try box.write(
            "\(name).lua",
            "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })\nwait '60s'"
        )
        return try box.begin("run", script)
    }

    @Test
    func `abort returns after the verified revert and the run ends with 3`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let runner = try begin(box, "one", pausing: sleeper)
            try box.injected(1, by: runner)
            let abort = try box.moonquake("abort")
            #expect(Proc.state(of: sleeper.pid) != "T", "it must not return before")
            #expect(abort.code == 0, "\(abort.errors)")
            #expect(abort.output.contains("reverted  process.pause on process \(sleeper.pid)"))
            print("abort took \(shown(abort.took.milliseconds))")
            #expect(try runner.ended(within: .seconds(10)) == 3)
            let report = try box.lastReport()
            #expect(report.status == .aborted)
            #expect(report.restoration == .restored)
            #expect(report.abort?.reason.contains("moonquake abort") == true)
            #expect(report.abort?.cause == .person)
            #expect(report.faults.allSatisfy { $0.revertTookMs != nil })
        }
    }

    @Test(.ordinaryUser)
    func `nobody cannot abort a run of root, which goes on`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let runner = try begin(box, "one", pausing: sleeper)
            try box.injected(1, by: runner)
            let user = [
                "setpriv", "--reuid", "\(nobody)", "--regid", "\(nobody)", "--clear-groups", "--",
            ]
            let abort = try box.start(
                user + [Moonquake.path, "abort", "--all", "--state-dir", box.state]
            )
            #expect(try abort.ended() == 6)
            #expect(abort.errors.contains("run as"), "\(abort.errors)")
            #expect(Proc.state(of: sleeper.pid) == "T")
            #expect(runner.exitCode == nil)
            #expect(try box.moonquake("abort").code == 0)
            #expect(try runner.ended(within: .seconds(10)) == 3)
        }
    }

    @Test
    func `abort --all reverts three runs with a line each, and then there is nothing to abort`()
        throws
    {
        try Sandbox.with { box in
            let sleepers = try (0..<3).map { _ in try box.sleeper() }
            let runners = try sleepers.enumerated().map { try begin(box, "run\($0)", pausing: $1) }
            try box.injected(3, by: runners[0])
            let unclear = try box.moonquake("abort")
            #expect(unclear.code == 2)
            #expect(unclear.errors.contains("3 runs are under way"))

            let abort = try box.moonquake("abort", "--all")
            #expect(abort.code == 0, "\(abort.errors)")
            #expect(abort.output.split(separator: "\n").count == 3, "\(abort.output)")
            #expect(sleepers.allSatisfy { Proc.state(of: $0.pid) != "T" })
            for runner in runners { #expect(try runner.ended(within: .seconds(10)) == 3) }

            let second = try box.moonquake("abort", "--all")
            #expect(second.code == 0)
            #expect(second.output == "")
            #expect(second.errors.hasPrefix("nothing to abort: "), "silence says nothing")
        }
    }

    @Test
    func `abort of one of two runs leaves the other alone`() throws {
        try Sandbox.with { box in
            let sleepers = try (0..<2).map { _ in try box.sleeper() }
            let first = try begin(box, "first", pausing: sleepers[0])
            try box.injected(1, by: first)
            let run = try #require(box.openJournals().joined().first { $0.entry == .opened }?.run)
            let second = try begin(box, "second", pausing: sleepers[1])
            try box.injected(2, by: second)
            #expect(try box.moonquake("abort", run).code == 0)
            #expect(try first.ended(within: .seconds(10)) == 3)
            #expect(Proc.state(of: sleepers[1].pid) == "T")
            #expect(second.exitCode == nil)

            let unknown = try box.moonquake("abort", "no-such-run")
            #expect(unknown.code == 2)
            #expect(unknown.errors.contains("no-such-run"))
            #expect(try box.moonquake("abort").code == 0)
            #expect(try second.ended(within: .seconds(10)) == 3)
        }
    }
}
