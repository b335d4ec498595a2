// A full disk, full memory, no pids left, clocks that are set, journals and whole state directories that are removed, a
// database that is locked: the run ends restored, or says what is left.

import ChaosLinux
import ChaosModel
import Dispatch
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite(.serialized, .root)
struct ShortageTests {
    /// One of each way in which faults are held and put back.
    private static let held = [
        "network.partition", "network.latency", "dns.error", "http.error", "process.pause",
        "cpu.limit", "fd.exhaust", "disk.fill", "cpu.stress",
    ]

    /// A run that holds them all.
    private struct Held {
        let box: Sandbox
        let world: TortureWorld
        let before: String
        let runner: Program
        let agents: [pid_t]

        init(in box: Sandbox, names: [String] = ShortageTests.held, then rest: String) throws {
            self.box = box
            world = try TortureWorld(in: box)
            before = try world.dump()
            let script = try box.write("held.lua", try world.script(names, then: rest))
            runner = try box.begin("run", script)
            agents = try box.injected(names.count, by: runner)
            guard try world.dump() != before else { throw SetUpError("nothing was changed") }
        }

        /// Runner, agent and workers.
        var everybody: [pid_t] {
            var found = [runner.pid] + agents
            for _ in 0..<4 {
                found += Proc.pids().filter { pid in
                    Proc.parent(of: pid).map(found.contains) == true && !found.contains(pid)
                }
            }
            return found
        }

        /// Ends runner and agents at once.
        func killBoth() throws {
            for agent in agents { kill(agent, SIGKILL) }
            runner.signal(SIGKILL)
            try runner.ended()
            #expect(eventually { !box.hasAgents })
        }

