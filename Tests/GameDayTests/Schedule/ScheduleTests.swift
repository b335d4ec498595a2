import ChaosGameDay
import ChaosModel
import Foundation
import Testing

@Suite
struct ScheduleTests {
    private func schedule(_ options: [String: ParameterValue]) throws -> Schedule {
        try Schedule(options)
    }

    private let weekly: [String: ParameterValue] = [
        "every": .string("week"), "on": .string("tuesday"), "at": .string("10:00"),
        "zone": .string("Europe/Oslo"), "only_between": .string("09:00-16:00"),
    ]

    @Test
    func `a year of a weekly schedule keeps its hour across both changes of the clocks`() throws {
        var daemon = VirtualDaemon(try schedule(weekly), from: try date("2026-01-01T00:00:00Z"))
        try daemon.run(until: try date("2026-12-31T23:00:00Z"))
        #expect(daemon.events.count == 52)
        let walls = try daemon.fired.map { try wall($0, "Europe/Oslo") }
        #expect(walls.allSatisfy { $0.hasSuffix(" 10:00") })
        #expect(Set(walls).count == 52)
        #expect(walls.contains("2026-03-24 10:00"))
        #expect(walls.contains("2026-03-31 10:00"))
        #expect(walls.contains("2026-10-20 10:00"))
        #expect(walls.contains("2026-10-27 10:00"))
        let winter = try date("2026-03-24T09:00:00Z")
        let summer = try date("2026-03-31T08:00:00Z")
        #expect(daemon.fired.contains(winter) && daemon.fired.contains(summer))
    }

    @Test
    func `registration at the very minute fires nothing`() throws {
        var daemon = VirtualDaemon(try schedule(weekly), from: try date("2026-11-24T09:00:00Z"))
        let next = try #require(try daemon.look())
        #expect(daemon.events.isEmpty)
        #expect(next == (try date("2026-12-01T09:00:00Z")))
    }

    @Test
    func `a restart at the minute does not fire twice`() throws {
        var daemon = VirtualDaemon(try schedule(weekly), from: try date("2026-11-23T00:00:00Z"))
        daemon.now = try date("2026-11-24T09:00:00Z")
        for _ in 0..<5 { _ = try daemon.look() }
        #expect(daemon.fired == [daemon.now])
    }

    @Test
    func `a time that the clocks skip is the next there is, one that they repeat counts once`()
        throws
    {
        let nightly = try schedule([
            "every": .string("day"), "at": .list([.string("02:30"), .string("03:00")]),
            "zone": .string("Europe/Oslo"),
        ])
        let spring = nightly.occurrences(
            after: try date("2026-03-29T00:00:00Z"),
            through: try date("2026-03-29T12:00:00Z"),
            registered: .distantPast
        )
        #expect(try spring.map { try wall($0, "Europe/Oslo") } == ["2026-03-29 03:00"])
        let autumn = nightly.occurrences(
            after: try date("2026-10-24T22:00:00Z"),
            through: try date("2026-10-25T12:00:00Z"),
            registered: .distantPast
        )
        #expect(autumn == [try date("2026-10-25T00:30:00Z"), try date("2026-10-25T02:00:00Z")])
    }

    @Test
    func `every hour is an hour after the last, also when the clocks repeat or skip one`() throws {
        let hourly = try schedule(["every": .string("hour"), "zone": .string("Europe/Oslo")])
        let autumn = hourly.occurrences(
            after: try date("2026-10-24T22:30:00Z"),
            through: try date("2026-10-25T03:00:00Z"),
            registered: .distantPast
        )
        let repeated = try autumn.map { try wall($0, "Europe/Oslo").suffix(5).description }
        #expect(repeated == ["01:00", "02:00", "02:00", "03:00", "04:00"])
        let spring = hourly.occurrences(
            after: try date("2026-03-28T23:30:00Z"),
            through: try date("2026-03-29T02:00:00Z"),
            registered: .distantPast
        )
        let skipped = try spring.map { try wall($0, "Europe/Oslo").suffix(5).description }
        #expect(skipped == ["01:00", "03:00", "04:00"])
    }

