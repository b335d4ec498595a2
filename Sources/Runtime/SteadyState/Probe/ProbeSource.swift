// The engine of the probes: one thread of its own that starts requests on schedule; a sample only reads the window.
//
// A sample waits for no network: it takes a lock that the thread holds for microseconds. The thread is the only one
// that makes sockets, and enters the network namespace first when one is named; it ends with the source.

import ChaosModel
import NIOCore
import NIOPosix
import Synchronization

/// What a probe needs to run.
struct ProbePlan: Sendable {
    let measure: ProbeMeasure
    let window: Duration
    let timeout: Int64
    let rate: Double
    let netns: String?
    let enterNamespace: @Sendable (String) throws -> Void
    /// Makes the transport, on the loop.
    let transport: @Sendable (any EventLoop) throws -> any ProbeTransport

    init(
        _ request: SourceRequest,
        transport: @escaping @Sendable (any EventLoop) throws -> any ProbeTransport
    ) throws(DefinitionError) {
        guard let measure = ProbeMeasure(request.measure) else {
            throw request.parameters.error("unknown measure \"\(request.measure)\"")
        }
        self.measure = measure
        window = try request.parameters.value(CommonOptions.window)
        let seconds = try request.parameters.value(ProbeOptions.timeout).inSeconds
        timeout = Int64(seconds * 1e9)
        rate = try request.parameters.value(ProbeOptions.rate)
        netns = request.parameters[ProbeOptions.netns]
        enterNamespace = request.context.enterNamespace
        self.transport = transport
    }
}

/// A probe.
final class ProbeSource: MetricSource {
    private enum Phase {
        case idle
        case failed(String)
        case running(Running)
        case stopped
    }

    private struct Running {
        var window: ProbeWindow
        var schedule: ProbeSchedule
        let transport: any ProbeTransport
        var waiting: [UInt64: ProbeAttempt] = [:]
        var lastID: UInt64 = 0
    }

    private let plan: ProbePlan
    private let group = Mutex<MultiThreadedEventLoopGroup?>(nil)
    private let phase = Mutex<Phase>(.idle)

    init(_ plan: ProbePlan) {
        self.plan = plan
    }

    func start() async {
        let group = self.group.withLock { current -> MultiThreadedEventLoopGroup? in
            guard current == nil else { return nil }
            let new = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            current = new
            return new
        }
        guard let loop = group?.next() else { return }
        do {
            try await loop.submit { try self.begin(on: loop) }.get()
        } catch {
            phase.withLock { $0 = .failed("\(error)") }
        }
    }

    func sample() async -> Reading {
        let now = Self.now
        return phase.withLock { phase in
            switch phase {
            case .idle: return .noData("not started")
            case .failed(let reason): return .noData(reason)
            case .stopped: return .noData("stopped")
            case .running(var running):
                phase = .idle
                let reading = running.window.reading(at: now)
                phase = .running(running)
                return reading
            }
        }
    }

    func stop() async {
        guard
            let group = self.group.withLock({ current in
                defer { current = nil }
                return current
            })
        else { return }
        let loop = group.next()
        _ = try? await loop.submit { self.end() }.get()
        try? await group.shutdownGracefully()
    }

    private static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    private func begin(on loop: any EventLoop) throws {
        if let netns = plan.netns {
            do {
                try plan.enterNamespace(netns)
            } catch {
                throw ProbeStartError("cannot enter the network namespace \(netns): \(error)")
            }
        }
        let transport = try plan.transport(loop)
        let now = Self.now
        let schedule = ProbeSchedule(rate: plan.rate, timeout: plan.timeout, begin: now)
        let window = ProbeWindow(
            plan.measure,
            window: plan.window,
            interval: schedule.interval,
            begin: now
        )
        phase.withLock {
            $0 = .running(Running(window: window, schedule: schedule, transport: transport))
        }
        tick(on: loop)
    }

    /// Starts what is due and sets the alarm for the next request.
    private func tick(on loop: any EventLoop) {
        let now = Self.now
        let work = update { running -> (ProbeSchedule.Due, Int64) in
            let due = running.schedule.due(at: now, waiting: running.waiting.count)
            for _ in 0..<due.refused {
                running.window.record(.notSent, latency: plan.timeout, at: now)
            }
            if due.leftOut > 0 {
                running.window.recordLateness(leftOut: due.leftOut, at: now)
            }
            return (due, running.schedule.next)
        }
        guard let (due, next) = work else { return }
        for intended in due.starts { launch(intended, on: loop) }
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: next))
        loop.scheduleTask(deadline: deadline) { self.tick(on: loop) }
    }

    private func launch(_ intended: Int64, on loop: any EventLoop) {
        let prepared = update { running -> (UInt64, any ProbeTransport) in
            running.lastID += 1
            running.waiting[running.lastID] = ProbeAttempt(on: loop)
            return (running.lastID, running.transport)
        }
        guard let (id, transport) = prepared else { return }
        let end = intended + plan.timeout
        let alarm = loop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(clamping: end))) {
            self.settle(id, .timedOut, intended: intended)
        }
        let attempt = transport.attempt(within: .nanoseconds(max(1, end - Self.now))) { outcome in
            alarm.cancel()
            self.settle(id, outcome, intended: intended)
        }
        let isWaiting = update { running in
            guard running.waiting[id] != nil else { return false }
            running.waiting[id] = attempt
            return true
        }
        if isWaiting != true { attempt.end() }
    }

    /// Counts the end of an attempt; an answer after the time-out is a time-out, however it came to be read so late.
    private func settle(_ id: UInt64, _ seen: ProbeOutcome, intended: Int64) {
        let now = Self.now
        let outcome = now - intended > plan.timeout ? .timedOut : seen
        let attempt = update { running -> ProbeAttempt? in
            guard let attempt = running.waiting.removeValue(forKey: id) else { return nil }
            let latency = outcome == .timedOut ? plan.timeout : now - intended
            running.window.record(outcome, latency: latency, at: now)
            return attempt
        }
        if outcome == .timedOut { (attempt ?? nil)?.end() }
    }

    private func end() {
        let running = phase.withLock { phase -> Running? in
            defer { phase = .stopped }
            guard case .running(let running) = phase else { return nil }
            return running
        }
        guard let running else { return }
        for attempt in running.waiting.values { attempt.end() }
        running.transport.close()
    }

    /// Changes what runs, in place; nil when nothing runs.
    private func update<Result>(_ change: (inout Running) -> Result) -> Result? {
        phase.withLock { phase in
            guard case .running(var running) = phase else { return nil }
            phase = .idle
            defer { phase = .running(running) }
            return change(&running)
        }
    }
}

/// Why a probe could not start.
struct ProbeStartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
