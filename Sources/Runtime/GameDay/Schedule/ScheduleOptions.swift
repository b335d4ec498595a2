// The options of `schedule = {…}`, described like those of every other block.

package import ChaosModel
import Foundation

/// The options of a schedule.
package enum ScheduleOptions {
    static let every = Parameter(
        required: "every",
        ParameterKind<String>.string(example: "\"week\""),
        help:
            "How often: \"hour\", \"day\", \"week\", \"month\", or a span such as \"30m\" from the registration on."
    )
    static let on = Parameter(
        "on",
        ParameterKind<[ParameterValue]>.list(of: .dayOfSchedule),
        help:
            "The days: names of days with every = \"week\", numbers of days with every = \"month\"."
    )
    static let at = Parameter(
        "at",
        ParameterKind<[TimeOfDay]>.list(of: .timeOfDay),
        help:
            "The times of day in the zone, as \"10:00\"; with every = \"hour\" only their minutes count."
    )
    static let zone = Parameter(
        "zone",
        ParameterKind<String>.timeZone,
        default: "UTC",
        help: "The time zone, by its IANA name."
    )
    static let onlyBetween = Parameter(
        "only_between",
        ParameterKind<DailyWindow>.dailyWindow,
        help: "It never fires outside this time of day; \"22:00-02:00\" goes over midnight."
    )
    static let days = Parameter(
        "days",
        ParameterKind<[Weekday]>.list(of: .weekday),
        help:
            "It never fires on other days of the week; after midnight a window belongs to the day it began on."
    )
    static let jitter = Parameter(
        "jitter",
        ParameterKind<Schedule.Jitter>.scheduleJitter,
        default: "0s",
        help:
            "Start up to this much later, by chance, but within window and days: a span, or a share of the time between two runs."
    )
    static let overlap = Parameter(
        "overlap",
        ParameterKind<String>.choice(Schedule.Overlap.allCases.map(\.rawValue)),
        default: "skip",
        help:
            "When the run before still goes on: skip this one and record that, or wait for its end."
    )
    static let missed = Parameter(
        "missed",
        ParameterKind<String>.choice(Schedule.Missed.allCases.map(\.rawValue)),
        default: "one",
        help:
            "When runs were due and nothing was there to start them: make up for them with one, or with none."
    )

    /// All of them.
    package static let set = ParameterSet(
        of: "schedule",
        [
            every.erased, on.erased, at.erased, zone.erased, onlyBetween.erased, days.erased,
            jitter.erased, overlap.erased, missed.erased,
        ]
    )
}

extension Schedule {
    /// Reads the options of a schedule.
    ///
    /// - Throws: what is wrong with them, also together: a schedule that can never fire is refused.
    package init(
        _ given: [String: ParameterValue],
        at location: SourceLocation? = nil
    ) throws(DefinitionError) {
        let options = try ScheduleOptions.set.validate(given, at: location)
        self.init(
            try Recurrence(options),
            zone: try options.value(ScheduleOptions.zone),
            window: options[ScheduleOptions.onlyBetween],
            days: Set(options[ScheduleOptions.days] ?? []),
            jitter: try options.value(ScheduleOptions.jitter),
            overlap: Overlap(rawValue: try options.value(ScheduleOptions.overlap)) ?? .skip,
            missed: Missed(rawValue: try options.value(ScheduleOptions.missed)) ?? .one
        )
        guard canFire else {
            throw options.error("can never fire: \(recurrence) is never within its window and days")
        }
    }
}

extension Schedule.Recurrence {
    fileprivate init(_ options: Parameters) throws(DefinitionError) {
        let every = try options.value(ScheduleOptions.every)
        let times = (options[ScheduleOptions.at] ?? []).sorted()
        let days = options[ScheduleOptions.on] ?? []
        switch every {
        case "hour":
            try Self.refuse(days, with: every, options)
            self = .hourly(minutes: times.isEmpty ? [0] : Set(times.map(\.minute)).sorted())
        case "day":
            try Self.refuse(days, with: every, options)
            self = .daily(at: try Self.required(times, every, options))
        case "week":
            let names = days.compactMap(\.weekday)
            guard !names.isEmpty, names.count == days.count else {
                throw options.error(
                    "on must name days with every = \"week\": write on = \"tuesday\""
                )
            }
            self = .weekly(on: names, at: try Self.required(times, every, options))
        case "month":
            let numbers = days.compactMap(\.dayOfMonth)
            guard !numbers.isEmpty, numbers.count == days.count else {
                throw options.error("on must number days with every = \"month\": write on = 1")
            }
            self = .monthly(on: numbers, at: try Self.required(times, every, options))
        default:
            guard let seconds = Units.seconds(every), seconds >= 1 else {
                throw options.error(
                    "every must be \"hour\", \"day\", \"week\", \"month\" or a span of at least \"1s\", "
                        + "got \"\(every.escapedForDisplay)\""
                )
            }
            try Self.refuse(days, with: every, options)
            guard times.isEmpty else {
                throw options.error("at has no meaning with every = \"\(every)\": leave it out")
            }
            self = .interval(seconds: seconds)
        }
    }

