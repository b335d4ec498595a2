// Sums a measure over the processes that match now; they may come and go between two samples.

import ChaosModel
import Synchronization
import SystemPackage

/// What matching processes use together.
final class ProcessSource: MetricSource {
    enum Measure: String, Sendable {
        case cpu
        case rss
        case alive
        case openFiles = "open_files"
    }

    /// The time on the processor of each process, at one moment.
    private struct CPUTime {
        let at: Instant
        let ticks: [ProcessIdentity: UInt64]
    }

    private let measure: Measure
    private let target: TargetSelector
    private let context: SourceContext
    private let last = Mutex<CPUTime?>(nil)

    init(_ measure: Measure, of target: TargetSelector, in context: SourceContext) {
        self.measure = measure
        self.target = target
        self.context = context
    }

    /// The share of a core is a difference, so the first look is taken here.
    func start() async {
        guard measure == .cpu else { return }
        _ = await sample()
    }

    func sample() async -> Reading {
        if measure == .cpu { await waitForInterval() }
        let processes: [ProcessIdentity]
        do {
            processes = try await context.resolve(target)
        } catch {
            return .noData("cannot resolve \(target): \(error)")
        }
        do throws(Errno) {
            return switch measure {
            case .alive:
                .value(try sum(processes) { _ throws(Errno) in 1 } ?? 0)
            case .rss:
                reading(try sum(processes, ProcessUsage.residentBytes))
            case .openFiles:
                reading(try sum(processes, ProcessUsage.openFiles))
            case .cpu:
                try cpu(processes)
            }
        } catch {
            return .noData("cannot read /proc: \(error)")
        }
    }

    func stop() async {
        last.withLock { $0 = nil }
    }

    /// The kernel counts in ticks of 10 ms: over less than ten of them, one tick would look like a busy core.
    private func waitForInterval() async {
        guard let last = last.withLock(\.self) else { return }
        let due = last.at.advanced(by: .milliseconds(100))
        let time = context.kernel.time
        guard time.now < due else { return }
        try? await time.sleep(until: due)
    }

    private func reading(_ value: Double?) -> Reading {
        value.map { .value($0) } ?? .noData("no process matches \(target)")
    }

    /// The sum over those that still run; nil when none does.
    private func sum(
        _ processes: [ProcessIdentity],
        _ read: (ProcessIdentity) throws(Errno) -> Double?
    ) throws(Errno) -> Double? {
        var total: Double?
        for process in processes where try ProcessUsage.stat(of: process) != nil {
            guard let value = try read(process) else { continue }
            total = (total ?? 0) + value
        }
        return total
    }

    /// The share of one core since the last sample, over the processes that were there then as well.
    private func cpu(_ processes: [ProcessIdentity]) throws(Errno) -> Reading {
        let now = context.kernel.time.now
        var ticks: [ProcessIdentity: UInt64] = [:]
        for process in processes {
            if let stat = try ProcessUsage.stat(of: process) { ticks[process] = stat.ticks }
        }
        let before = last.withLock { last in
            defer { last = CPUTime(at: now, ticks: ticks) }
            return last
        }
        guard !ticks.isEmpty else { return reading(nil) }
        guard let before, now.since(before.at) >= .milliseconds(50) else {
            return .noData("the share of a core is known from the second sample on")
        }
        var used: UInt64 = 0
        var known = 0
        for (process, count) in ticks {
            guard let earlier = before.ticks[process] else { continue }
            used += count >= earlier ? count - earlier : 0
            known += 1
        }
        guard known > 0 else {
            return .noData("all matching processes are new since the last sample")
        }
        let seconds = now.since(before.at).inSeconds
        return .value(Double(used) / ProcessUsage.ticksPerSecond / seconds)
    }
}
