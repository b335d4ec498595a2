// Processors kept busy to a share: one thread for each, bound to it.
//
// A thread looks at its own processor time (CLOCK_THREAD_CPUTIME_ID), not at how long it was awake, so that a base load
// or a quota that holds it back is made up for. Its slices have random lengths: the kernel counts use by looking at
// ticks, and slices in step with them would be counted as all or nothing.
//
// With mode `total` another thread looks at what all use every tenth of a second and sets the threads' shares.

import CLinux
import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Busy processors.
final class HeldProcessors: HeldResource {
    /// What a thread is to use, and has used.
    private final class Lane: Sendable {
        let processor: Int
        let share: Shared<Double>
        let used = Shared(0.0)

        init(_ processor: Int, share: Double) {
            self.processor = processor
            self.share = Shared(share)
        }
    }

    /// The figures at one moment.
    private struct Mark: Sendable {
        var at: Double
        /// Processor time of this process.
        var own: Double
        /// Processor time of all, on these processors or in this group.
        var all: Double
    }

    /// How long a slice is, in seconds.
    private static let slice = 0.006...0.014
    /// How much a thread that was held back makes up for at once, in seconds.
    private static let mostDebt = 0.2
    /// How long a load runs before it is measured first, and before its mean counts, in seconds.
    private static let (firstLook, settling) = (0.3, 1.0)

    private let load: ProcessorLoad
    private let lanes: [Lane]
    private let meter: ProcessorMeter
    private let began = Shared<Mark?>(nil)

    init(_ load: ProcessorLoad) {
        self.load = load
        let share = min(1, load.share * load.capacity / Double(max(1, load.processors.count)))
        lanes = load.processors.map { Lane($0, share: load.isTotal ? 0 : share) }
        meter = ProcessorMeter(processors: load.processors, group: load.group)
    }

    func begin(_ say: @escaping @Sendable (String) -> Void) async throws(KernelError) {
        let start = try mark()
        began.value = start
        for lane in lanes {
            try OwnThread.start { Self.burn(lane) }
        }
        try OwnThread.start { [self] in steer(from: start) }
        try await OwnThread.value { () throws(KernelError) in
            LoadClock.sleep(until: start.at + Self.firstLook)
        }
    }

    func state() throws(KernelError) -> LoadState {
        guard let began = began.value else {
            throw KernelError(.failed, "measure the load", "it has not begun")
        }
        let now = try mark()
        let span = max(now.at - began.at, 1e-3) * load.capacity
        let (own, all) = ((now.own - began.own) / span, (now.all - began.all) / span)
        let measured = load.isTotal ? all : own
        let unit = MetricUnit.share
        return LoadState(
            load.isTotal
                ? "\(unit.spelled(all)) are used, \(unit.spelled(own)) by the worker"
                : "uses \(unit.spelled(own)), all together \(unit.spelled(all))",
            figures: [
                Figure("asked", load.share * 100, unit: "%"),
                Figure("measured", measured * 100, unit: "%"),
                Figure("used_by_all", all * 100, unit: "%"),
            ]
        )
    }

    private func mark() throws(KernelError) -> Mark {
        let all = try meter.read().reduce(0, +)
        return Mark(at: LoadClock.now, own: LoadClock.process, all: all)
    }

    /// Keeps the calling thread's processor busy to the lane's share, for ever.
    private static func burn(_ lane: Lane) {
        // A processor that was taken away meanwhile leaves the thread to the others.
        _ = clinux_use_processor(Int32(lane.processor))
        var now = LoadClock.now
        var owed = LoadClock.thread
        var number = UInt64(bitPattern: Int64(lane.processor)) | 1
        while true {
            let length = Double.random(in: slice)
            let end = now + length
            owed += lane.share.value * length
            var used = LoadClock.thread
            owed = max(used - mostDebt, min(owed, used + mostDebt))
            while used < owed, LoadClock.now < end {
                for _ in 0..<2000 { number = number &* 6_364_136_223_846_793_005 &+ 1 }
                used = LoadClock.thread
            }
            lane.used.value = used
            LoadClock.sleep(until: end)
            now = max(end, LoadClock.now - mostDebt)
        }
    }

    /// Lets the mean begin once the load has settled and, with mode `total`, sets the lanes' shares for ever.
    private func steer(from start: Mark) {
        var controllers =
            load.group == nil ? lanes.map { _ in LoadController() } : [LoadController()]
        let wanted = load.share * load.capacity / Double(max(1, controllers.count))
        var last = readings()
        var lastAt = start.at
        var hasSettled = false
        while load.isTotal || !hasSettled {
            LoadClock.sleep(until: lastAt + 0.1)
            let at = LoadClock.now
            if !hasSettled, at > start.at + Self.settling {
                hasSettled = true
                if let mark = try? mark() { began.value = mark }
            }
            let now = readings()
            if load.isTotal, now.count == controllers.count, last.count == now.count {
                for index in now.indices {
                    let share = controllers[index].share(
                        wanted: wanted,
                        used: now[index].all - last[index].all,
                        own: now[index].own - last[index].own,
                        in: at - lastAt
                    )
                    set(share, meter: index)
                }
            }
            (last, lastAt) = (now, at)
        }
    }

    /// What all and what we have used so far, for each processor or for the group; empty when it cannot be read.
    private func readings() -> [(all: Double, own: Double)] {
        guard let all = try? meter.read() else { return [] }
        let own = lanes.map(\.used.value)
        return load.group == nil
            ? zip(all, own).map { ($0, $1) } : all.map { ($0, own.reduce(0, +)) }
    }

    /// Gives what is to be added to the meter's own lane, or to all of them.
    private func set(_ share: Double, meter index: Int) {
        if load.group == nil {
            lanes[index].share.value = min(1, share)
        } else {
            for lane in lanes { lane.share.value = min(1, share / Double(lanes.count)) }
        }
    }
}

/// How much to add so that all use what is wanted: what others leave of it, and what was missed so far.
struct LoadController {
    private var others = 0.0
    private var missed = 0.0
    private var added = 0.0
    private var isFirst = true

    /// Looks at a span of time and decides what to add from now on.
    ///
    /// - Parameters:
    ///   - wanted: processors' worth of time that all are to use.
    ///   - used: processor time that all used since the last call.
    ///   - own: what of it was ours.
    ///   - span: how long ago that was.
    /// - Returns: processors' worth of time.
    mutating func share(wanted: Double, used: Double, own: Double, in span: Double) -> Double {
        let foreign = max(0, used - own) / max(span, 1e-3)
        others = isFirst ? foreign : others * 0.7 + foreign * 0.3
        isFirst = false
        // Half a second's worth at most: what could not be had is not made up for later.
        missed = max(-0.5, min(0.5, missed + wanted * span - used))
        added = max(0, wanted - others + missed)
        return added
    }
}
