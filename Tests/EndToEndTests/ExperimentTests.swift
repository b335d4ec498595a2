// The experiments of scripts/experiments, run on the services of scripts/practice.sh, and the demo.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct ExperimentTests {
    /// What an experiment is expected to end with.
    struct Expected: Sendable, CustomTestStringConvertible {
        let file: String
        var code: Int32 = 0
        var verdict = Verdict.held
        var status = RunStatus.completed
        let faults: [String]
        var ending = "lua"
        /// What aims a document at the services, as `scripts/practice/place.lua` does for scripts.
        var parameters: @Sendable (Practice) -> [String] = { _ in [] }
        /// What its report is expected to show beside that.
        var shows: @Sendable (RunReport) -> Bool = { _ in true }

        var testDescription: String { file }
    }

    static let all = [
        Expected(file: "nginx-paused-worker", faults: ["process.pause"]),
        Expected(file: "redis-restart", faults: ["process.kill"]),
        Expected(file: "redis-recovers-twice", faults: ["process.kill", "process.kill"]),
        // As strong as is asked for, as strong as may be, and two between them.
        Expected(
            file: "cache-margin",
            faults: Array(repeating: "network.latency", count: 4)
        ),
        Expected(file: "cache-partition", faults: ["network.partition"]),
        Expected(file: "slow-cache", faults: ["network.latency"]),
        Expected(file: "lossy-cache", faults: ["network.loss"]),
        Expected(file: "doubled-packets", faults: ["network.duplicate"]),
        Expected(file: "corrupted-packets", faults: ["network.corrupt"]),
        Expected(file: "reordered-packets", faults: ["network.reorder"]),
        Expected(file: "narrow-cache", faults: ["network.bandwidth"]),
        Expected(file: "lost-name", faults: ["dns.error"]),
        Expected(file: "wrong-address", faults: ["dns.spoof"]),
        Expected(file: "slow-resolver", faults: ["dns.delay"]),
        Expected(file: "silent-resolver", faults: ["dns.drop"]),
        Expected(file: "one-way-partition", faults: ["network.partition"]),
        Expected(
            file: "backend-partition",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["network.partition"]
        ),
        Expected(
            file: "flaky-backend",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["http.error"]
        ),
        Expected(file: "slow-backend", faults: ["http.latency"]),
        Expected(
            file: "prometheus-paused-target",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["process.pause"]
        ),
        Expected(file: "paused-redis", faults: ["process.pause"]),
        Expected(file: "held-redis", faults: ["process.pause"]),
        Expected(
            file: "nginx-paused-whole",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["process.pause"]
        ),
        Expected(
            file: "shop-by-its-own-figures",
            faults: ["process.pause"],
            shows: { report in
                report.metrics.allSatisfy { $0.during.count > 4 && $0.during.noData == 0 }
            }
        ),
        Expected(
            file: "shop-beside-its-control",
            faults: ["process.pause"],
            shows: { report in
                let control = report.statistics.first { $0.kind == .controlDuring }
                let own = report.statistics.first {
                    $0.metric == "shop" && $0.kind == .beforeDuring
                }
                // Redis makes the shop wait for 200 ms, and nginx for nothing.
                return own?.result == .differs && control?.result == .differs
                    && control?.control == "nginx" && control?.shift ?? 0 > 0.1
            }
        ),
        Expected(
            file: "redis-killed-again",
            code: 1,
            verdict: .deviated,
            faults: ["process.kill"],
            shows: { report in
                let figures = report.faults.first?.measured?.figures ?? []
                func figure(_ name: String) -> Double {
                    figures.first { $0.name == name }?.value ?? -1
                }
                // Killed at 0, 0.3, … 3 s; the last restart may be on its way.
                return figure("times") >= 2 && figure("restarts") >= 1
                    && figure("restarts") <= figure("times")
            }
        ),
        Expected(
            file: "shop-short-of-processor",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["cpu.limit"]
        ),
        Expected(
            file: "shop-short-of-memory",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["memory.limit"]
        ),
        Expected(
            file: "shop-out-of-descriptors",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["fd.exhaust"]
        ),
        Expected(
            file: "shop-cannot-start-threads",
            code: 3,
            verdict: .deviated,
            status: .aborted,
            faults: ["pid.exhaust"]
        ),
        Expected(file: "shop-in-the-future", faults: ["clock.skew"]),
        Expected(file: "paused-container", faults: ["process.pause"]),
        Expected(file: "cache-loss", faults: ["network.loss"], ending: "yaml") {
            ["namespace=\($0.web)"]
        },
        Expected(file: "nginx-stall", faults: ["process.pause"], ending: "json") {
            ["port=\($0.port)", "url=http://127.0.0.1:\($0.port)/"]
        },
        Expected(file: "busy-neighbour", faults: ["cpu.stress"]),
        Expected(file: "short-memory", faults: ["memory.pressure"]),
        Expected(file: "full-disk", faults: ["disk.fill"]),
        Expected(file: "busy-disk", faults: ["disk.io"]),
    ]

    @Test
    func `every experiment of the folder has a test`() {
        let files = File.names(in: Moonquake.tree + "/scripts/experiments").filter {
            !$0.hasSuffix("practice")
        }
        #expect(files == Self.all.map { "\($0.file).\($0.ending)" }.sorted())
    }

    @Test
    func `every experiment passes check`() throws {
        try Sandbox.with { box in
            for expected in Self.all {
                let check = try box.moonquake(
                    "check",
                    "\(Moonquake.tree)/scripts/experiments/\(expected.file).\(expected.ending)"
                )
                #expect(check.code == 0, "\(check.errors)")
                #expect(!check.output.contains("note:"), "\(check.output)")
            }
        }
    }

    /// What is judged by how busy the machine is.
    private static let alone: Set = [
        "busy-neighbour", "shop-by-its-own-figures", "shop-beside-its-control",
        "shop-short-of-processor",
    ]

    /// Most of an experiment is waiting: two go at once, each on services of its own.
    @Test(.root)
    func `every experiment ends as its header says and leaves the services as they were`()
        async throws
    {
        let shared = Self.all.filter { !Self.alone.contains($0.file) }
        try await withThrowingTaskGroup { group in
            for lane in 0..<2 {
                let experiments = shared.enumerated().filter { $0.offset % 2 == lane }
                    .map(\.element)
                group.addTask { try run(experiments) }
            }
            try await group.waitForAll()
        }
        try run(Self.all.filter { Self.alone.contains($0.file) })
    }

    /// Runs experiments one after the other on a set-up of their own.
    private func run(_ experiments: [Expected]) throws {
        try Sandbox.with { box in
            let practice = try box.practice()
            let before = try box.world(practice.web, practice.data)
            for expected in experiments {
                try inRounds(expected.file) { try run(expected, on: practice, in: box) }
                try box.expect(before, in: practice.web, practice.data)
                #expect(box.openJournals().isEmpty)
                #expect(stopped(in: practice).isEmpty)
            }
            #expect(practice.program.exitCode == nil)
            practice.program.signal(SIGTERM)
            try practice.program.ended(within: .seconds(20))
            for name in [practice.web, practice.data] {
                #expect(access("/run/netns/\(name)", F_OK) != 0)
            }
        }
    }

    private func run(_ expected: Expected, on practice: Practice, in box: Sandbox) throws {
        let file = "\(practice.experiments)/\(expected.file).\(expected.ending)"
        let parameters = expected.parameters(practice).flatMap { ["--param", $0] }
        let run = try box.moonquake(["run", file] + parameters)
        let said = "\(expected.file): \(run.errors)\(run.output)"
        print("\(expected.file): exit \(run.code) after \(shown(run.took.milliseconds))")
        // Whether the services hold their limits is a figure, and so is what follows from it.
        #expect(run.code == expected.code, .ofFigure(said))
        let report = try box.lastReport()
        #expect(report.verdict == expected.verdict, .ofFigure(said))
        #expect(report.status == expected.status, .ofFigure(said))
        #expect(report.restoration == .restored, "\(said)")
        #expect(expected.shows(report), .ofFigure(said))
        #expect(report.faults.map(\.name) == expected.faults, .ofFigure(said))
        #expect(
            report.faults.allSatisfy { $0.outcome == .reverted && $0.measured?.hit != false },
            "\(said)"
        )
    }

    /// The services that are stopped.
    private func stopped(in practice: Practice) -> [pid_t] {
        Proc.pids().filter {
            Proc.session(of: $0) == practice.program.pid && Proc.state(of: $0) == "T"
        }
    }

    @Test(.rounds, arguments: [false, true])
    func `the demo ends with its report in time and leaves nothing behind`(asNobody: Bool) throws {
        if asNobody, !Needs.isOpenToOthers {
            print(
                "SKIPPED: the demo as an ordinary user needs root and a tree that user 65534 can read"
            )
            return
        }
        try Sandbox.with { box in
            let user = [
                "setpriv", "--reuid", "\(nobody)", "--regid", "\(nobody)", "--clear-groups", "--",
            ]
            let temporary = box.folder + "/tmp"
            mkdir(temporary, 0o777)
            chmod(temporary, 0o777)
            let start = ContinuousClock.now
            let demo = try box.start(
                (asNobody ? user : []) + [Moonquake.tree + "/scripts/demo.sh"],
                environment: Program.environment.merging(["TMPDIR": temporary]) { $1 }
            )
            let code = try demo.ended(within: .seconds(60))
            let took = ContinuousClock.now - start
            print(
                "the demo took \(shown(took.milliseconds))\(asNobody ? " as an ordinary user" : "")"
            )
            #expect(code == 0, "\(demo.errors)\(demo.output)")
            #expect(took < .seconds(30), .ofFigure)
            #expect(demo.output.contains("verdict HELD"))
            #expect(demo.errors.contains("Exit code 0: the hypothesis held"))
            #expect(File.names(in: temporary).isEmpty)
            #expect(Proc.pids().allSatisfy { Proc.session(of: $0) != demo.pid })
        }
    }
}
