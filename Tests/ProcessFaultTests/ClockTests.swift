// clock.skew on real wrapped programs: every way to read the wall clock, waits, children, and what cannot be wrapped.

import ChaosLinux
import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

struct ClockTests {
    private static let program: String = {
        let folder = URL(filePath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
        return folder.appending(path: "moonquake").path
    }()

    /// A wrapped program that writes all its clocks to a file, again and again.
    private static func clocks(_ folder: TestFolder) throws -> Victim {
        try Victim([
            program, "wrap", "--", "/usr/bin/python3", "-c",
            """
            import ctypes, os, sys, time
            libc = ctypes.CDLL(None, use_errno=True)
            class Spec(ctypes.Structure): _fields_ = [("s", ctypes.c_long), ("n", ctypes.c_long)]
            def get(clock):
                spec = Spec(); libc.clock_gettime(clock, ctypes.byref(spec)); return spec.s
            def day():
                spec = Spec(); libc.gettimeofday(ctypes.byref(spec), None); return spec.s
            def c11():
                spec = Spec(); libc.timespec_get(ctypes.byref(spec), 1); return spec.s
            while True:
                values = [get(0), get(5), day(), libc.time(None), c11(), int(time.time()), get(1), get(7)]
                with open(sys.argv[1] + "/new", "w") as out: out.write(" ".join(map(str, values)))
                os.rename(sys.argv[1] + "/new", sys.argv[1] + "/clocks")
                time.sleep(0.005)
            """,
            folder.path,
        ])
    }

    private static func read(_ folder: TestFolder) -> [Int] {
        text("\(folder.path)/clocks").split(separator: " ").compactMap { Int($0) }
    }

    private static func isOff(_ folder: TestFolder, by seconds: Int) -> Bool {
        let values = read(folder)
        let now = Int(LinuxTime().secondsSince1970)
        return values.count == 8 && values.prefix(6).allSatisfy { abs($0 - now - seconds) <= 2 }
    }

    /// One that the program loads later, of its own, may be newer than the one that was brought along.
    @Test
    func `a wrapped program has no library more than its own but ours`() throws {
        func libraries(_ victim: Victim) -> Set<String> {
            let lines = text("/proc/\(victim.pid)/maps").split(separator: "\n")
            let paths = lines.compactMap { $0.split(separator: " ").last }
            return Set(paths.filter { $0.contains(".so") }.map(String.init))
        }
        let plain = try Victim(["/bin/sleep", "60"])
        let wrapped = try Victim([Self.program, "wrap", "--", "/bin/sleep", "60"])
        func more() -> Set<String> { libraries(wrapped).subtracting(libraries(plain)) }
        let isLoaded = eventually {
            !libraries(plain).isEmpty && libraries(wrapped).isSuperset(of: libraries(plain))
                && more().contains { $0.hasSuffix("/libmoonquake-clock.so") }
        }
        #expect(isLoaded)
        // What else there might be would come in a moment.
        usleep(100_000)
        #expect(more().count == 1, "\(more())")
    }

    @Test(arguments: [("5m", 300), ("-1h", -3600), ("400d", 34_560_000)])
    func `every way to read the wall clock is shifted, true time outside is not, and it ends`(
        _ offset: String,
        _ seconds: Int
    ) async throws {
        let folder = try TestFolder()
        let victim = try Self.clocks(folder)
        #expect(eventually { Self.isOff(folder, by: 0) }, "true until a fault says otherwise")
        let trial = try await FaultTrial(
            "clock.skew",
            ["offset": .string(offset)],
            on: victim.identity
        )
        let (true1, mono1) = (LinuxTime().secondsSince1970, LinuxTime().now)
        try await trial.inject()
        #expect(eventually { Self.isOff(folder, by: seconds) }, "\(Self.read(folder))")
        let (true2, mono2) = (LinuxTime().secondsSince1970, LinuxTime().now)
        #expect(abs((true2 - true1) - mono2.since(mono1).inSeconds) < 0.05, "ours is true")
        let monotonic = Self.read(folder).suffix(2)
        #expect(abs((monotonic.last ?? 0) - Int(LinuxTime().now.nanoseconds / 1_000_000_000)) <= 2)
        let effect = try await trial.effect()
        print("clock.skew \(offset): \(effect)")
        #expect(effect.hit == true)
        let second = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("clock.skew", ["offset": "1s"], on: victim.identity)
        }
        #expect(second?.description.contains("already") == true)
        try await trial.revert()
        #expect(eventually { Self.isOff(folder, by: 0) })
        try await trial.revert()
    }

