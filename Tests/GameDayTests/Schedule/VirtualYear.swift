// A daemon's loop on a clock that jumps from one moment of interest to the next.

import ChaosGameDay
import ChaosModel
import Foundation

/// A schedule that is looked at as a daemon would, without waiting.
struct VirtualDaemon {
    /// What happened to a time that was due.
    enum Event: Equatable {
        case fired(Date, missed: Int)
        case skipped(Date, reason: String)
    }

    let ticker: ScheduleTicker
    var state: ScheduleState
    var now: Date
    var events: [Event] = []
    /// How long a run takes.
    var runTime: TimeInterval = 0
    private var busyUntil: Date

    init(_ schedule: Schedule, from start: Date, seed: UInt64 = 1) {
        ticker = ScheduleTicker(schedule, seed: seed)
        state = ScheduleState(registered: start)
        now = start
        busyUntil = start
    }

    var fired: [Date] {
        events.compactMap { if case .fired(let date, _) = $0 { date } else { nil } }
    }

    /// Looks once, as a daemon that was just started does, and stores the state as it would.
    mutating func look() throws -> Date? {
        let step = ticker.step(&state, now: now, isRunning: now < busyUntil)
        state = try JSONDecoder().decode(ScheduleState.self, from: JSONEncoder().encode(state))
        switch step {
        case .wait(let until): return until
        case .fire(let due, let missed):
            events.append(.fired(due, missed: missed))
            busyUntil = now.addingTimeInterval(runTime)
        case .skip(let due, _, let reason): events.append(.skipped(due, reason: reason))
        }
        return now
    }

    /// Runs until `end`; looks twice at each moment, as after a restart at that minute.
    mutating func run(until end: Date) throws {
        while now <= end {
            guard let next = try look() else { return }
            if next > now {
                guard next <= end else { break }
                now = next
            }
        }
        now = end
    }
}

/// A moment in ISO 8601.
func date(_ text: String) throws -> Date { try Date(text, strategy: .iso8601) }

/// The wall clock of a moment in a zone: "2026-03-31 10:00".
func wall(_ date: Date, _ zone: String) throws -> String {
    let format = Date.VerbatimFormatStyle(
        format:
            "\(year: .defaultDigits)-\(month: .twoDigits)-\(day: .twoDigits) \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits)",
        locale: Locale(identifier: "en_US_POSIX"),
        timeZone: TimeZone(identifier: zone) ?? .gmt,
        calendar: Calendar(identifier: .gregorian)
    )
    return date.formatted(format)
}
