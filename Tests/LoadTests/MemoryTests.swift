// memory.pressure on the real kernel: what is held is read from /proc and the control group.

import CLinux
import ChaosModel
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import ChaosLinux

@Suite(
    .serialized,
    .enabled(if: geteuid() == 0, "SKIPPED: needs root, for control groups")
)
struct `Memory load` {
    private let bench: Bench
    private let groups = LinuxControlGroups()

    init() throws { bench = try Bench() }

    private func resident(_ pid: Int32) throws -> Double {
        let text = try ProcFile.text("/proc/\(pid)/status") ?? ""
        let field = ProcessStatus.field("RssAnon", of: text) ?? ""
        return (Double(field.prefix(while: \.isNumber)) ?? .nan) * 1024
    }

    private func limited(_ megabytes: Int) throws -> GroupedProcess {
        let process = try GroupedProcess([.memory])
        try process.write("\(megabytes << 20)", v1: "memory.limit_in_bytes", v2: "memory.max")
        return process
    }

    @Test(.rounds)
    func `a size is held steadily, by a worker that rests and that the kernel kills first`()
        async throws
    {
        let bytes = Double(96 << 20)
        try await bench.with("memory.pressure", ["use": "96MiB"]) { held in
            let pid = try held.worker()
            #expect(try ProcFile.text("/proc/\(pid)/oom_score_adj") == "1000\n")
            let cgroup = try ProcFile.text("/proc/\(pid)/cgroup") ?? ""
            #expect(cgroup.contains(held.name))
            var seen: [Double] = []
            for _ in 0..<10 {
                seen.append(try resident(pid))
                try await Task.sleep(for: .milliseconds(150))
            }
            let effect = try await held.effect()
            print("held \(seen), the worker used \(effect.figure("worker_cpu")) %")
            let (low, high) = (seen.min() ?? 0, seen.max() ?? 0)
            #expect(high / low < 1.01)
            // The program itself is some MiB.
            #expect(low >= bytes && high < bytes + Double(24 << 20))
            #expect(effect.figure("measured") == bytes && effect.figure("asked") == bytes)
            // An emulated processor is some sixteen times slower.
            #expect(effect.figure("worker_cpu") < (Bench.isTimed ? 5 : 20), .ofFigure)
        }
    }

