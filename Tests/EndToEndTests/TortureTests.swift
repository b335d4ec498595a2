// Everything dies at every step of every fault, and after each time this machine is as it was before.
//
// A few dozen times here; `make torture` a thousand times, at random steps and moments, and prints how long it took from
// the end of whoever died until all was as before.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct TortureTests {
    /// The steps of a lease at which a debug build can be told to die; see `CrashPoint`.
    private static let points = [
        "granted", "injecting", "injected", "verified", "written", "reverting", "put_back",
        "read_back", "reverted",
    ]

    /// How long after a step it may be, in microseconds, where that is another state of the world: half done, or in force.
    private static let moments = [
        "injecting": 0...4000, "written": 0...40_000, "reverting": 0...4000,
    ]

    private static let victims = ["runner", "agent", "both"]

    /// Who dies, and when.
    private struct Crash: CustomStringConvertible {
        let fault: TortureWorld.Fault
        let point: String
        let victim: String
        /// How long after the point, so that a step can be half done.
        let microseconds: Int

        var order: String { "\(point) \(victim) \(microseconds)" }
        var description: String {
            "\(fault.name): kill -9 of \(victim), \(microseconds) µs after \(point)"
        }
    }

    /// How long it took until all was as before, by who had to put it back.
    private struct Bounds {
        private var times: [String: [Double]] = [:]

        mutating func note(_ milliseconds: Double, of holder: String) {
            times[holder, default: []].append(milliseconds)
        }

        /// How many there were.
        var kills: Int { times.values.reduce(0) { $0 + $1.count } }

        /// A row for each holder.
        var table: String {
            let rows = times.sorted { $0.key < $1.key }.map { holder, times in
                let sorted = times.sorted()
                func quantile(_ share: Double) -> String {
                    shown(sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))])
                }
                return
                    "| \(holder) | \(sorted.count) | \(quantile(0.5)) | \(quantile(0.99)) | \(shown(sorted.last)) |"
            }
            let head = [
                "| who put it back | kills | p50 | p99 | max |", "| --- | --- | --- | --- | --- |",
            ]
            return (head + rows).joined(separator: "\n")
        }
    }

    private static let wanted = getenv("MOONQUAKE_TORTURE").flatMap { Int(String(cString: $0)) }

    @Test
    func `every fault is tortured, but those that leave nothing`() throws {
        try Sandbox.with { box in
            let world = try TortureWorld(in: box)
            let all = try box.tool(Moonquake.path, "faults").split(separator: "\n")
                .compactMap { $0.split(separator: " ").first.map(String.init) }
            #expect(all.count > 20)
            let known = Set(world.faults.map(\.name)).union(TortureWorld.exempt.keys)
            #expect(Set(all).subtracting(known) == [])
        }
    }

    @Test
    func `whoever dies at whatever step, all is as before`() throws {
        let seed = UInt64(getenv("MOONQUAKE_SEED").map { String(cString: $0) } ?? "") ?? 1
        var random = SeededGenerator(seed: seed)
        try Sandbox.with { box in
            let world = try TortureWorld(in: box)
            var bounds = Bounds()
            // Every fault once, and every step with every victim in turn; when more are wanted, every fault at every step
            // with every victim, and from then on at random.
            var number = 0
            let wanted = Self.wanted ?? world.faults.count
            while bounds.kills < wanted, number < 3 * wanted {
                try carryOut(crash(number, in: world, &random), number, in: world, &bounds)
                number += 1
            }
            #expect(bounds.kills >= wanted)
            print("\(bounds.kills) kills of \(number) that were meant, seed \(seed)")
            print(bounds.table)
        }
    }

    private func crash(
        _ number: Int,
        in world: TortureWorld,
        _ random: inout SeededGenerator
    ) -> Crash {
        let (points, victims) = (Self.points, Self.victims)
        let fault = world.faults[number % world.faults.count]
        let round = number / world.faults.count
        let (point, victim): (String, String)
        if Self.wanted == nil {
            (point, victim) = (
                points[number % points.count], victims[(number / points.count + number) % 3]
            )
        } else if round < points.count * victims.count {
            (point, victim) = (points[round % points.count], victims[round / points.count])
        } else {
            (point, victim) = (
                points.randomElement(using: &random) ?? "",
                victims.randomElement(using: &random) ?? ""
            )
        }
        return Crash(
            fault: fault,
            point: point,
            victim: victim,
            microseconds: Self.moments[point].map { Int.random(in: $0, using: &random) } ?? 0
        )
    }

    private func carryOut(
        _ crash: Crash,
        _ number: Int,
        in world: TortureWorld,
        _ bounds: inout Bounds
    ) throws {
        let box = world.box
        let (before, quick) = (try world.dump(), world.quickDump())
        let mark = "\(box.folder)/mark-\(number)"
        let script = try box.write("torture.lua", "inject(\(crash.fault.text))\nwait '50ms'")
        let environment = Program.environment.merging([
            "MOONQUAKE_CRASH": crash.order, "MOONQUAKE_CRASH_MARK": mark,
        ]) { $1 }
        let runner = try box.begin("run", script, environment: environment)
        _ = eventually { access(mark, F_OK) == 0 || runner.exitCode != nil }
        // A step that was over before the moment came is no crash.
        if crash.microseconds > 0, access(mark, F_OK) != 0 { return }
        try #require(access(mark, F_OK) == 0, "\(crash): nobody died: \(runner.errors)")
        var status = stat()
        stat(mark, &status)
        let died = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
        func isClean() throws -> Bool {
            try world.quickDump() == quick && world.hasNoRules()
        }
        var holder =
            switch crash.victim {
            case "runner": "the agent"
            case "agent": "the kernel, or the runner with a new agent"
            default: "the kernel"
            }
        let patience = Duration.milliseconds(crash.victim == "both" ? 300 : 10_000)
        var isBack = try eventually(within: patience) { try isClean() }
        if crash.victim == "both", !isBack {
            // Nobody is left: what the kernel does not end waits for the next command.
            holder = "recover, right after"
            #expect(try box.moonquake("recover").code == 0, "\(crash)")
            isBack = try isClean()
        }
        if !isBack {
            let left = Self.difference(before, try world.dump())
            Issue.record("\(crash): not as before within \(patience)\n\(left)\n\(runner.errors)")
        }
        if isBack { bounds.note((secondsSince1970 - died) * 1000, of: holder) }
        try runner.ended()
        #expect(eventually { !box.hasAgents }, "\(crash): an agent lives")
        _ = try box.moonquake("recover")
        let after = try world.dump()
        #expect(after == before, "\(crash)\n\(Self.difference(before, after))\n\(runner.errors)")
        try #require(after == before)
    }

    /// The lines that only one of two texts has.
    static func difference(_ before: String, _ after: String) -> String {
        let (old, new) = (before.split(separator: "\n"), after.split(separator: "\n"))
        return new.difference(from: old).map { change in
            switch change {
            case .insert(_, let line, _): "+ \(line)"
            case .remove(_, let line, _): "- \(line)"
            }
        }.joined(separator: "\n")
    }
}
