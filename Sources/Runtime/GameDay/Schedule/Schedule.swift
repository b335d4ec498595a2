// When a GameDay is to run. A schedule is data; what it means on the calendar is in ScheduleCalendar.swift, and what a
// daemon does about it in ScheduleTicker.swift.

import ChaosModel

/// When something is to run, again and again.
package struct Schedule: Sendable, Hashable, Codable {
    /// How often.
    package enum Recurrence: Sendable, Hashable, Codable {
        /// Every so many seconds, counted from the registration.
        case interval(seconds: Double)
        /// Every hour, at these minutes.
        case hourly(minutes: [Int])
        /// Every day, at these times.
        case daily(at: [TimeOfDay])
        /// Every week, on these days, at these times.
        case weekly(on: [Weekday], at: [TimeOfDay])
        /// Every month, on these days of it, at these times; a month without such a day is left out.
        case monthly(on: [Int], at: [TimeOfDay])
    }

    /// What happens when it is time and the run before is still going on.
    package enum Overlap: String, Sendable, Hashable, Codable, CaseIterable {
        /// This one is skipped, and that is recorded.
        case skip
        /// It starts when the other has ended, once, however many were due.
        case wait
    }

    /// What happens about runs that were due while nothing was there to start them.
    package enum Missed: String, Sendable, Hashable, Codable, CaseIterable {
        /// One run, however many were missed.
        case one
        /// None: the next is the next.
        case none
    }

    /// How far a start may be moved, so that it is not always the same minute.
    package enum Jitter: Sendable, Hashable, Codable {
        /// Up to so many seconds later.
        case seconds(Double)
        /// Up to this share of the time to the next run later.
        case share(Double)
    }

    /// How often.
    package var recurrence: Recurrence
    /// The time zone, by its IANA name.
    package var zone: String
    /// The time of day in which it may fire; nil for all day.
    package var window: DailyWindow?
    /// The days of the week on which it may fire; empty for all.
    package var days: Set<Weekday>
    /// How far a start may be moved.
    package var jitter: Jitter
    /// What happens when the run before goes on.
    package var overlap: Overlap
    /// What happens about missed runs.
    package var missed: Missed

    /// Makes a schedule.
    package init(
        _ recurrence: Recurrence,
        zone: String = "UTC",
        window: DailyWindow? = nil,
        days: Set<Weekday> = [],
        jitter: Jitter = .seconds(0),
        overlap: Overlap = .skip,
        missed: Missed = .one
    ) {
        self.recurrence = recurrence
        self.zone = zone
        self.window = window
        self.days = days
        self.jitter = jitter
        self.overlap = overlap
        self.missed = missed
    }
}

extension Schedule: CustomStringConvertible {
    package var description: String {
        var words = [recurrence.description, zone]
        if !days.isEmpty {
            words.append(
                "only on "
                    + Weekday.allCases.filter(days.contains).map(\.rawValue).joined(separator: ", ")
            )
        }
        if let window { words.append("only between \(window)") }
        return words.joined(separator: ", ")
    }
}

extension Schedule.Recurrence: CustomStringConvertible {
    package var description: String {
        switch self {
        case .interval(let seconds): "every \(Duration.seconds(seconds).spelled)"
        case .hourly(let minutes):
            "every hour at minute " + minutes.map(String.init).joined(separator: ", ")
        case .daily(let times): "every day at \(Self.list(times))"
        case .weekly(let days, let times):
            "every \(Self.list(days.map(\.rawValue))) at \(Self.list(times))"
        case .monthly(let days, let times):
            "every month on day \(Self.list(days)) at \(Self.list(times))"
        }
    }

    private static func list(_ items: [some CustomStringConvertible]) -> String {
        items.map(\.description).joined(separator: ", ")
    }
}
