// The sliding window of a probe: a value without I/O or clock. Times are nanoseconds of one monotonic clock.
//
// The window is a ring of twenty slots. A record goes into its slot and into the running total, and the total is
// added up anew only when a slot has slid out, so that reading a value costs the same whatever the rate.

import ChaosModel

/// The requests of the last while, and the value of a measure over them.
struct ProbeWindow: Sendable {
    private struct Slot {
        var number: Int64
        var tally: ProbeTally
    }

    private let measure: ProbeMeasure
    private let slotWidth: Int64
    private let interval: Int64
    private let span: String
    private let empty: ProbeTally
    private var slots: [Slot] = []
    private var total: ProbeTally
    private let begin: Int64
    private var lateness: (leftOut: Int, at: Int64)?

    private static let slotCount: Int64 = 20

    /// Makes an empty window that begins at `begin`; `interval` is the time between two requests.
    init(_ measure: ProbeMeasure, window: Duration, interval: Int64, begin: Int64) {
        self.measure = measure
        self.interval = interval
        self.begin = begin
        span = window.spelled
        slotWidth = max(1, Int64(window.inSeconds * 1e9) / Self.slotCount)
        if case .quantile = measure {
            empty = ProbeTally(withQuantiles: true)
        } else {
            empty = ProbeTally(withQuantiles: false)
        }
        total = empty
    }

    /// Adds a request that ended at `now`.
    mutating func record(_ outcome: ProbeOutcome, latency: Int64, at now: Int64) {
        advance(to: now)
        let number = now / slotWidth
        if slots.last?.number != number { slots.append(Slot(number: number, tally: empty)) }
        slots[slots.count - 1].tally.add(outcome, latency: latency)
        total.add(outcome, latency: latency)
    }

    /// Notes that the probe itself was late and has left requests out.
    mutating func recordLateness(leftOut: Int, at now: Int64) {
        lateness = (leftOut, now)
    }

    /// The value of the measure over the window that ends at `now`.
    mutating func reading(at now: Int64) -> Reading {
        advance(to: now)
        let value: Double? =
            switch measure {
            case .errorRate: total.count == 0 ? nil : Double(total.errors) / Double(total.count)
            case .rate: total.count == 0 ? nil : Double(total.good) / seconds(until: now)
            case .mean: total.timed == 0 ? nil : total.latencySum / Double(total.timed) / 1e9
            case .quantile(let share): total.timed == 0 ? nil : Double(total.quantile(share)) / 1e9
            case .max: total.timed == 0 ? nil : Double(total.longest) / 1e9
            }
        let notes = [total.trouble, latenessNote(at: now)].compactMap(\.self)
        let note = notes.isEmpty ? nil : notes.joined(separator: "; ")
        guard let value else {
            return .noData("no answer in the last \(span)" + (note.map { ": \($0)" } ?? ""))
        }
        return .value(value, note: note)
    }

    private mutating func advance(to now: Int64) {
        let oldest = now / slotWidth - Self.slotCount + 1
        let gone = slots.prefix { $0.number < oldest }.count
        guard gone > 0 else { return }
        slots.removeFirst(gone)
        total = empty
        for slot in slots { total.add(slot.tally) }
    }

    /// The time that the window covers; n requests at an interval cover n intervals.
    private func seconds(until now: Int64) -> Double {
        let oldest = (now / slotWidth - Self.slotCount + 1) * slotWidth
        return Double(min(now - begin + interval, max(now - oldest, interval))) / 1e9
    }

    private func latenessNote(at now: Int64) -> String? {
        guard let lateness, now - lateness.at < slotWidth * Self.slotCount else { return nil }
        return "the probe itself was late and left out \(lateness.leftOut) requests"
    }
}
