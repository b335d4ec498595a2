// How many packets a second go through a worker, beside what one was measured to bear: beyond it the worker adds a delay
// of its own, and then packets pass unimpaired. A run that goes there says so while it is on.

import ChaosModel

/// What goes through the engine of one fault.
struct EngineLoad: Sendable, Hashable, Codable {
    /// How often it is looked at.
    static let interval = Duration.seconds(2)
    /// What a worker was measured to bear, in packets a second, with no loss and less than 1 ms of its own:
    /// `bench/network.py`, docs/faults.md.
    static let bearable = 100_000.0

    /// When it was looked at last, and how many packets had matched then.
    var at: Instant
    var matched: UInt64
    /// Whether it was told.
    var isTold = false

    init(at: Instant, matched: UInt64) {
        self.at = at
        self.matched = matched
    }

    /// Notes a count; returns what is to be told, once.
    mutating func note(_ count: ShapingCount, at now: Instant) -> String? {
        let seconds = now.since(at).inSeconds
        let rate = seconds > 0 ? Double(count.matched - min(matched, count.matched)) / seconds : 0
        (at, matched) = (now, count.matched)
        guard !isTold, rate > Self.bearable || count.bypassed > 0 else { return nil }
        isTold = true
        let passed =
            count.bypassed > 0
            ? "\(count.bypassed) packets passed unimpaired" : "it may add a delay of its own"
        return
            "nfqueue takes \(Int(rate)) packets a second and was measured to bear \(Int(Self.bearable)): \(passed)"
    }
}