        /// Waits for the end and looks that all is as before, or that what is left is named and can be put back.
        func expectRestored(_ why: String) throws {
            let code = try runner.ended()
            #expect(eventually { !box.hasAgents }, "\(why): an agent lives")
            if code == 4 {
                let report = try box.lastReport()
                #expect(!report.proof.leaked.isEmpty, "\(why): \(runner.output)")
            }
            if code == 4 || code >= 128 {
                let recovery = try box.moonquake("recover")
                #expect(recovery.code == 0, "\(why): \(recovery.errors)\(recovery.output)")
            }
            let after = try world.dump()
            #expect(
                after == before,
                "\(why), exit \(code): \(TortureTests.difference(before, after))\n\(runner.errors)"
            )
            print("\(why): exit \(code)")
        }
    }

    // MARK: Disk

    /// Takes the last byte.
    private func fill(_ folder: String) throws {
        let file = open("\(folder)/theirs", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SetUpError("cannot fill \(folder)") }
        defer { close(file) }
        for size in [1 << 16, 1 << 9, 1] {
            let bytes = [UInt8](repeating: 1, count: size)
            while write(file, bytes, size) == size {}
        }
        var space = statvfs()
        guard statvfs(folder, &space) == 0, space.f_bavail == 0 else {
            throw SetUpError("\(folder) is not full")
        }
    }

    /// A file system of its own for the state directory.
    private func stateDisk(_ box: Sandbox) throws -> String {
        let disk = try box.fileSystem(megabytes: 8)
        guard symlink(disk, box.state) == 0 else { throw SetUpError("no link \(box.state)") }
        return disk
    }

    @Test
    func `without room for the journal no fault is made, and that is said`() throws {
        try Sandbox.with { box in
            let disk = try stateDisk(box)
            let sleeper = try box.sleeper()
            let script = try box.write(
                "full.lua",
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })\nwait '5s'"
            )
            try fill(disk)
            let run = try box.moonquake("run", script)
            #expect(run.code == 7, "\(run.errors)\(run.output)")
            #expect(run.errors.contains("No space left on device"), "\(run.errors)")
            #expect(run.output.contains("fault not injected"), "\(run.output)")
            #expect(Proc.state(of: sleeper.pid) != "T")
        }
    }

    @Test
    func `a disk that is full in mid-run keeps nothing from being put back`() throws {
        try Sandbox.with { box in
            let disk = try stateDisk(box)
            let held = try Held(in: box, then: "wait '60s'")
            try fill(disk)
            held.runner.signal(SIGTERM)
            #expect(try held.runner.ended() == 130, "\(held.runner.errors)")
            #expect(held.runner.errors.contains("is not in the history"), "\(held.runner.errors)")
            try held.expectRestored("full disk")
            #expect(box.openJournals().isEmpty, "the room for closing it was set aside")
        }
    }

    @Test
    func `with nobody left and the disk full, recover puts everything back`() throws {
        try Sandbox.with { box in
            let disk = try stateDisk(box)
            let held = try Held(in: box, then: "wait '60s'")
            try fill(disk)
            try held.killBoth()
            try held.expectRestored("full disk, both killed")
            #expect(box.openJournals().isEmpty)
        }
    }

    // MARK: Memory and pids

    /// A control group of its own with a controller; nil where there is none.
    private func group(_ controller: String, _ box: Sandbox) throws -> String? {
        let old = "/sys/fs/cgroup/\(controller)"
        let root = access("\(old)/cgroup.procs", W_OK) == 0 ? old : "/sys/fs/cgroup"
        let group = "\(root)/mqe-\(UInt32.random(in: .min ... .max))"
        guard mkdir(group, 0o755) == 0 else { throw SetUpError("cannot make \(group)") }
        box.adopt(group: group)
        let file = controller == "pids" ? "pids.max" : "cgroup.procs"
        return access("\(group)/\(file)", W_OK) == 0 ? group : nil
    }

    private func move(_ pids: [pid_t], into group: String) throws {
        // One that has ended meanwhile needs no place.
        for pid in pids where Proc.isAlive(pid) {
            try? File.write("\(pid)", to: "\(group)/cgroup.procs")
        }
    }

    @Test(arguments: [SIGTERM, SIGKILL])
    func `when no process or thread can be started any more, all is put back`(_ signal: Int32)
        throws
    {
        try Sandbox.with { box in
            let held = try Held(in: box, then: "wait '60s'")
            let group = try #require(try group("pids", box), "no controller pids here")
            try move(held.everybody, into: group)
            let count = try #require(File.text("\(group)/pids.current"))
            try File.write(count.filter(\.isNumber), to: "\(group)/pids.max")
            held.runner.signal(signal)
            try held.expectRestored("no pids left, signal \(signal)")
        }
    }

    @Test
    func `a fault whose worker cannot be started is none, and nothing is left`() throws {
        try Sandbox.with { box in
            let world = try TortureWorld(in: box)
            let before = try world.dump()
            let group = try #require(try group("pids", box), "no controller pids here")
            let script = try box.write(
                "late.lua",
                try world.script(["process.pause"], then: "wait '2s'\n")
                    + (try world.script(["cpu.stress", "dns.error"], then: "wait '60s'"))
            )
            let runner = try box.begin("run", script)
            let agents = try box.injected(1, by: runner)
            try move([runner.pid] + agents, into: group)
            let count = try #require(File.text("\(group)/pids.current"))
            try File.write(count.filter(\.isNumber), to: "\(group)/pids.max")
            let code = try runner.ended()
            #expect(code == 7 || code == 4, "\(runner.errors)")
            #expect(eventually { !box.hasAgents })
            if code == 4 { #expect(try box.moonquake("recover").code == 0) }
            let after = try world.dump()
            #expect(after == before, "\(TortureTests.difference(before, after))\n\(runner.errors)")
        }
    }

    /// Keeps the memory of a control group full for as long as it runs; the kernel ends others for that.
    private static let hog = """
        import sys, time
        group, limit = sys.argv[1], int(sys.argv[2])
        open("/proc/self/oom_score_adj", "w").write("-1000")
        old = group + "/memory.usage_in_bytes"
        try: open(old); usage = old
        except OSError: usage = group + "/memory.current"
        kept = []
        print("ready", flush=True)
        while True:
            free = limit - int(open(usage).read())
            if free >= 16384: kept.append(bytearray(max(8192, free // 4)))
            else: time.sleep(0.001)
        """

    @Test(arguments: ["nobody", "runner", "agent"])
    func `when memory is full, whoever the kernel ends first, all is put back`(
        _ first: String
    ) throws {
        try Sandbox.with { box in
            // The emulated processor of the lab takes half a minute for all of them.
            let held =
                Engines.isLab
                ? try Held(
                    in: box,
                    names: ["network.partition", "process.pause", "cpu.limit"],
                    then: "wait '10s'"
                ) : try Held(in: box, then: "wait '3s'")
            let group = try #require(try group("memory", box), "no controller memory here")
            let isOld = access("\(group)/memory.limit_in_bytes", W_OK) == 0
            let limit = 64 << 20
            try File.write(
                "\(limit)",
                to: "\(group)/\(isOld ? "memory.limit_in_bytes" : "memory.max")"
            )
            if let pid = ["runner": held.runner.pid, "agent": held.agents[0]][first] {
                try File.write("1000", to: "/proc/\(pid)/oom_score_adj")
            }
            let text = try box.write("hog.py", Self.hog)
            let hog = try box.start(["python3", text, group, "\(limit)"])
            #expect(eventually { hog.output.contains("ready") })
            try move([hog.pid] + held.everybody, into: group)
            _ = try held.runner.ended()
            // How often somebody wanted more than there is.
            let met =
                File.text("\(group)/memory.failcnt") ?? File.text("\(group)/memory.events") ?? ""
            #expect(met.contains { $0.isNumber && $0 != "0" }, "memory was never full: \(met)")
            hog.signal(SIGKILL)
            try held.expectRestored("full memory, \(first) first")
        }
    }

    // MARK: Clocks

    /// Sets the wall clock: the machine's in the lab, elsewhere the one that the runner sees.
    private func setClock(of runner: Program, by seconds: Int, _ body: () throws -> Void) throws {
        if Engines.isLab {
            var (wall, boot, later) = (timespec(), timespec(), timespec())
            clock_gettime(CLOCK_REALTIME, &wall)
            clock_gettime(CLOCK_BOOTTIME, &boot)
            var set = timespec(tv_sec: wall.tv_sec + seconds, tv_nsec: wall.tv_nsec)
            guard clock_settime(CLOCK_REALTIME, &set) == 0 else {
                throw SetUpError("the clock cannot be set: \(String(cString: strerror(errno)))")
            }
            defer {
                clock_gettime(CLOCK_BOOTTIME, &later)
                wall.tv_sec += later.tv_sec - boot.tv_sec
                clock_settime(CLOCK_REALTIME, &wall)
            }
            return try body()
        }
        let start = try #require(Proc.startTime(of: runner.pid))
        let process = ProcessIdentity(pid: runner.pid, startTime: start)
        let clocks = LinuxClocks()
        let found = try clocks.clock(of: process)
        let clock = try #require(found, "the runner was not started by wrap")
        try awaiting { try await clocks.shift(process, by: Int64(seconds) * 1_000_000_000) }
        defer { try? awaiting { try await clocks.unshift(clock.inode) } }
        try body()
    }

    /// Waits for something asynchronous.
    private func awaiting(_ body: @escaping @Sendable () async throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        let result = Mutex<Result<Void, any Error>>(.success(()))
        Task.detached {
            do {
                try await body()
            } catch {
                result.withLock { $0 = .failure(error) }
            }
            done.signal()
        }
        done.wait()
        try result.withLock { $0 }.get()
    }

    @Test(.rounds, arguments: [-86_400, 86_400, -315_360_000])
    func `a wall clock that is set changes no deadline and keeps nothing from being put back`(
        _ seconds: Int
    ) throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "clock.lua",
                """
                steady_state { every = "100ms", warmup = "200ms", metrics = {
                  one = metric.lua { function() return 1 end, equals = 1 } } }
                inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) }, duration = "2s" })
                wait "4s"
                """
            )
            let runner = try box.begin("wrap", "--", Moonquake.path, "run", script)
            try box.injected(1, by: runner)
            let injected = ContinuousClock.now
            try setClock(of: runner, by: seconds) {
                let isOver = eventually(within: .seconds(10)) {
                    Proc.state(of: sleeper.pid) != "T"
                }
                let took = ContinuousClock.now - injected
                #expect(isOver && took > .seconds(1) && took < .seconds(4), .ofFigure("\(took)"))
                let code = try runner.ended()
                #expect(code == 0, "\(runner.errors)\(runner.output)")
                #expect(ContinuousClock.now - injected < .seconds(15), .ofFigure)
            }
            let report = try box.lastReport()
            #expect(report.restoration == .restored)
            let samples = try #require(report.metrics.first?.samples)
            #expect(samples.count > 20, "\(samples.count) samples in 4 s")
            // The clock was really off: the time line, which has times of the wall clock, jumps.
            let jumps = zip(report.timeline, report.timeline.dropFirst()).map { $1.at - $0.at }
            #expect(jumps.contains { abs($0) > 80_000 }, "\(jumps)")
        }
    }

    // MARK: Journals and the state directory

    @Test(arguments: ["journal", "state directory"])
    func `what is removed while faults are on keeps nothing from being put back`(_ what: String)
        throws
    {
        try Sandbox.with { box in
            let held = try Held(in: box, then: "wait '60s'")
            if what == "journal" {
                for name in File.names(in: "\(box.state)/journals/open") {
                    unlink("\(box.state)/journals/open/\(name)")
                }
            } else {
                try box.tool("rm", "-rf", box.state)
            }
            held.runner.signal(SIGTERM)
            #expect(try held.runner.ended() == 130, "\(held.runner.errors)")
            try held.expectRestored("\(what) removed")
            #expect(try box.moonquake("recover").code == 0)
        }
    }

    @Test
    func `without journal and with nobody left, what bears our mark is listed and removed`() throws
    {
        try Sandbox.with { box in
            let held = try Held(in: box, then: "wait '60s'")
            try held.killBoth()
            try box.tool("rm", "-rf", "\(box.state)/journals")
            // What the kernel ended is gone; the control group of a load is not.
            let listed = try box.moonquake("doctor", "--residue")
            #expect(listed.output.contains("moonquake_"), "\(listed.output)\(listed.errors)")
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0, "\(recovery.errors)")
            #expect(recovery.output.contains("no journal speaks of it"), "\(recovery.output)")
            #expect(try box.moonquake("doctor", "--residue").output == "")
            #expect(try held.world.hasNoRules())
        }
    }

    // MARK: The database

    @Test
    func `a database that is locked keeps no run from its end`() throws {
        try Sandbox.with { box in
            let script = try box.write("one.lua", "inject(fault.noop { target = target.host {} })")
            #expect(try box.moonquake("run", script).code == 7, "makes the database")
            let path = "\(box.state)/catalogue.sqlite"
            let lock = try box.write(
                "lock.py",
                """
                import sqlite3, sys, time
                base = sqlite3.connect(sys.argv[1], isolation_level=None)
                base.execute("BEGIN EXCLUSIVE")
                print("locked", flush=True)
                time.sleep(600)
                """
            )
            let locker = try box.start(["python3", lock, path])
            #expect(eventually { locker.output.contains("locked") })
            let held = try Held(in: box, then: "wait '500ms'")
            #expect(try held.runner.ended() == 7, "\(held.runner.errors)")
            #expect(
                held.runner.errors.contains("the definition of this run is not kept")
                    && held.runner.errors.contains("in use by another program"),
                "\(held.runner.errors)"
            )
            try held.expectRestored("database locked")
            #expect(try box.lastReport().restoration == .restored)
        }
    }
}