    @Test
    func `two times do not mix their hours and minutes`() throws {
        let twice = try schedule([
            "every": .string("day"), "at": .list([.string("10:00"), .string("14:30")]),
        ])
        let day = twice.occurrences(
            after: try date("2026-05-01T00:00:00Z"),
            through: try date("2026-05-02T00:00:00Z"),
            registered: .distantPast
        )
        #expect(day == [try date("2026-05-01T10:00:00Z"), try date("2026-05-01T14:30:00Z")])
    }

    @Test
    func `a window over midnight belongs to the day it began on`() throws {
        let night = try schedule([
            "every": .string("hour"), "zone": .string("Europe/Oslo"),
            "only_between": .string("22:00-02:00"), "days": .list([.string("friday")]),
        ])
        let found = night.occurrences(
            after: try date("2026-06-01T00:00:00Z"),
            through: try date("2026-06-08T00:00:00Z"),
            registered: .distantPast
        )
        let expected = [
            "2026-06-05 22:00", "2026-06-05 23:00", "2026-06-06 00:00", "2026-06-06 01:00",
        ]
        #expect(try found.map { try wall($0, "Europe/Oslo") } == expected)
    }

    @Test
    func `days need not be the weekend of one country`() throws {
        let days = ["sunday", "monday", "tuesday", "wednesday", "thursday"].map(
            ParameterValue.string
        )
        let daily = try schedule([
            "every": .string("day"), "at": .string("10:00"), "days": .list(days),
        ])
        let week = daily.occurrences(
            after: try date("2026-06-01T00:00:00Z"),
            through: try date("2026-06-07T23:00:00Z"),
            registered: .distantPast
        )
        let expected = ["2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04", "2026-06-07"]
        #expect(try week.map { try wall($0, "UTC").prefix(10).description } == expected)
    }

    @Test
    func `months without the day are left out`() throws {
        let monthly = try schedule([
            "every": .string("month"), "on": .number(31), "at": .string("10:00"),
        ])
        let found = monthly.occurrences(
            after: try date("2026-01-01T00:00:00Z"),
            through: try date("2026-06-30T00:00:00Z"),
            registered: .distantPast
        )
        #expect(
            try found.map { try wall($0, "UTC").prefix(10).description } == [
                "2026-01-31", "2026-03-31", "2026-05-31",
            ]
        )
    }

    @Test
    func `what can never fire is refused`() throws {
        var options = weekly
        options["only_between"] = .string("11:00-16:00")
        #expect(throws: DefinitionError.self) { try schedule(options) }
        options = ["every": .string("month"), "on": .number(30), "at": .string("10:00")]
        _ = try schedule(options)
    }

    @Test(
        arguments: [
            (
                ["every": .string("fortnight")],
                "schedule: every must be \"hour\", \"day\", \"week\", \"month\" or a span of at least \"1s\", got \"fortnight\""
            ),
            (
                ["every": .string("week"), "at": .string("10:00")],
                "schedule: on must name days with every = \"week\": write on = \"tuesday\""
            ),
            (
                ["every": .string("day"), "at": .string("25:00")],
                "schedule: at must be a time such as \"09:30\", got \"25:00\""
            ),
            (
                ["every": .string("day"), "at": .string("10:00"), "zone": .string("Europe/Olso")],
                "schedule: zone must be a time zone such as \"Europe/Oslo\", got \"Europe/Olso\"; did you mean \"Europe/Oslo\"?"
            ),
            (
                ["every": .string("1m"), "on": .string("monday")],
                "schedule: on has no meaning with every = \"1m\": use days to narrow it"
            ),
            (
                ["every": .string("day"), "at": .string("10:00"), "only_between": .string("9-16")],
                "schedule: only_between must be two different times such as \"09:00-16:00\", got \"9-16\""
            ),
        ] as [([String: ParameterValue], String)]
    )
    func `wrong options are refused in words`(_ options: [String: ParameterValue], _ text: String)
        throws
    {
        let error = #expect(throws: DefinitionError.self) { try schedule(options) }
        #expect(error?.description == text)
    }
}
