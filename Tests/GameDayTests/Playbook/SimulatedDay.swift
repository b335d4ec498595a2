// A day without a machine: experiments that end as they are told, answers that come when they are told. The clock is
// real, since the days of these tests take milliseconds.

import ChaosGameDay
import ChaosModel
import Foundation
import Synchronization

/// A clock that is the system's.
struct SystemTime: TimePort {
    private static let began = ContinuousClock.now

    var now: Instant {
        Instant(nanoseconds: Int64(Self.began.duration(to: .now).inSeconds * 1e9))
    }

    var secondsSince1970: Double { Date().timeIntervalSince1970 }

    func sleep(until instant: Instant) async throws {
        try await Task.sleep(for: instant.since(now))
    }
}

/// A clock whose hands somebody holds, while time goes on.
struct StoppedWallClock: TimePort {
    private let system = SystemTime()

    var now: Instant { system.now }

    var secondsSince1970: Double { 1_795_600_800 }

    func sleep(until instant: Instant) async throws { try await system.sleep(until: instant) }
}

/// What a day did, in order.
final class DayLog: Sendable {
    private let lines = Mutex<[String]>([])

    func append(_ line: String) { lines.withLock { $0.append(line) } }

    var all: [String] { lines.withLock { $0 } }
}

/// Experiments whose ends are given.
struct ScriptedExperiments: ExperimentSource {
    /// How an experiment of a name ends.
    enum End: Sendable {
        case held, deviated, aborted, leaked, failed
        /// It goes on until it is stopped.
        case never
    }

    final class Digests: Sendable {
        private let values = Mutex<[String: String]>([:])
        subscript(name: String) -> String {
            get { values.withLock { $0[name] } ?? "sha256:\(name)" }
            set { values.withLock { $0[name] = newValue } }
        }
    }

    let ends: [String: End]
    let log: DayLog
    let digests = Digests()
    /// Is waited for where a test wants to act: "look a", "abort a".
    var moment: @Sendable (String) async -> Void = { _ in }

    func look(
        at reference: ExperimentReference
    ) async throws(DefinitionError) -> (title: String, digest: String) {
        await moment("look \(reference)")
        return (reference.description, digests[reference.description])
    }

    func digestOfDay() async throws(DefinitionError) -> String { digests["day"] }

    func prepare(
        _ reference: ExperimentReference,
        whenAborted: @escaping @Sendable (String) -> Void
    ) async throws(DefinitionError) -> any ExperimentRun {
        guard let end = ends[reference.description] else {
            throw DefinitionError("\(reference)", "is not there")
        }
        let title = reference.description
        return Run(title: title, end: end, log: log) { [moment] in
            whenAborted("\(title) was above its limit")
            await moment("abort \(title)")
        }
    }

    func reportFile(of report: RunReport) -> String? { "runs/\(report.runID).json" }

    final class Run: ExperimentRun {
        let title: String
        let end: End
        let log: DayLog
        private let abort: @Sendable () async -> Void
        private let stopped = AsyncStream.makeStream(of: Void.self)

        init(title: String, end: End, log: DayLog, abort: @escaping @Sendable () async -> Void) {
            self.title = title
            self.end = end
            self.log = log
            self.abort = abort
        }

        func run() async -> RunReport {
            log.append("run \(title)")
            switch end {
            case .aborted: await abort()
            case .never: for await _ in stopped.stream { break }
            default: break
            }
            return report
        }

        func stop(_ reason: String) async {
            log.append("stop \(title): \(reason)")
            stopped.continuation.finish()
        }

        private var report: RunReport {
            var report = RunReport(
                runID: "run-of-\(title)",
                definition: .init(ExperimentDefinition(name: title, file: "\(title).lua")),
                seed: 1,
                startedAt: "2026-11-25T10:00:00.000Z",
                startedAtSeconds: 1_795_600_800
            )
            report.timeline = [
                RunEvent(
                    at: 1_795_600_800,
                    offsetMs: 0,
                    kind: .started,
                    phase: .initialize,
                    text: "run of \(title)"
                )
            ]
            let code: ExitCode
            switch end {
            case .held: (report.status, report.verdict, code) = (.completed, .held, .held)
            case .deviated:
                (report.status, report.verdict, code) = (.completed, .deviated, .deviated)
            case .aborted: (report.status, report.verdict, code) = (.aborted, .deviated, .aborted)
            case .failed:
                (report.status, report.verdict, code) = (.failed, .inconclusive, .unavailable)
            case .never:
                (report.status, report.verdict, code) = (.aborted, .inconclusive, .interrupted)
            case .leaked:
                report.restoration = .leaked
                (report.status, report.verdict, code) = (.completed, .held, .leaked)
            }
            report.exitCode = code.rawValue
            report.reasons = ["\(title) ended so"]
            return report
        }
    }
}