    private static func refuse(
        _ days: [ParameterValue],
        with every: String,
        _ options: Parameters
    ) throws(DefinitionError) {
        guard days.isEmpty else {
            throw options.error(
                "on has no meaning with every = \"\(every)\": use days to narrow it"
            )
        }
    }

    private static func required(
        _ times: [TimeOfDay],
        _ every: String,
        _ options: Parameters
    ) throws(DefinitionError) -> [TimeOfDay] {
        guard !times.isEmpty else {
            throw options.error("at is missing with every = \"\(every)\": write at = \"10:00\"")
        }
        return times
    }
}

extension ParameterValue {
    fileprivate var weekday: Weekday? {
        guard case .string(let name) = self else { return nil }
        return Weekday(rawValue: name)
    }

    fileprivate var dayOfMonth: Int? {
        guard case .number(let number) = self else { return nil }
        return Int(exactly: number)
    }
}

extension ParameterKind where Value == ParameterValue {
    /// A day by its name or its number in the month.
    fileprivate static var dayOfSchedule: ParameterKind {
        let names = Weekday.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        let shape = ParameterShape(
            type: "day",
            json: "string",
            example: "\"tuesday\"",
            allowed: "\(names), or a day of the month between 1 and 31"
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard value.weekday != nil || value.dayOfMonth.map((1...31).contains) == true else {
                throw ParameterProblem("must be one of \(shape.allowed ?? ""), got \(value)")
            }
            return value
        }
    }
}

extension ParameterKind where Value == Weekday {
    fileprivate static var weekday: ParameterKind {
        let plain = ParameterKind<String>.choice(Weekday.allCases.map(\.rawValue))
        return ParameterKind(shape: plain.shape) { value throws(ParameterProblem) in
            Weekday(rawValue: try plain.parse(value)) ?? .monday
        }
    }
}

extension ParameterKind where Value == TimeOfDay {
    fileprivate static var timeOfDay: ParameterKind {
        let shape = ParameterShape(type: "time of day", json: "string", example: "\"10:00\"")
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value, let time = TimeOfDay(text) else {
                throw ParameterProblem("must be a time such as \"09:30\", got \(value)")
            }
            return time
        }
    }
}

extension ParameterKind where Value == DailyWindow {
    fileprivate static var dailyWindow: ParameterKind {
        let shape = ParameterShape(type: "window", json: "string", example: "\"09:00-16:00\"")
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value, let window = DailyWindow(text) else {
                throw ParameterProblem(
                    "must be two different times such as \"09:00-16:00\", got \(value)"
                )
            }
            return window
        }
    }
}

extension ParameterKind where Value == Schedule.Jitter {
    fileprivate static var scheduleJitter: ParameterKind {
        let shape = ParameterShape(
            type: "duration or percent",
            json: "string",
            example: "\"10m\"",
            allowed: "a span up to \"24h\", or a share up to \"100%\""
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value else {
                throw ParameterProblem("must be \(shape.allowed ?? ""), got \(value)")
            }
            if let seconds = Units.seconds(text), (0...86400).contains(seconds) {
                return .seconds(seconds)
            }
            if let share = Units.share(text), (0...1).contains(share) { return .share(share) }
            throw ParameterProblem("must be \(shape.allowed ?? ""), got \(value)")
        }
    }
}

extension ParameterKind where Value == String {
    /// A time zone that this machine knows.
    fileprivate static var timeZone: ParameterKind {
        let plain = string(example: "\"Europe/Oslo\"")
        return ParameterKind(shape: plain.shape) { value throws(ParameterProblem) in
            let name = try plain.parse(value)
            guard name == "UTC" || TimeZone.knownTimeZoneIdentifiers.contains(name) else {
                let hint = NearestName.hint(for: name, among: TimeZone.knownTimeZoneIdentifiers)
                let short = hint.hasPrefix("; known") ? "" : hint
                throw ParameterProblem(
                    "must be a time zone such as \"Europe/Oslo\", got \(value)\(short)"
                )
            }
            return name
        }
    }
}
