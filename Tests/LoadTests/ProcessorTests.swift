// cpu.stress on the real kernel: what is used is read from /proc/stat or the control group, beside what the fault says.

import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

@testable import ChaosLinux

@Suite(
    .serialized,
    .enabled(if: geteuid() == 0, "SKIPPED: needs root, for control groups")
)
struct `Processor load` {
    private let bench: Bench
    /// Points by which a share may be off.
    private let tolerance = Bench.isTimed ? 3.0 : 6.0

    /// The most that others used in a window of this test, in percent of all processors.
    private let others = Shared(0.0)

    init() throws { bench = try Bench() }

    /// Expects a share near what was asked, unless others needed the processors at the same time.
    private func expect(
        _ value: Double,
        near asked: Double,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) {
        guard abs(value - asked) > tolerance, others.value > 10 else {
            #expect(abs(value - asked) <= tolerance, .ofFigure, sourceLocation: sourceLocation)
            return
        }
        print("SKIPPED: \(value) % for \(asked) %, but others used \(others.value) % meanwhile")
    }

    /// The processor time of the workers so far.
    private func workersTime() -> Double {
        bench.loads.workers.map { worker in
            let text = ((try? ProcFile.text("/proc/\(worker.pid)/stat")) ?? nil) ?? ""
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            let ticks =
                fields.count > 12 ? (Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0) : 0
            return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        }.reduce(0, +)
    }

    /// The share of the time of `capacity` processors that a meter counts over a while.
    private func measure(
        _ meter: ProcessorMeter,
        of capacity: Double,
        for seconds: Double = 2
    ) async throws -> Double {
        let all = ProcessorMeter(processors: try bench.loads.processors(of: nil), group: nil)
        let (allBefore, ours) = (try all.read().reduce(0, +), workersTime())
        let (before, began) = (try meter.read().reduce(0, +), LoadClock.now)
        try await Task.sleep(for: .seconds(seconds))
        let used = try meter.read().reduce(0, +) - before
        let foreign = try all.read().reduce(0, +) - allBefore - (workersTime() - ours)
        let share = foreign / seconds / Double(all.processors.count) * 100
        others.value = max(others.value, share)
        return used / (LoadClock.now - began) / capacity * 100
    }

    /// The use of the worker of a fault, from its control group.
    private func use(of held: HeldLoad, capacity: Double) async throws -> Double {
        let group = try LinuxControlGroups().group(
            of: try #require(LinuxProcesses.identity(ofChild: try held.worker())),
            for: .cpuacct
        )
        #expect(group.path.hasSuffix(held.name))
        return try await measure(ProcessorMeter(processors: [], group: group), of: capacity)
    }

    @Test(.rounds, arguments: [0.1, 0.5, 0.9])
    func `one processor is used as far as asked`(_ share: Double) async throws {
        let options: [String: ParameterValue] = [
            "load": .string("\(Int(share * 100))%"), "cores": .list([.number(0)]),
        ]
        try await bench.with("cpu.stress", options) { held in
            try await Task.sleep(for: .seconds(1))
            let used = try await use(of: held, capacity: 1)
            let said = try await held.effect().figure("measured")
            print("asked \(share * 100) %, the group used \(used) %, the fault says \(said) %")
            expect(used, near: share * 100)
            expect(said, near: share * 100)
        }
    }

