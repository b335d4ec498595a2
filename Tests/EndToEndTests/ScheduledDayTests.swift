// Registered GameDays: the daemon that runs them when they are due, the single look of a timer, and the units for both.

import ChaosGameDay
import ChaosModel
import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct `Registered GameDays` {
    @Test
    func `the daemon runs what is due and a restart does not run it twice`() throws {
        try Sandbox.with { box in
            let experiment = "inject(fault.noop { target = target.host {} })"
            _ = try box.write("nothing.lua", experiment)
            let file = try box.write(
                "daily.lua",
                "gameday \"often\" { experiments = { \"nothing\" }, schedule = { every = \"2s\" } }"
            )
            #expect(try box.moonquake("gameday", "schedule", file).code == 0)
            let daemon = try box.begin("gameday", "daemon")
            let isStarted = eventually(within: .seconds(60)) {
                File.names(in: box.state + "/gamedays").count >= 1
            }
            #expect(isStarted, "\(daemon.errors)")
            daemon.signal(SIGTERM)
            #expect(try daemon.ended() == 0, "\(daemon.errors)")
            let next = try box.moonquake("gameday", "next")
            #expect(next.output.contains("last: "), "\(next.output)")
            #expect(try box.moonquake("gameday", "unschedule", file).code == 0)
            #expect(
                try box.moonquake("gameday", "next").output.contains("no GameDay is registered")
            )
        }
    }

    @Test
    func `one look fires what is due once, however often one looks at that minute`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("schedule = { every = \"1h\" }", experiments: ["one"])
            #expect(try box.moonquake("gameday", "schedule", file).code == 0)
            #expect(try box.moonquake("gameday", "daemon", "--once").code == 0)
            #expect(try box.gameDays().isEmpty, "registering fires nothing")

            try box.register(file, secondsAgo: 3600 + 5)
            let looks = try (1...5).map { _ in try box.begin("gameday", "daemon", "--once") }
            for look in looks {
                let code = try look.ended()
                let isTaken = look.errors.contains("another `moonquake gameday daemon` (process ")
                #expect(code == 0 || code == 2 && isTaken, "\(look.errors)")
            }
            let later = try box.moonquake("gameday", "daemon", "--once")
            #expect(later.code == 0 && later.errors.isEmpty, "\(later.errors)")
            #expect(looks.map(\.errors).joined().ranges(of: " started\n").count == 1)
            #expect(try box.endOfDays().map(\.passed) == [true])
            let next = try box.moonquake("gameday", "next")
            #expect(next.output.contains(": started\n"), "\(next.output)")
        }
    }

    @Test
    func `the options that it was registered with, and those of who looks, hold for the day`()
        throws
    {
        try Sandbox.with { box in
            let file = try box.write(
                "asked.lua",
                """
                local p = params { who = { type = "string" } }
                gameday "asked" {
                  owner = p.who, schedule = { every = "1h" },
                  experiments = { experiment "nothing" {
                    faults = { fault.noop { target = target.host {} } }, duration = "100ms",
                  } },
                }
                """
            )
            #expect(try box.moonquake("gameday", "schedule", file, "--param", "who=ada").code == 0)
            #expect(try box.moonquake("gameday", "next").output.contains("  next: "))
            try box.register(file, secondsAgo: 3600 + 5)
            let look = try box.moonquake(
                "gameday",
                "daemon",
                "--once",
                "--limit",
                "forbid_faults=noop"
            )
            #expect(look.code == 0, "\(look.errors)")
            let day = try #require(try box.endOfDays().first)
            #expect(day.definition.owner == "ada")
            #expect(day.experiments.map(\.outcome) == [.failed])
            #expect(day.experiments[0].reason.contains("forbid_faults"), "\(day.reasons)")
        }
    }

    @Test
    func `what is registered is listed with its next time, on the wall clock of its zone`() throws {
        try Sandbox.with { box in
            let file = Moonquake.tree + "/scripts/gamedays/shop-rehearsal.lua"
            let schedule = try box.moonquake("gameday", "schedule", file)
            #expect(schedule.code == 0, "\(schedule.errors)")
            let next = try box.moonquake("gameday", "next")
            #expect(next.output.contains(/next: Tue \d{4}-\d\d-\d\d 10:00:00 Europe\/Oslo\n/))
            let check = try box.moonquake("gameday", "check", file)
            #expect(
                check.output.matches(of: /Tue \d{4}-\d\d-\d\d 10:00:00 Europe\/Oslo/).count == 3
            )
        }
    }

    @Test
    func `nineteen days without a look make one run`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("schedule = { every = \"1h\" }", experiments: ["one"])
            #expect(try box.moonquake("gameday", "schedule", file).code == 0)
            try box.register(file, secondsAgo: 19 * 86_400)
            for _ in 1...2 { #expect(try box.moonquake("gameday", "daemon", "--once").code == 0) }
            #expect(try box.endOfDays().count == 1)
            let next = try box.moonquake("gameday", "next")
            #expect(next.output.contains("started, 455 missed before it"), "\(next.output)")
        }
    }

    @Test
    func `a day that still goes on makes the next skipped, which is recorded`() throws {
        try Sandbox.with { box in
            let options = "schedule = { every = \"1h\" }, approval = \"day\""
            let file = try box.harmlessDay(options, experiments: ["one"])
            #expect(try box.moonquake("gameday", "schedule", file).code == 0)
            try box.register(file, secondsAgo: 3600 + 5)
            let first = try box.moonquake("gameday", "daemon", "--once")
            #expect(first.code == 0 && first.errors.contains(" started\n"), "\(first.errors)")
            try box.register(file, secondsAgo: 3600 + 5)
            let second = try box.moonquake("gameday", "daemon", "--once")
            #expect(second.code == 0)
            #expect(second.errors.contains("skipped: the run before still goes on"))
            #expect(try box.gameDays().map(\.status) == [.running])
            #expect(try box.moonquake("approve").code == 0)
            #expect(try box.endOfDays().map(\.passed) == [true])
        }
    }

    @Test
    func `what is wrong with one GameDay keeps no other from its turn, and is in the exit code`()
        throws
    {
        try Sandbox.with { box in
            let good = try box.harmlessDay("schedule = { every = \"1h\" }", experiments: ["one"])
            let bad = try box.write(
                "a-broken.lua",
                "gameday \"broken\" { experiments = { \"one\" }, schedule = { every = \"1h\" } }"
            )
            for file in [good, bad] {
                #expect(try box.moonquake("gameday", "schedule", file).code == 0)
                try box.register(file, secondsAgo: 3600 + 5)
            }
            _ = try box.write("state/schedules/0-torn.json", "{ \"file\": ")
            // It loads, and its day does not begin.
            _ = try box.write(
                "a-broken.lua",
                "gameday \"broken\" { experiments = { \"gone\" }, schedule = { every = \"1h\" } }"
            )
            let look = try box.moonquake("gameday", "daemon", "--once")
            #expect(look.code == 2, "\(look.errors)")
            #expect(look.errors.contains("0-torn.json is not a schedule of this program"))
            let next = try box.moonquake("gameday", "next")
            #expect(next.code == 0 && next.output.contains("0-torn.json is not a schedule"))
            #expect(next.output.contains("\"rehearsal\" ("), "\(next.output)")
            #expect(look.errors.contains("experiment \"gone\" is not there"), "\(look.errors)")
            #expect(look.errors.contains("a-broken.lua was due, was started and did not begin"))
            #expect(try box.endOfDays().map(\.passed) == [true])
            _ = try box.write("a-broken.lua", "gameday(")
            let again = try box.moonquake("gameday", "daemon", "--once")
            #expect(again.code == 2 && again.errors.contains("a-broken.lua"), "\(again.errors)")
        }
    }

    @Test
    func `beside a daemon a look is refused`() throws {
        try Sandbox.with { box in
            let daemon = try box.begin("gameday", "daemon")
            #expect(eventually { daemon.errors.contains("watching ") }, "\(daemon.errors)")
            let look = try box.moonquake("gameday", "daemon", "--once")
            #expect(look.code == 2)
            #expect(look.errors.contains("daemon` (process \(daemon.pid)) starts what is due in "))
        }
    }

    @Test
    func `the units are what systemd takes, and the timer looks twice a minute`() throws {
        try Sandbox.with { box in
            let folder = Moonquake.tree + "/scripts/systemd"
            var units: [String] = []
            for name in File.names(in: folder) {
                let text = try #require(File.text("\(folder)/\(name)"))
                // As `make install` does, whose program would be elsewhere.
                let here = text.replacing("/usr/local/bin/moonquake", with: Moonquake.path)
                units.append(try box.write(name, here))
            }
            #expect(units.count == 4)
            let verify = try box.start(["systemd-analyze", "verify", "--man=no"] + units)
            #expect(try verify.ended() == 0)
            #expect(verify.output + verify.errors == "")

            let timer = try #require(File.text("\(folder)/moonquake-gameday.timer"))
            let when = try #require(timer.firstMatch(of: /OnCalendar=(.*)/)?.1)
            let times = try box.tool(
                "systemd-analyze",
                "calendar",
                "--iterations=3",
                "--base-time=2026-11-25 10:00:00",
                String(when)
            )
            for time in ["10:00:30", "10:01:00", "10:01:30"] {
                #expect(times.contains("2026-11-25 \(time)"), "\(times)")
            }
            #expect(timer.contains("Unit=moonquake-gameday-once.service\n"))
            #expect(timer.contains("Conflicts=moonquake-gameday.service\n"))
            #expect(timer.contains("Persistent=true\n"))
        }
    }
}

