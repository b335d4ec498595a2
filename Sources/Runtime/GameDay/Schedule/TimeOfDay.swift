// Times and days as people write them in a schedule: "10:00", "22:00-02:00", "tuesday".

/// A time on a wall clock, to the minute.
package struct TimeOfDay: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
    /// Minutes since midnight, 0…1439.
    package let minutes: Int

    /// Makes a time from its parts.
    package init?(hour: Int, minute: Int) {
        guard (0...23).contains(hour), (0...59).contains(minute) else { return nil }
        minutes = hour * 60 + minute
    }

    /// Reads "HH:MM".
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 2, parts[1].count == 2,
            parts.allSatisfy({ $0.allSatisfy(\.isASCIIDigit) }),
            let hour = Int(parts[0]), let minute = Int(parts[1])
        else { return nil }
        self.init(hour: hour, minute: minute)
    }

    /// The hour, 0…23.
    package var hour: Int { minutes / 60 }

    /// The minute of the hour, 0…59.
    package var minute: Int { minutes % 60 }

    package static func < (left: TimeOfDay, right: TimeOfDay) -> Bool {
        left.minutes < right.minutes
    }

    package var description: String { Self.twoDigits(hour) + ":" + Self.twoDigits(minute) }

    private static func twoDigits(_ number: Int) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}

/// A span of each day in which a schedule may fire; one that ends before it begins goes over midnight.
package struct DailyWindow: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The first minute that belongs to it.
    package let start: TimeOfDay
    /// The first minute that does not.
    package let end: TimeOfDay

    /// Reads "HH:MM-HH:MM"; nil also when both times are the same, which could mean always or never.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let start = TimeOfDay(String(parts[0])),
            let end = TimeOfDay(String(parts[1])), start != end
        else { return nil }
        self.start = start
        self.end = end
    }

    /// Whether it goes over midnight.
    package var wrapsMidnight: Bool { end < start }

    /// Whether a time is in it.
    package func contains(_ time: TimeOfDay) -> Bool {
        wrapsMidnight ? time >= start || time < end : time >= start && time < end
    }

    /// Whether a time is in the part after midnight, which belongs to the day before.
    package func isAfterMidnight(_ time: TimeOfDay) -> Bool { wrapsMidnight && time < end }

    package var description: String { "\(start)-\(end)" }
}

/// A day of the week.
package enum Weekday: String, Sendable, Hashable, Codable, CaseIterable {
    case sunday, monday, tuesday, wednesday, thursday, friday, saturday

    /// The number of Foundation's calendars: 1 for Sunday.
    package var number: Int { (Self.allCases.firstIndex(of: self) ?? 0) + 1 }

    /// The day of a number of Foundation's calendars.
    package init?(number: Int) {
        guard Self.allCases.indices.contains(number - 1) else { return nil }
        self = Self.allCases[number - 1]
    }

    /// The day before.
    package var previous: Weekday {
        let days = Self.allCases
        return days[(number + days.count - 2) % days.count]
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isWholeNumber }
}