    @Test(.rounds)
    func `all processors together are used as far as asked, by a worker in a group of its own`()
        async throws
    {
        let processors = try bench.loads.processors(of: nil)
        let own = try ProcFile.text("/proc/self/cgroup")
        try await bench.with("cpu.stress", ["load": "50%"]) { held in
            try await Task.sleep(for: .seconds(1))
            let used = try await use(of: held, capacity: Double(processors.count))
            print("asked 50 % of \(processors.count) processors, used \(used) %")
            expect(used, near: 50)
            let threads = try #require(
                try ProcFile.names(in: "/proc/\(try held.worker())/task")
            )
            let pinned = threads.compactMap { thread in
                try? ProcFile.text("/proc/\(held.worker())/task/\(thread)/status")
            }.compactMap { ProcessStatus.field("Cpus_allowed_list", of: $0) }
            #expect(processors.allSatisfy { pinned.contains("\($0)") })
        }
        #expect(try ProcFile.text("/proc/self/cgroup") == own)
    }

    @Test(.rounds)
    func `with a base load of 30 % a total of 60 % is met, and 20 % more make 50 %`() async throws {
        let last = try #require(try bench.loads.processors(of: nil).last)
        let first: [String: ParameterValue] = ["cores": .list([.number(Double(last))])]
        let meter = ProcessorMeter(processors: [last], group: nil)
        try await bench.with("cpu.stress", first.merging(["load": "30%"]) { $1 }) { base in
            var quiet = 100.0
            for _ in 0..<10 where quiet >= 36 { quiet = try await measure(meter, of: 1, for: 1) }
            guard quiet < 36 else {
                return print("SKIPPED: others use processor \(last) too, in all \(quiet) %")
            }
            let total = first.merging(["load": "60%", "mode": "total"]) { $1 }
            try await bench.with("cpu.stress", total) { held in
                try await Task.sleep(for: .seconds(2))
                let used = try await measure(meter, of: 1)
                let said = try await held.effect().figure("measured")
                print("asked for 60 % in all beside 30 %: \(used) %, the fault says \(said) %")
                expect(used, near: 60)
                expect(said, near: 60)
            }
            try await bench.with("cpu.stress", first.merging(["load": "20%"]) { $1 }) { _ in
                try await Task.sleep(for: .seconds(1))
                let used = try await measure(meter, of: 1)
                print("20 % beside 30 %: \(used) %")
                expect(used, near: 50)
            }
            // Two loads at once, twice: the end of the second left the first at its level.
            let (after, own) = (
                try await measure(meter, of: 1), try await use(of: base, capacity: 1)
            )
            print("after the end of the others: \(after) %, the first itself \(own) %")
            expect(after, near: 30)
            expect(own, near: 30)
        }
    }

    @Test(.rounds)
    func `in a group with a quota a share is one of the quota, added or in all`() async throws {
        let process = try GroupedProcess([.cpuacct, .cpu])
        if process.groups[0].version == .v1 {
            try process.write("50000", v1: "cpu.cfs_quota_us", v2: "")
        } else {
            try process.write("50000 100000", v1: "", v2: "cpu.max")
        }
        let meter = ProcessorMeter(processors: [], group: try process.group(.cpuacct))
        try await bench.with("cpu.stress", on: process.target, ["load": "50%"]) { held in
            #expect(held.plan.changes[0].contains("a quota of 0.5 processors"))
            try await Task.sleep(for: .seconds(1))
            let used = try await measure(meter, of: 0.5)
            print("asked 50 % of a quota of half a processor: \(used) %")
            expect(used, near: 50)
            let total: [String: ParameterValue] = ["load": "80%", "mode": "total"]
            try await bench.with("cpu.stress", on: process.target, total) { second in
                try await Task.sleep(for: .seconds(2))
                let used = try await measure(meter, of: 0.5)
                let said = try await second.effect().figure("measured")
                print(
                    "asked for 80 % of it in all beside 50 %: \(used) %, the fault says \(said) %"
                )
                expect(used, near: 80)
                expect(said, near: 80)
            }
            // Two loads at once: the end of one leaves the other at its level.
            let after = try await measure(meter, of: 0.5)
            print("after the end of the second: \(after) %")
            expect(after, near: 50)
        }
        withExtendedLifetime(process) {}
    }

    @Test
    func `a target's group that is killed as a whole takes the worker along, and nothing is left`()
        async throws
    {
        let process = try GroupedProcess([.cpuacct, .cpu])
        let groups = LinuxControlGroups()
        try await bench.with("cpu.stress", on: process.target, ["load": "5%"]) { held in
            let worker = try held.worker()
            // As a service manager ends a unit.
            for pid in [worker, process.process.pid] { kill(pid, SIGKILL) }
            let seen = await held.type.endedEarly(held.plan.undo, bench.kernel)
            #expect(seen?.hasPrefix("worker \(worker) was killed by signal 9") == true)
        }
        for group in process.groups { #expect(try groups.groups(below: group).isEmpty) }
    }

    @Test(.rounds)
    func `as many processors as asked are used, and no other`() async throws {
        let processors = try bench.loads.processors(of: nil)
        let options: [String: ParameterValue] = ["load": "50%", "cores": .number(1)]
        try await bench.with("cpu.stress", options) { held in
            let threads = try #require(try ProcFile.names(in: "/proc/\(try held.worker())/task"))
            let bound = threads.compactMap { thread in
                try? ProcFile.text("/proc/\(held.worker())/task/\(thread)/status")
            }.compactMap { ProcessStatus.field("Cpus_allowed_list", of: $0) }
            // The others serve the agent, wherever they like.
            let single = Set(bound.filter { Int($0) != nil })
            #expect(single == [String(processors[0])], "\(bound)")
            try await Task.sleep(for: .seconds(1))
            let used = try await use(of: held, capacity: 1)
            print("asked 50 % of one of \(processors.count) processors: \(used) % of one")
            expect(used, near: 50)
        }
    }

    @Test
    func `a worker that is killed has ended early, with its time, and is put back all the same`()
        async throws
    {
        try await bench.with("cpu.stress", ["load": "5%"]) { held in
            let pid = try held.worker()
            kill(pid, SIGKILL)
            let seen = await held.type.endedEarly(held.plan.undo, bench.kernel)
            let text = try #require(seen)
            #expect(text.hasPrefix("worker \(pid) was killed by signal 9 (SIGKILL) at 20"))
            #expect(try await held.effect().seen == "ended early: \(text)")
        }
    }

    @Test
    func `what cannot be is said before anything is done`() async throws {
        let missing = await bench.refusal(
            of: "cpu.stress",
            ["load": "50%", "cores": .number(4000)]
        )
        #expect(missing.hasPrefix("cores = 4000, but only processors 0"))
        let none = await bench.refusal(
            of: "cpu.stress",
            ["load": "50%", "cores": .list([.number(4001)])]
        )
        #expect(none.hasPrefix("processor 4001 may not be used, only 0"))
        #expect(await bench.refusal(of: "cpu.stress", ["load": "0%"]).contains("more than 0%"))
    }
}