/// Gates in memory.
final class Answers: ApprovalPort {
    private struct State {
        var open: [Gate] = []
        var closed: [String] = []
        var answers: [String: [GateAnswer]] = [:]
        var watchers: [String: AsyncStream<Void>.Continuation] = [:]
        var whenOpened: (@Sendable (Gate) -> Void)?
    }

    private let state = Mutex(State())

    /// Calls back for each gate that opens.
    func onOpen(_ body: @escaping @Sendable (Gate) -> Void) {
        state.withLock { $0.whenOpened = body }
    }

    var opened: [Gate] { state.withLock { $0.open } }
    var closed: [String] { state.withLock { $0.closed } }

    func answer(_ gate: Gate, _ who: String, _ approves: Bool = true, digest: String? = nil) {
        let answer = GateAnswer(
            who: who,
            approves: approves,
            comment: approves ? nil : "not today",
            at: gate.openedAt,
            planDigest: digest ?? gate.planDigest
        )
        state.withLock { state in
            state.answers[gate.id, default: []].append(answer)
            return state.watchers[gate.id]
        }?.yield()
    }

    func open(_ gate: Gate) throws(KernelError) {
        state.withLock { state in
            state.open.append(gate)
            return state.whenOpened
        }?(gate)
    }

    func answers(to gate: Gate) throws(KernelError) -> [GateAnswer] {
        state.withLock { $0.answers[gate.id] ?? [] }
    }

    func changes(of gate: Gate) throws(KernelError) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        state.withLock { $0.watchers[gate.id] = continuation }
        return stream
    }

    func close(_ gate: Gate) throws(KernelError) {
        state.withLock { $0.closed.append(gate.id) }
    }
}

/// Tells the day's own log.
struct LoggingSender: NoticeSender {
    let log: DayLog

    func send(_ notice: Notice) async throws { log.append("tell \(notice.kind.rawValue)") }
}

/// Keeps the last state in memory.
final class MemoryStore: DayStore {
    private let kept = Mutex<GameDayReport?>(nil)

    var last: GameDayReport? { kept.withLock { $0 } }

    func save(_ report: GameDayReport) throws(KernelError) { kept.withLock { $0 = report } }
}

/// Health as it is told.
struct ScriptedHealth: HealthCheck {
    let log: DayLog
    var problem: String?

    func awaitHealthy(within limit: Duration) async -> String? {
        log.append("health")
        return problem
    }
}

private struct SilentObserver: DayObserver {
    func happened(_ event: GameDayReport.Event) {}
    func now(_ place: DayPlace, until: Double?) {}
}

/// A day with everything that it needs.
struct SimulatedDay {
    let log = DayLog()
    let answers = Answers()
    let store = MemoryStore()
    var definition: GameDayDefinition
    var experiments: ScriptedExperiments
    var health: ScriptedHealth?
    var body: (any DayBody)?
    var senders: [(name: String, sender: any NoticeSender)] = []
    var time: any TimePort = SystemTime()

    init(_ ends: KeyValuePairs<String, ScriptedExperiments.End>) {
        definition = GameDayDefinition(
            name: "rehearsal",
            experiments: ends.map { .named($0.key) },
            file: "day.lua",
            digest: "sha256:day"
        )
        experiments = ScriptedExperiments(
            ends: Dictionary(ends.map { ($0.key, $0.value) }) { first, _ in first },
            log: log
        )
    }

    func runner(resuming earlier: GameDayReport? = nil) async throws -> GameDayRunner {
        GameDayRunner(
            definition,
            plan: try await DayPlan(definition, from: experiments),
            body: body ?? ListedBody(definition),
            id: "day-1",
            resuming: earlier,
            surroundings: DaySurroundings(
                experiments: experiments,
                health: health,
                approvals: answers,
                notifications: Notifications(senders, time: time),
                store: store,
                observer: SilentObserver(),
                time: time
            )
        )
    }

    func run() async throws -> GameDayReport { await (try runner()).run() }
}
