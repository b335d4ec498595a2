// Policies and locks, with real processes: what the program refuses, and what ends a run that was allowed.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct PolicyTests {
    private func pausing(_ box: Sandbox, _ program: Program, _ name: String = "p") throws -> String
    {
        try box.write(
            "\(name).lua",
            "inject(fault.process.pause { target = target.process { pid = \(program.pid) } })\n"
                + "wait '60s'\n"
        )
    }

    private func policy(_ box: Sandbox, _ text: String) throws {
        // Renamed into place: a run that is under way never reads half of it.
        let path = try box.write("policy.new", text)
        chmod(path, 0o644)
        #expect(rename(path, box.folder + "/policy.json") == 0)
    }

    @Test
    func `the host's policy refuses a run before anything is hit`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try pausing(box, sleeper)
            try policy(box, "{ \"forbid_faults\": [\"process.*\"] }")
            let run = try box.moonquake("run", script)
            #expect(run.code == 2, "\(run.errors)")
            #expect(run.errors.contains("the policy forbids process.*"), "\(run.errors)")
            #expect(Proc.state(of: sleeper.pid) == "S")
            let plan = try box.moonquake("check", "--plan", script)
            #expect(plan.code == 2)
            #expect(plan.output.contains("policy: never the faults process.*"), "\(plan.output)")
            let doctor = try box.moonquake("doctor")
            #expect(doctor.output.contains("never the faults process.*"), "\(doctor.output)")
        }
    }

    @Test
    func `a policy that is wrong or open to others lets nothing run`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try pausing(box, sleeper)
            try policy(box, "{ \"max_target\": 1 }")
            let wrong = try box.moonquake("run", script)
            #expect(wrong.code == 2)
            #expect(wrong.errors.contains("unknown option \"max_target\""), "\(wrong.errors)")
            try policy(box, "{}")
            chmod(box.folder + "/policy.json", 0o666)
            let open = try box.moonquake("run", script)
            #expect(open.code == 2)
            #expect(open.errors.contains("may be changed by others than root"), "\(open.errors)")
            #expect(try box.moonquake("recover").code == 0, "recovery needs no policy")
            #expect(Proc.state(of: sleeper.pid) == "S")
        }
    }

    @Test
    func `files and flags add limits, and a wrong one is said`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try pausing(box, sleeper)
            let file = try box.write("mine.json", "{ \"forbid_targets\": [\"process:sleep\"] }")
            let byFile = try box.moonquake("run", script, "--policy", file)
            #expect(byFile.code == 2)
            #expect(byFile.errors.contains("the policy forbids process:sleep"), "\(byFile.errors)")
            let byFlag = try box.moonquake("run", script, "--limit", "allow_faults=network.*")
            #expect(byFlag.code == 2)
            #expect(byFlag.errors.contains("allows only network.*"), "\(byFlag.errors)")
            let wrong = try box.moonquake("run", script, "--limit", "max_targets")
            #expect(wrong.code == 2)
            #expect(wrong.errors.contains("must be KEY=VALUE"), "\(wrong.errors)")
            #expect(try box.moonquake("run", script, "--policy", "/nonexistent").code == 2)
            #expect(Proc.state(of: sleeper.pid) == "S")
        }
    }

    @Test(.root)
    func `the policy narrows traffic that is not limited, and refuses more than it allows`() throws
    {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            try policy(box, "{ \"max_traffic\": \"25%\" }")
            func script(_ fault: String, _ more: String) throws -> String {
                try box.write(
                    "traffic.lua",
                    """
                    inject(fault.\(fault) { target = target.netns { name = "\(near)" }, \(more) })
                    wait "300ms"
                    """
                )
            }
            let run = try box.moonquake("run", try script("network.loss", "percent = \"100%\""))
            #expect(run.code == 7, "\(run.errors)\(run.output)")
            #expect(run.errors.contains("25% of the connections"), "\(run.errors)")
            let report = try box.lastReport()
            #expect(report.faults.first?.asked["traffic"] == "25%")
            #expect(report.radius.first?.declaredTraffic == 0.25)
            #expect(report.policy.contains { $0.contains("25%") }, "\(report.policy)")
            let more = try box.moonquake(
                "run",
                try script("network.loss", "percent = \"100%\", traffic = \"30%\"")
            )
            #expect(more.code == 2)
            #expect(more.output.contains("traffic is 30%, over"), "\(more.output)")
            let cut = try box.moonquake(
                "run",
                try script("network.partition", "to = \"10.98.0.2\"")
            )
            #expect(cut.code == 2)
            #expect(cut.output.contains("cannot be limited to"), "\(cut.output)")
        }
    }

    @Test(.rounds)
    func `the policy's longest duration ends a fault that has none, and refuses a longer one`()
        throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            try policy(box, "{ \"max_duration\": \"1s\" }")
            let start = ContinuousClock.now
            let run = try box.moonquake("run", try pausing(box, sleeper))
            #expect(run.code == 3, "\(run.errors)\(run.output)")
            #expect(ContinuousClock.now - start < .seconds(10), .ofFigure)
            let report = try box.lastReport()
            #expect(report.abort?.cause == .deadline)
            #expect(report.abort?.rule == "the policy's max_duration")
            let fault = try #require(report.faults.first)
            let on = (fault.revertedMs ?? .infinity) - fault.injectedMs
            #expect(on > 900 && on < 2000, .ofFigure("on for \(on) ms"))
            #expect(Proc.state(of: sleeper.pid) != "T")
            let long = try box.write(
                "long.lua",
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) }, duration = '2s' })"
            )
            let refused = try box.moonquake("run", long)
            #expect(refused.code == 2)
            #expect(
                refused.output.contains("duration is 2s, over the policy's max_duration (1s, "),
                "\(refused.output)"
            )
        }
    }

    @Test
    func `a policy that forbids what is on ends the run within two renewals`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let runner = try box.begin("run", try pausing(box, sleeper))
            try box.injected(1, by: runner)
            #expect(Proc.state(of: sleeper.pid) == "T")
            let start = ContinuousClock.now
            try policy(box, "{ \"forbid_targets\": [\"process:sleep\"] }")
            #expect(eventually(within: .seconds(5)) { Proc.state(of: sleeper.pid) == "S" })
            print(
                "a policy change ended a fault after \(shown((ContinuousClock.now - start).milliseconds))"
            )
            #expect(try runner.ended(within: .seconds(10)) == 3)
            let report = try box.lastReport()
            #expect(report.abort?.cause == .policy)
            #expect(report.abort?.reason.contains("the policy forbids process:sleep") == true)
            #expect(report.abort.map { $0.atMs > 0 && $0.tookMs >= 0 } == true)
            #expect(report.faults.allSatisfy { $0.revertTookMs != nil })
            #expect(report.restoration == .restored)
        }
    }

    @Test
    func `two runs of different state directories never hold one process`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try pausing(box, sleeper)
            let first = try box.begin("run", script)
            let agents = try box.injected(1, by: first)
            let name = try #require(box.openJournals().first?.first?.run)
            // `process.kill` would not notice that somebody else has paused it.
            let kill = try box.write(
                "kill.lua",
                "inject(fault.process.kill { target = target.process { pid = \(sleeper.pid) } })"
            )
            let environment = Program.environment.merging([
                "MOONQUAKE_STATE": box.folder + "/other", "MOONQUAKE_LOCKS": box.state + "-locks",
                "MOONQUAKE_POLICY": "/nonexistent",
            ]) { $1 }
            let second = try box.start([Moonquake.path, "run", kill], environment: environment)
            #expect(try second.ended() == 2)
            #expect(
                second.errors.contains("is held by run \(name): two runs never hit one target"),
                "\(second.errors)"
            )
            #expect(Proc.isAlive(sleeper.pid))
            // Who is killed holds nothing any more.
            for pid in agents + [first.pid] { Glibc.kill(pid, SIGKILL) }
            #expect(eventually { agents.allSatisfy { !Proc.isAlive($0) } })
            let third = try box.start([Moonquake.path, "run", kill], environment: environment)
            _ = try third.ended()
            #expect(!third.errors.contains("is held by"), "\(third.errors)")
            #expect(try box.moonquake("recover").code == 0)
        }
    }

    /// A control group with a processor controller, which a test may fill.
    private static let processorGroups: String? = {
        let places = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"]
        return places.first { place in
            let controllers = File.text("\(place)/cgroup.subtree_control") ?? ""
            return access("\(place)/cpu.cfs_quota_us", W_OK) == 0
                || controllers.split(whereSeparator: \.isWhitespace).contains("cpu")
        }
    }()

    @Test(.root, .enabled(if: processorGroups != nil, "SKIPPED: needs a cpu controller"))
    func `two runs never limit one control group, be it by two processes`() throws {
        try Sandbox.with { box in
            let group = try #require(Self.processorGroups) + "/mqe-\(UInt32.random(in: 0 ... .max))"
            try #require(mkdir(group, 0o755) == 0)
            let sleepers = [try box.sleeper(), try box.sleeper()]
            defer {
                for sleeper in sleepers { kill(sleeper.pid, SIGKILL) }
                _ = eventually { rmdir(group) == 0 }
            }
            for sleeper in sleepers {
                try File.write("\(sleeper.pid)", to: group + "/cgroup.procs")
            }
            func script(_ name: String, _ pid: pid_t) throws -> String {
                let fault =
                    "fault.cpu.limit { target = target.process { pid = \(pid) }, quota = \"20%\" }"
                return try box.write("\(name).lua", "inject(\(fault))\nwait '60s'")
            }
            let first = try box.begin("run", try script("one", sleepers[0].pid))
            try box.injected(1, by: first)
            let second = try box.moonquake("run", try script("two", sleepers[1].pid))
            #expect(second.code == 2)
            #expect(second.errors.contains("two runs never hit one target"), "\(second.errors)")
            #expect(try box.moonquake("abort").code == 0)
            try first.ended()
        }
    }
}