struct `Processor values` {
    @Test
    func `a mask of several words names all its processors`() {
        #expect(ProcessorSet.numbers(inMask: "ffff,ffffffff") == Array(0..<48))
        #expect(ProcessorSet.numbers(inMask: "3") == [0, 1])
        #expect(ProcessorSet.numbers(inMask: "80000000,00000000,00000001") == [0, 95])
        #expect(ProcessorSet.numbers(inMask: "0") == nil)
        #expect(ProcessorSet.numbers(inMask: "x") == nil)
    }

    @Test
    func `idle time is read for each processor, with the wait for disks`() {
        let text = "cpu  1 2 3 999 5 0\ncpu0 1 2 3 400 50 0 0\ncpu11 1 2 3 100 0 0 0\nintr 1\n"
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        #expect(ProcessorMeter.idle(in: text) == [0: 450 / ticks, 11: 100 / ticks])
    }

    @Test(arguments: [0.0, 0.3, 0.9])
    func `the controller leaves what others use, and adds the rest`(_ others: Double) {
        var controller = LoadController()
        var added = 0.0
        var total = 0.0
        for round in 0..<200 {
            let used = min(1, others + added) * 0.1
            if round >= 100 { total += used }
            added = controller.share(wanted: 0.6, used: used, own: used - others * 0.1, in: 0.1)
        }
        #expect(abs(total / 10 - max(0.6, others)) < 0.01)
    }
}
