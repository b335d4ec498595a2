// What a schedule means on the calendar, through Foundation's recurrence rules. A time that the clocks skip in spring is
// taken as the next that there is; one that they repeat in autumn counts once, the first time. Every hour is every hour.

package import Foundation

extension Schedule {
    /// The times at which it is due, after `start` and up to `end`, in order, at most `limit`.
    ///
    /// - Parameters:
    ///   - start: The moment before the first.
    ///   - end: The last moment that counts.
    ///   - registered: When it was registered: intervals count from there, and nothing is due before.
    ///   - limit: How many are wanted.
    /// - Returns: The times, in order.
    package func occurrences(
        after start: Date,
        through end: Date,
        registered: Date,
        limit: Int = 1000
    ) -> [Date] {
        let from = max(start, registered)
        guard from < end else { return [] }
        if case .interval(let seconds) = recurrence {
            return allowed(
                multiples(of: seconds, since: registered, after: from),
                through: end,
                limit
            )
        }
        // One rule for each time: hours and minutes of a rule combine freely, so that 10:00 and 14:30 would make four.
        var dates: Set<Date> = []
        for rule in rules {
            // A rule counts its periods from a date of its own: the first of a month, so that no period is cut.
            let anchor = rule.calendar.startOfDay(for: from.addingTimeInterval(-40 * 86400))
            let due = rule.recurrences(of: anchor, in: from..<end.addingTimeInterval(1))
            dates.formUnion(allowed(due.lazy.filter { $0 > from }, through: end, limit))
        }
        return Array(dates.sorted().prefix(limit))
    }

    /// The next time at which it is due; nil when there is none within nine years.
    package func next(after start: Date, registered: Date) -> Date? {
        // The longest gap is that of the 29th of February.
        let horizon = max(start, registered).addingTimeInterval(9 * 366 * 86400)
        return occurrences(after: start, through: horizon, registered: registered, limit: 1).first
    }

    /// Whether its window and days allow a moment.
    package func allows(_ date: Date) -> Bool {
        let parts = calendar.dateComponents([.hour, .minute, .weekday], from: date)
        guard let time = TimeOfDay(hour: parts.hour ?? 0, minute: parts.minute ?? 0),
            let weekday = Weekday(number: parts.weekday ?? 1)
        else { return false }
        if let window, !window.contains(time) { return false }
        let day = window?.isAfterMidnight(time) == true ? weekday.previous : weekday
        return days.isEmpty || days.contains(day)
    }

    /// Whether there is any time at which it fires.
    var canFire: Bool {
        let start = Date(timeIntervalSince1970: 1_767_225_600)
        return next(after: start, registered: start) != nil
    }

    private var calendar: Calendar {
        var calendar = Calendar(identifier: .gregorian)
        calendar.locale = Locale(identifier: "en_US_POSIX")
        calendar.timeZone = TimeZone(identifier: zone) ?? .gmt
        return calendar
    }

    private func allowed(
        _ dates: some Sequence<Date>,
        through end: Date,
        _ limit: Int
    ) -> [Date] {
        var found: [Date] = []
        // A short interval with a narrow window is looked at a million times at most.
        for date in dates.prefix(1_000_000) {
            guard date <= end, found.count < limit else { break }
            if allows(date) { found.append(date) }
        }
        return found
    }

    private func multiples(
        of seconds: Double,
        since anchor: Date,
        after start: Date
    ) -> some Sequence<Date> {
        let first = (start.timeIntervalSince(anchor) / seconds).rounded(.down) + 1
        return sequence(first: first) { $0 + 1 }.lazy.map {
            anchor.addingTimeInterval($0 * seconds)
        }
    }

    private var rules: [Calendar.RecurrenceRule] {
        switch recurrence {
        case .interval: []
        case .hourly(let minutes):
            [rule(.hourly) { $0.minutes = minutes }]
        case .daily(let times):
            times.map { time in rule(.daily) { $0.set(time) } }
        case .weekly(let days, let times):
            times.map { time in
                rule(.weekly) {
                    $0.weekdays = days.map { .every($0.localeWeekday) }
                    $0.set(time)
                }
            }
        case .monthly(let days, let times):
            times.map { time in
                rule(.monthly) {
                    $0.daysOfTheMonth = days
                    $0.set(time)
                }
            }
        }
    }

    private func rule(
        _ frequency: Calendar.RecurrenceRule.Frequency,
        _ narrow: (inout Calendar.RecurrenceRule) -> Void
    ) -> Calendar.RecurrenceRule {
        var rule = Calendar.RecurrenceRule(
            calendar: calendar,
            frequency: frequency,
            matchingPolicy: .nextTime,
            repeatedTimePolicy: .first
        )
        rule.seconds = [0]
        narrow(&rule)
        return rule
    }
}

extension Calendar.RecurrenceRule {
    fileprivate mutating func set(_ time: TimeOfDay) {
        hours = [time.hour]
        minutes = [time.minute]
    }
}

extension Weekday {
    fileprivate var localeWeekday: Locale.Weekday {
        switch self {
        case .sunday: .sunday
        case .monday: .monday
        case .tuesday: .tuesday
        case .wednesday: .wednesday
        case .thursday: .thursday
        case .friday: .friday
        case .saturday: .saturday
        }
    }
}
