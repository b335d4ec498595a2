// What to do about a schedule now. A value without a clock: the daemon asks it, does what it says, and stores its state
// before it acts, so that a restart at the minute fires nothing twice.

import ChaosModel
package import Foundation

/// What is known of a registered schedule between two looks at it; stored after each.
package struct ScheduleState: Sendable, Hashable, Codable {
    /// When it was registered.
    package var registered: Date
    /// Everything due up to here was fired, skipped or missed.
    package var settled: Date
    /// The start that is due but moved by jitter, or waits for the run before.
    package var pending: Pending?

    /// A start that is to come.
    package struct Pending: Sendable, Hashable, Codable {
        /// When it was due.
        package var due: Date
        /// When it starts.
        package var start: Date
        /// How many before it were missed.
        package var missed: Int
    }

    /// Makes the state of a schedule that was registered now: what was due before never fires.
    package init(registered: Date) {
        self.registered = registered
        settled = registered
    }
}

/// What a daemon does next about a schedule.
package enum ScheduleStep: Sendable, Hashable {
    /// Nothing before this moment; nil when it never fires again.
    case wait(until: Date?)
    /// Start the run that was due then; so many before it were missed.
    case fire(due: Date, missed: Int)
    /// Do not start it, and record why.
    case skip(due: Date, missed: Int, reason: String)
}

/// The decisions about one schedule.
package struct ScheduleTicker: Sendable {
    /// The schedule.
    package let schedule: Schedule
    /// What the jitter is drawn from, with the time that is due.
    package let seed: UInt64

    /// How late a start may be without being called missed.
    static let grace: TimeInterval = 60

    /// Makes the decisions about a schedule.
    package init(_ schedule: Schedule, seed: UInt64) {
        self.schedule = schedule
        self.seed = seed
    }

    /// What to do now; the state must be stored before it is done.
    package func step(
        _ state: inout ScheduleState,
        now: Date,
        isRunning: Bool
    ) -> ScheduleStep {
        if let pending = state.pending { return start(pending, &state, now, isRunning) }
        let due = schedule.occurrences(
            after: state.settled,
            through: now,
            registered: state.registered,
            limit: Self.mostMissed
        )
        guard let latest = due.last else {
            return .wait(
                until: schedule.next(after: max(state.settled, now), registered: state.registered)
            )
        }
        let missed = due.count - 1
        state.settled = due.count == Self.mostMissed ? max(latest, now) : latest
        let isLate = now.timeIntervalSince(latest) > Self.grace
        if isLate, schedule.missed == .none {
            return .skip(due: latest, missed: missed, reason: Self.missedReason)
        }
        // One that makes up for a missed run starts at once.
        let delay = isLate ? 0 : jitter(for: latest, state)
        let pending = ScheduleState.Pending(
            due: latest,
            start: max(now, latest).addingTimeInterval(delay),
            missed: missed
        )
        state.pending = pending
        return start(pending, &state, now, isRunning)
    }

    private static let missedReason = "missed: nothing was there to start it"

    /// No more missed runs than these are counted.
    private static let mostMissed = 10_000

    private func start(
        _ pending: ScheduleState.Pending,
        _ state: inout ScheduleState,
        _ now: Date,
        _ isRunning: Bool
    ) -> ScheduleStep {
        guard now >= pending.start else { return .wait(until: pending.start) }
        if isRunning {
            guard schedule.overlap == .skip else {
                return .wait(until: now.addingTimeInterval(1))
            }
            state.pending = nil
            return .skip(
                due: pending.due,
                missed: pending.missed,
                reason: "the run before still goes on"
            )
        }
        state.pending = nil
        if schedule.missed == .none, now.timeIntervalSince(pending.start) > Self.grace,
            schedule.overlap == .skip
        {
            return .skip(due: pending.due, missed: pending.missed, reason: Self.missedReason)
        }
        guard schedule.allows(now) else {
            return .skip(
                due: pending.due,
                missed: pending.missed,
                reason: "it is outside of the window and days of its schedule now"
            )
        }
        return .fire(due: pending.due, missed: pending.missed)
    }

    /// The delay of a start, the same whenever it is asked for.
    private func jitter(for due: Date, _ state: ScheduleState) -> TimeInterval {
        let most: TimeInterval
        switch schedule.jitter {
        case .seconds(let seconds): most = seconds
        case .share(let share):
            let following = schedule.next(after: due, registered: state.registered)
            most = share * (following?.timeIntervalSince(due) ?? 0)
        }
        guard most > 0 else { return 0 }
        let stamp = UInt64(bitPattern: Int64(due.timeIntervalSince1970))
        var generator = SeededGenerator(seed: seed ^ (stamp &* 0x9e37_79b9_7f4a_7c15))
        return allowed(Double.random(in: 0...most, using: &generator), after: due)
    }

    /// A delay that does not move a start out of its window: halved until it fits, which a day's does in 20 steps.
    private func allowed(_ delay: TimeInterval, after due: Date) -> TimeInterval {
        var delay = delay
        for _ in 0..<20 {
            if schedule.allows(due.addingTimeInterval(delay + Self.grace)) { return delay }
            delay /= 2
        }
        return 0
    }
}