    @Test(.rounds)
    func `a wait until a wall-clock time ends when the shifted clock says so`() async throws {
        let folder = try TestFolder()
        let victim = try Victim([
            Self.program, "wrap", "--", "/usr/bin/python3", "-c",
            """
            import os, sys, time, threading
            while not os.path.exists(sys.argv[1] + "/go"): time.sleep(0.01)
            import ctypes
            libc = ctypes.CDLL(None)
            class Spec(ctypes.Structure): _fields_ = [("s", ctypes.c_long), ("n", ctypes.c_long)]
            begin = time.monotonic()
            until = Spec(int(time.time()) + 1, 0)
            libc.clock_nanosleep(0, 1, ctypes.byref(until), None)
            sem = ctypes.create_string_buffer(64); libc.sem_init(sem, 0, 0)
            until = Spec(int(time.time()) + 1, 0)
            libc.sem_timedwait(sem, ctypes.byref(until))
            with open(sys.argv[1] + "/new", "w") as out: out.write(str(time.monotonic() - begin))
            os.rename(sys.argv[1] + "/new", sys.argv[1] + "/took")
            time.sleep(60)
            """,
            folder.path,
        ])
        #expect(
            try eventually {
                try LinuxProcesses().snapshot(of: victim.identity)?.names.contains("python3")
                    == true || LinuxClocks().clock(of: victim.identity) != nil
            }
        )
        #expect(try eventually { try LinuxClocks().clock(of: victim.identity) != nil })
        let trial = try await FaultTrial("clock.skew", ["offset": "1d"], on: victim.identity)
        try await trial.inject()
        touch("\(folder.path)/go")
        #expect(eventually { !text("\(folder.path)/took").isEmpty }, "it would last a day")
        #expect((Double(text("\(folder.path)/took")) ?? 99) < 6, .ofFigure)
        try await trial.revert()
    }

    @Test
    func `what is not wrapped is refused before the run, and what cannot be is not started`()
        async throws
    {
        let plain = try Victim(["/bin/sleep", "60"])
        let error = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("clock.skew", ["offset": "5m"], on: plain.identity)
        }
        #expect(error?.description.contains("moonquake wrap -- COMMAND") == true)
        let program = Process()
        program.executableURL = URL(filePath: Self.program)
        program.arguments = ["wrap", "--", "/no/such/program"]
        let output = Pipe()
        program.standardError = output
        try program.run()
        program.waitUntilExit()
        #expect(program.terminationStatus == 6)
        let said = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(),
            as: UTF8.self
        )
        #expect(said.contains("no such program"))
    }

    @Test(.enabled(if: getuid() == 0, "NOT ROOT: cannot make a time namespace"))
    func `a new process in a time namespace has a monotonic clock of its own`()
        async throws
    {
        let folder = try TestFolder()
        let victim = try Victim([
            Self.program, "wrap", "--monotonic", "30d", "--", "/usr/bin/python3", "-c",
            """
            import os, sys, time
            with open(sys.argv[1] + "/new", "w") as out:
                out.write("%d %d" % (time.monotonic(), time.time()))
            os.rename(sys.argv[1] + "/new", sys.argv[1] + "/clocks")
            time.sleep(60)
            """,
            folder.path,
        ])
        #expect(eventually { !text("\(folder.path)/clocks").isEmpty })
        let values = text("\(folder.path)/clocks").split(separator: " ").compactMap { Int($0) }
        var here = timespec()
        clock_gettime(CLOCK_MONOTONIC, &here)
        #expect(abs((values.first ?? 0) - here.tv_sec - 30 * 86400) <= 30)
        #expect(abs((values.last ?? 0) - Int(LinuxTime().secondsSince1970)) <= 30)
        withExtendedLifetime(victim) {}
    }

    @Test
    func `children that it starts share its clock`() async throws {
        let folder = try TestFolder()
        let victim = try Victim([
            Self.program, "wrap", "--", "/bin/bash", "-c",
            "while :; do date +%s >\(folder.path)/new; mv \(folder.path)/new \(folder.path)/date; done",
        ])
        let now = { Int(text("\(folder.path)/date").split(separator: "\n").first ?? "") ?? 0 }
        #expect(eventually { abs(now() - Int(LinuxTime().secondsSince1970)) <= 2 })
        let trial = try await FaultTrial("clock.skew", ["offset": "1d"], on: victim.identity)
        try await trial.inject()
        #expect(eventually { abs(now() - Int(LinuxTime().secondsSince1970) - 86400) <= 2 })
        try await trial.revert()
        #expect(eventually { abs(now() - Int(LinuxTime().secondsSince1970)) <= 2 })
    }
}
