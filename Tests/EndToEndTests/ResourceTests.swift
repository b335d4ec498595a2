// Faults of processes and resources in real runs: what is missing is said first, what is full is emptied, what is gone
// is no leak, and no program of the machine is needed.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct ResourceTests {
    private func available(_ path: String) -> UInt64 {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return 0 }
        return UInt64(space.f_bavail) * UInt64(space.f_frsize)
    }

    @Test(
        .ordinaryUser,
        arguments: [
            ("cpu.stress", "load = '50%'", "control group of its own"),
            ("memory.pressure", "use = '16MiB'", "control group of its own"),
            ("disk.fill", "path = '$DISK', size = '1MiB'", "may not write there"),
            (
                "disk.io", "path = '$DISK', write = '1MB/s', file_size = '1MiB'",
                "may not write there"
            ),
        ]
    )
    func `what an ordinary user may not do says what it takes, and nothing is done`(
        _ fault: String,
        _ options: String,
        _ needed: String
    ) throws {
        try Sandbox.with { box in
            let disk = try box.fileSystem(megabytes: 16)
            chmod(disk, 0o755)
            let before = available(disk)
            let text = options.replacing("$DISK", with: disk)
            let script = try box.write(
                "no.lua",
                "inject(fault.\(fault) { target = target.host {}, \(text) })"
            )
            let run = try box.moonquake("run", script, asNobody: true)
            #expect(run.code == 6, "\(run.errors)\(run.output)")
            #expect(!run.errors.contains("FAULT_INJECTION"), "it is known before the run")
            #expect((run.errors + run.output).contains(needed), "\(run.errors)\(run.output)")
            #expect(available(disk) == before && File.names(in: disk).isEmpty)
            #expect(box.openJournals(asNobody: true).isEmpty)
        }
    }

    @Test(
        .ordinaryUser,
        arguments: [
            "cpu.limit { quota = '20%'", "memory.limit { limit = '64MiB', below_use = true",
            "pid.exhaust {",
        ]
    )
    func `a group that is not handed to an ordinary user is left alone, and the file is named`(
        _ fault: String
    ) throws {
        try Sandbox.with { box in
            let sleeper = try box.start([
                "setpriv", "--reuid", "\(nobody)", "--clear-groups", "--", "sleep", "600",
            ])
            let groups = try box.groups(of: sleeper.pid)
            try box.write("64", to: "pids.max", in: groups)
            let options = fault.hasSuffix("{") ? "" : ","
            let script = try box.write(
                "no.lua",
                "inject(fault.\(fault)\(options) target = target.process { pid = \(sleeper.pid) } })"
            )
            let run = try box.moonquake("run", script, asNobody: true)
            let said = run.errors + run.output
            #expect(run.code == 6, "\(said)")
            #expect(!run.errors.contains("FAULT_INJECTION"), "it is known before the run: \(said)")
            #expect(said.contains("user \(nobody) may not write /sys/fs/cgroup"), "\(said)")
            #expect(said.contains("have the group delegated to this user"), "\(said)")
            #expect(box.openJournals(asNobody: true).isEmpty)
        }
    }

    @Test(.ordinaryUser)
    func `an ordinary user needs no capability for a group that is delegated`() throws {
        try Sandbox.with { box in
            let sleeper = try box.start([
                "setpriv", "--reuid", "\(nobody)", "--clear-groups", "--", "sleep", "600",
            ])
            let place = try box.delegatedGroups(of: sleeper.pid)
            try box.write("90", to: "pids.max", in: place.groups)
            let script = try box.write(
                "own.lua",
                """
                local own = target.process { pid = \(sleeper.pid) }
                inject(fault.cpu.limit { target = own, quota = "90%" })
                inject(fault.memory.limit { target = own, limit = "512MiB" })
                inject(fault.cpu.stress { target = own, load = "5%" })
                inject(fault.memory.pressure { target = own, use = "16MiB" })
                inject(fault.pid.exhaust { target = own })
                wait "200ms"
                """
            )
            let run = try box.moonquake(["run", script], asNobody: true, group: place.own)
            #expect(run.code == 7, "nothing was judged: \(run.errors)\(run.output)")
            let report = try box.lastReport(asNobody: true)
            #expect(report.faults.map(\.outcome) == Array(repeating: .reverted, count: 5))
            #expect(report.restoration == .restored)
            for group in place.groups {
                #expect(File.names(in: group).allSatisfy { !$0.hasPrefix("moonquake_") })
            }
            guard place.own != nil else { return }
            // From outside no worker of an ordinary user can be moved in, which is known before the run.
            let outside = try box.moonquake(
                "run",
                try box.write(
                    "outside.lua",
                    "inject(fault.cpu.stress { target = target.process { pid = \(sleeper.pid) }, load = '5%' })"
                ),
                asNobody: true
            )
            #expect(outside.code == 6, "\(outside.errors)")
            #expect(!outside.errors.contains("FAULT_INJECTION"), "\(outside.errors)")
            #expect(outside.errors.contains("only by who may write /sys/fs/cgroup/cgroup.procs"))
        }
    }

    @Test
    func `a run whose own state is on the file system that it fills puts everything back`() throws {
        try Sandbox.with { box in
            let disk = try box.fileSystem(megabytes: 32)
            #expect(symlink(disk, box.state) == 0)
            let fill = { (more: String) in
                "inject(fault.disk.fill { target = target.host {}, path = '\(disk)', to = '100%'\(more) })\nwait '1s'"
            }
            let refused = try box.moonquake("run", try box.write("no.lua", fill("")))
            #expect(refused.errors.contains("holds Moonquake's own state"), "\(refused.errors)")
            let before = available(disk)
            let script = try box.write("full.lua", fill(", allow_root = true"))
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            #expect(available(disk) == 0)
            #expect(try runner.ended() != 4, "\(runner.errors)\(runner.output)")
            // What is left of it is the record of the run.
            #expect(available(disk) > before - (1 << 20))
            #expect(box.openJournals().isEmpty)
            // Once more, with nobody left to put it back.
            let second = try box.begin("run", script)
            let agents = try box.injected(1, by: second)
            for agent in agents { kill(agent, SIGKILL) }
            second.signal(SIGKILL)
            #expect(eventually(within: .seconds(1)) { available(disk) > before - (2 << 20) })
            #expect(try box.moonquake("recover").code == 0)
            #expect(box.openJournals().isEmpty)
        }
    }

    @Test
    func `files that a fill left are removed after a reboot too`() throws {
        try Sandbox.with { box in
            let disk = try box.fileSystem(megabytes: 32)
            let script = try box.write(
                "left.lua",
                """
                inject(fault.disk.fill { target = target.host {}, path = "\(disk)", size = "8MiB", visible = true })
                wait "60s"
                """
            )
            let runner = try box.begin("run", script)
            let agents = try box.injected(1, by: runner)
            for agent in agents { kill(agent, SIGKILL) }
            runner.signal(SIGKILL)
            try runner.ended()
            #expect(File.names(in: disk).count == 1)
            let boot = (File.text("/proc/sys/kernel/random/boot_id") ?? "").filter {
                !$0.isWhitespace
            }
            let folder = box.state + "/journals/open"
            let name = try #require(File.names(in: folder).first { $0.hasSuffix(".jsonl") })
            let journal = try #require(File.text("\(folder)/\(name)"))
            #expect(journal.contains(boot))
            try File.write(
                journal.replacing(boot, with: "00000000-0000-0000-0000-000000000000"),
                to: "\(folder)/\(name)"
            )
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0, "\(recovery.errors)\(recovery.output)")
            #expect(File.names(in: disk).isEmpty)
        }
    }

    @Test(arguments: ["process.pause { ", "process.pause { method = 'ptrace', ", "fd.exhaust { "])
    func `a target that is gone in mid-run is gone, and nothing is leaked`(_ fault: String) throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "gone.lua",
                "inject(fault.\(fault)target = target.process { pid = \(sleeper.pid) } })\nwait '2s'"
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            sleeper.signal(SIGKILL)
            try sleeper.ended()
            #expect(try runner.ended() == 7, "\(runner.errors)\(runner.output)")
            let report = try box.lastReport()
            #expect(report.faults.map(\.outcome) == [.gone])
            #expect(report.restoration == .restored)
            #expect(report.timeline.contains { $0.text.contains("gone") }, "\(report.timeline)")
        }
    }

    @Test(arguments: [
        "cpu.limit { quota = '50%',", "memory.limit { limit = '256MiB',", "pid.exhaust {",
        "cpu.stress { load = '5%',", "memory.pressure { use = '16MiB',",
    ])
    func `the group of a target that is gone in mid-run is put back all the same`(_ fault: String)
        throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let groups = try box.groups(of: sleeper.pid)
            try box.write("64", to: "pids.max", in: groups)
            let files = [
                "cpu.max", "cpu.cfs_quota_us", "memory.max", "memory.limit_in_bytes",
            ]
            func state() -> [String?] {
                groups.flatMap { group in
                    files.map { File.text("\(group)/\($0)") } + File.names(in: group).sorted()
                }
            }
            let before = state()
            let script = try box.write(
                "gone.lua",
                "inject(fault.\(fault) target = target.process { pid = \(sleeper.pid) } })\nwait '2s'"
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            sleeper.signal(SIGKILL)
            try sleeper.ended()
            #expect(try runner.ended() == 7, "\(runner.errors)\(runner.output)")
            let report = try box.lastReport()
            #expect(report.restoration == .restored, "\(runner.errors)")
            #expect(report.timeline.contains { $0.text.contains("ended while the fault was on") })
            #expect(state() == before)
            let tasks = groups.compactMap { File.text("\($0)/pids.current") }
            #expect(tasks == ["0\n"])
        }
    }

    @Test
    func `loads, limits, pauses and kills need no program of the machine`() throws {
        try Sandbox.with { box in
            let disk = try box.fileSystem(megabytes: 32)
            let before = available(disk)
            let (paused, killed) = (try box.sleeper(), try box.sleeper())
            let script = try box.write(
                "bare.lua",
                """
                local paused = target.process { pid = \(paused.pid) }
                inject(fault.process.pause { target = paused, method = "ptrace" })
                inject(fault.fd.exhaust { target = paused })
                inject(fault.process.kill { target = target.process { pid = \(killed.pid) } })
                inject(fault.cpu.stress { target = target.host {}, load = "5%" })
                inject(fault.memory.pressure { target = target.host {}, use = "16MiB" })
                inject(fault.disk.fill { target = target.host {}, path = "\(disk)", size = "8MiB" })
                inject(fault.disk.io { target = target.host {}, path = "\(disk)", write = "1MB/s", file_size = "4MiB",
                  direct = false })
                wait "200ms"
                """
            )
            let run = try box.moonquake("run", script, environment: ["PATH": ""])
            #expect(run.code == 7, "nothing was judged: \(run.errors)")
            let report = try box.lastReport()
            #expect(report.faults.count == 7 && report.restoration == .restored)
            #expect(available(disk) == before && !Proc.isAlive(killed.pid))
        }
    }
}
