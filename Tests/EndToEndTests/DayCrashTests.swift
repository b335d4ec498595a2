// GameDays that are killed with -9, with the real program: what was made is put back, and what had ended is not run again.

import ChaosGameDay
import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct `A GameDay that was cut off` {
    @Test
    func `killed with -9 in the middle, all is reverted and --resume goes on after what had ended`()
        throws
    {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow", "long", "twice"])
            let day = try box.begin("gameday", "run", file)
            let isCut = eventually(within: .seconds(60)) {
                day.errors.contains("injected network.partition")
            }
            #expect(isCut, "\(day.errors)")
            day.signal(SIGKILL)
            #expect(eventually { (try? box.hasNoTableOfOurs(site.near)) == true })

            let report = box.folder + "/day.json"
            let ended = try box.moonquake("gameday", "run", "--resume", file, "--report", report)
            #expect(ended.code == 1, "\(ended.output)\(ended.errors)")
            #expect(!ended.errors.contains("experiment \"slow\" begins"))
            #expect(ended.errors.contains("experiment \"long\" begins"))
            #expect(
                try box.gameDay(report).experiments.map(\.outcome) == [.held, .deviated, .held]
            )

            let again = try box.moonquake("gameday", "run", "--resume", file)
            #expect(again.code == 2)
            #expect(again.errors.contains("nothing to resume"))
        }
    }

    @Test
    func `killed with -9 at any moment, again and again, what had ended is never run again`()
        throws
    {
        try Sandbox.with { box in
            let names = ["one", "two", "three", "four"]
            let file = try box.harmlessDay("pause = \"200ms\"", experiments: names)
            let seed = UInt64.random(in: 1...1_000_000)
            var generator = SeededGenerator(seed: seed)
            var known: [String?] = []
            var (kills, isOver) = (0, false)
            let report = box.folder + "/day.json"
            while !isOver {
                let more = kills == 0 ? [] : ["--resume"]
                let day = try box.begin(["gameday", "run", file, "--report", report] + more)
                let hasBegun = eventually { day.errors.contains("the GameDay ") }
                #expect(hasBegun, "seed \(seed): \(day.errors)")
                let moment = Duration.milliseconds(Int.random(in: 1...1200, using: &generator))
                isOver = kills == 12 || eventually(within: moment) { day.exitCode != nil }
                guard !isOver else {
                    #expect(try day.ended(within: .seconds(60)) == 0, "seed \(seed): \(day.errors)")
                    break
                }
                day.signal(SIGKILL)
                try day.ended()
                kills += 1
                let rows = try #require(try box.gameDays().last).experiments.map(\.runID)
                #expect(rows.starts(with: known), "seed \(seed), after \(kills) kills")
                known = rows
            }
            let rows = try box.gameDay(report).experiments
            print("killed \(kills) times (seed \(seed)), \(known.count) rows before the last")
            #expect(rows.map(\.title) == names && rows.allSatisfy { $0.outcome == .held })
            #expect(rows.map(\.runID).starts(with: known), "seed \(seed)")
            #expect(try box.gameDays().count == 1)
        }
    }

    @Test
    func `a changed experiment is not resumed`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["long", "twice"])
            let day = try box.begin("gameday", "run", file)
            #expect(
                eventually(within: .seconds(60)) {
                    day.errors.contains("injected network.partition")
                }
            )
            day.signal(SIGKILL)
            try site.write(
                "twice",
                fault: "fault.network.duplicate { percent = \"2%\", \(site.target) }"
            )
            let ended = try box.moonquake("gameday", "run", "--resume", file)
            #expect(ended.code == 2)
            #expect(ended.errors.contains("has changed since"))
        }
    }
}