/// A registration as it is kept, with what a test changes.
private struct Registration: Codable {
    var file: String
    var name: String
    var seed: UInt64
    var state: ScheduleState
    var history: [Firing]
    var options: [String]?

    struct Firing: Codable {
        var due: Date
        var outcome: String
        var missed: Int
    }
}

extension Sandbox {
    /// Makes it so that a GameDay was registered at some time before, and that nobody has looked since.
    fileprivate func register(_ file: String, secondsAgo: Double) throws {
        let folder = state + "/schedules"
        for name in File.names(in: folder) where name.hasSuffix(".json") {
            let path = "\(folder)/\(name)"
            let text = try #require(File.text(path))
            var known = try WireJSON.value(Registration.self, from: text)
            guard known.file == file else { continue }
            known.state = ScheduleState(registered: Date(timeIntervalSinceNow: -secondsAgo))
            try File.write(try WireJSON.pretty(known), to: path)
        }
    }

    /// The days of the state directory, once all have ended.
    fileprivate func endOfDays() throws -> [GameDayReport] {
        let haveEnded = try eventually(within: .seconds(30)) {
            let days = try gameDays()
            return !days.isEmpty && days.allSatisfy { $0.status != .running }
        }
        #expect(haveEnded)
        return try gameDays()
    }
}