    @Test
    func `no two pages are the same`() throws {
        let (count, size) = (512, 4096)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count * size, alignment: size)
        defer { memory.deallocate() }
        clinux_fill_random(memory, count * size, 7)
        let pages = (0..<count).map { Data(bytes: memory + $0 * size, count: size) }
        #expect(Set(pages).count == count)
        #expect(pages.allSatisfy { Set($0).count > 200 }, "nor can they be compressed")
    }

    @Test(.rounds)
    func `a share of a group's limit is met within a point and never passed`() async throws {
        let process = try limited(128)
        let group = try process.group(.memory)
        let highest = Mutex(0)
        let isOver = Mutex(false)
        let groups = groups
        let watch = Task {
            while !isOver.withLock({ $0 }) {
                let now = (try? groups.memoryInUse(of: group)) ?? 0
                highest.withLock { $0 = max($0, now) }
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        try await bench.with("memory.pressure", on: process.target, ["use": "80%"]) { held in
            try await Task.sleep(for: .seconds(1))
            let share = Double(try groups.memoryInUse(of: group)) / Double(128 << 20) * 100
            let said = try await held.effect().figure("measured")
            isOver.withLock { $0 = true }
            await watch.value
            let most = Double(highest.withLock { $0 }) / Double(128 << 20) * 100
            print("asked 80 % of 128 MiB: \(share) %, the fault says \(said) %, at most \(most) %")
            #expect(abs(share - 80) <= 1 && abs(said - 80) <= 1, .ofFigure)
            // The kernel counts a group in batches of 64 pages for each processor.
            #expect(most <= 80.4)
        }
        isOver.withLock { $0 = true }
        withExtendedLifetime(process) {}
    }

    @Test(.rounds)
    func `a share of the host's memory counts what others use`() async throws {
        let host = try HostMemory.read()
        let now = Double(host.total - host.available) / Double(host.total)
        let asked = (now + 0.03) * 100
        let options: [String: ParameterValue] = ["use": .string("\(asked)%")]
        try await bench.with("memory.pressure", options) { held in
            let effect = try await held.effect()
            let after = try HostMemory.read()
            let used = Double(after.total - after.available) / Double(after.total) * 100
            print("asked \(asked) % of the host: \(used) %, was \(now * 100) %: \(effect.seen)")
            // What others do meanwhile is not the fault's: only the machine alone shows one point.
            #expect(abs(effect.figure("measured") - asked) <= 1, .ofFigure)
        }
    }

    @Test(.rounds)
    func `a ramp takes its time`() async throws {
        try await bench.with("memory.pressure", ["use": "64MiB", "ramp": "2s"]) { held in
            let began = LoadClock.now
            #expect(try await held.effect().figure("held") < Double(32 << 20))
            let isHalf = try await comes {
                try await held.effect().figure("held") > Double(32 << 20)
            }
            let half = LoadClock.now - began
            let isFull = try await comes {
                try await held.effect().figure("held") == Double(64 << 20)
            }
            let full = LoadClock.now - began
            print("half after \(half) s, full after \(full) s")
            #expect(isHalf && isFull && half > 0.6 && full > 1.6)
            if Bench.isTimed { #expect(half < 1.5 && full < 2.6, .ofFigure) }
        }
    }

    @Test
    func `a slow ramp looks after the host between its pieces too`() async throws {
        let floor = try await settledMemory() - (200 << 20)
        guard floor > 64 << 20 else { return print("SKIPPED: needs 264 MiB of memory") }
        // A piece of 1 MiB every ten seconds.
        let options: [String: ParameterValue] = [
            "use": "60MiB", "ramp": "600s", "keep_free": .string("\(floor)B"),
        ]
        try await bench.with("memory.pressure", options) { held in
            #expect(try await held.effect().seen.contains("still filling"))
            let hasStopped = try await crowdingHost {
                try await held.effect().seen.contains("stopped filling: the host has")
            }
            let seen = try await held.effect().seen
            #expect(hasStopped, "\(seen)")
        }
    }

    @Test
    func `a worker that the kernel kills later has ended early, with the reason and the time`()
        async throws
    {
        let process = try limited(48)
        let options: [String: ParameterValue] = ["use": "96MiB", "ramp": "500ms"]
        try await bench.with("memory.pressure", on: process.target, options) { held in
            let text = try #require(await held.type.endedEarly(held.plan.undo, bench.kernel))
            let words = "was killed by the kernel, which had no memory left at 20"
            #expect(text.contains(words), "\(text)")
            #expect(try await held.effect().seen == "ended early: \(text)")
        }
        #expect(try LinuxProcesses().isThere(process.process))
    }

    @Test
    func `out of memory: fail says so, respawn goes on, ignore is content`() async throws {
        let process = try limited(48)
        let options: [String: ParameterValue] = ["use": "96MiB"]
        let failed = await bench.refusal(of: "memory.pressure", on: process.target, options)
        #expect(
            failed.contains("killed by the kernel, which had no memory left at 20"),
            "\(failed)"
        )
        let ignore = options.merging(["on_oom": "ignore"]) { $1 }
        try await bench.with("memory.pressure", on: process.target, ignore) { held in
            let seen = try await held.effect().seen
            #expect(seen.hasSuffix("as on_oom = \"ignore\" allows"), "\(seen)")
            #expect(await held.type.endedEarly(held.plan.undo, bench.kernel) == nil)
        }
        let respawn = options.merging(["on_oom": "respawn"]) { $1 }
        try await bench.with("memory.pressure", on: process.target, respawn) { held in
            let isAgain = try await comes {
                try await held.effect().figure("respawns") >= 2
            }
            let seen = try await held.effect().seen
            #expect(isAgain, "\(seen)")
        }
        #expect(
            try LinuxProcesses().isThere(process.process),
            "the target was never the one killed"
        )
    }

    /// What the host has once it is quiet: what the test before held is still being freed.
    private func settledMemory() async throws -> Int {
        var before = try HostMemory.read().available
        for _ in 0..<50 {
            try await Task.sleep(for: .milliseconds(200))
            let now = try HostMemory.read().available
            if abs(now - before) < 16 << 20 { return now }
            before = now
        }
        return before
    }

    /// Takes memory of the host beside the fault, piece by piece, until something holds of the fault: whether it did.
    ///
    /// More than the test left to the host, since others may give some back meanwhile; freed before this returns.
    private func crowdingHost(until holds: () async throws -> Bool) async throws -> Bool {
        let size = 200 << 20
        var pieces: [UnsafeMutableRawPointer] = []
        defer { for piece in pieces { munmap(piece, size) } }
        while pieces.count < 12 {
            let mapped = mmap(
                nil,
                size,
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS,
                -1,
                0
            )
            let piece = try #require(mapped)
            clinux_fill_random(piece, size, 1)
            pieces.append(piece)
            if try await comes(within: .milliseconds(pieces.count < 3 ? 200 : 1000), holds: holds) {
                return true
            }
        }
        return false
    }

    @Test
    func `memory is given back before the host has none, and that is said`() async throws {
        let before = try await settledMemory()
        let floor = before - (700 << 20)
        guard floor > 0 else { return print("SKIPPED: needs 700 MiB of memory") }
        let options: [String: ParameterValue] = [
            "use": "400MiB", "keep_free": .string("\(floor)B"),
        ]
        try await bench.with("memory.pressure", options) { held in
            let isBack = try await crowdingHost {
                try await held.effect().seen.contains("gave back")
            }
            let effect = try await held.effect()
            print(effect.seen)
            #expect(isBack)
            #expect(effect.seen.components(separatedBy: "the host had only").count <= 3)
            #expect(effect.figure("held") < Double(400 << 20))
        }
        let refused = await bench.refusal(of: "memory.pressure", ["use": "100%"])
        #expect(refused.contains("would leave the host less than"), "\(refused)")
    }

    @Test
    func `a share of a group without a limit is refused`() async throws {
        let process = try GroupedProcess([.memory])
        let text = await bench.refusal(of: "memory.pressure", on: process.target, ["use": "50%"])
        #expect(text.contains("has no limit of memory"), "\(text)")
        withExtendedLifetime(process) {}
    }
}
