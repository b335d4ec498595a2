// The phases of a run, as a value without I/O: event in, actions out. The runner performs the actions and
// nothing else decides what a phase is followed by.

package import ChaosModel

/// Why a run is stopped before its body has ended by itself.
package enum StopReason: Sendable, Hashable {
    /// The definition cannot be carried out.
    case definition(String)
    /// A privilege or kernel feature is missing.
    case unavailable(String)
    /// The baseline was not healthy.
    case baseline(String)
    /// Something of ours is left on the host.
    case residue(String)
    /// A fault could not be made.
    case injection(String)
    /// The body raised an error.
    case script(message: String, traceback: String)
    /// A rule said so: an abort threshold, `abort_if`, no data.
    case rule(String)
    /// The script said so.
    case scriptAbort(String)
    /// A person said so, through `moonquake abort`.
    case person(String)
    /// A signal came, by its number.
    case signal(Int32)
    /// The agent is gone.
    case agentLost(String)

    /// The reason in words.
    package var text: String {
        switch self {
        case .definition(let text), .unavailable(let text), .baseline(let text),
            .residue(let text), .injection(let text):
            text
        case .script(let message, _): message
        case .rule(let text), .person(let text), .agentLost(let text): text
        case .scriptAbort(let text): "the script aborted: \(text)"
        case .signal(let number): "interrupted by \(Self.signalName(number))"
        }
    }

    private static func signalName(_ number: Int32) -> String {
        [1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 15: "SIGTERM"][number] ?? "signal \(number)"
    }

    /// Whether it aborts the run, instead of saying that it cannot work.
    var isAbort: Bool {
        switch self {
        case .rule, .scriptAbort, .person, .signal: true
        default: false
        }
    }

    /// Whether it is worth waiting for the recovery of the system after the rollback.
    var waitsForRecovery: Bool {
        switch self {
        case .rule, .scriptAbort, .injection, .script: true
        default: false
        }
    }
}

/// The state machine of a run.
package struct RunMachine: Sendable {
    /// What can happen.
    package enum Event: Sendable {
        case began
        /// The plan is made, and everything in it is possible.
        case planned
        /// A fault is wanted for the first time.
        case faultWanted
        case baselineHealthy
        case injectionBegan
        case injectionEnded
        case bodyEnded
        case stopped(StopReason)
        case rolledBack
        case recovered
        case notRecovered(String)
        case reported
    }

    /// What is to be done.
    package enum Action: Sendable, Hashable {
        case makePlan
        case checkBaseline
        case startBody
        case stopBody(reason: String)
        case rollBack
        case awaitRecovery
        case makeReport
    }

    /// Whether the script's body begins only after the baseline: so for experiments, not for plain scripts,
    /// which declare their metrics on the way.
    let baselineFirst: Bool

    /// The phase now.
    package private(set) var phase = Phase.initialize
    /// Why the run was stopped; the first reason wins.
    package private(set) var stop: StopReason?
    /// What else would have stopped it, in order.
    package private(set) var laterStops: [StopReason] = []
    /// Whether a fault was in force at any time.
    package private(set) var hasInjected = false
    /// Why post-validation failed; nil if it did not.
    package private(set) var notRecovered: String?

    private var bodyStarted = false
    private var isBaselineDone = false

    package init(baselineFirst: Bool) { self.baselineFirst = baselineFirst }

    /// Whether faults may be made now.
    package var takesFaults: Bool { stop == nil && (phase == .injection || phase == .monitoring) }

    /// Whether abort rules count now.
    package var isGuarded: Bool { takesFaults }

    /// Takes an event and says what follows.
    package mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .began: return [.makePlan]
        case .planned: return planned()
        case .faultWanted: return faultWanted()
        case .baselineHealthy: return baselineHealthy()
        case .injectionBegan:
            if takesFaults { phase = .injection }
            return []
        case .injectionEnded:
            hasInjected = true
            if phase == .injection { phase = .monitoring }
            return []
        case .bodyEnded: return bodyEnded()
        case .stopped(let reason): return stopped(reason)
        case .rolledBack: return rolledBack()
        case .recovered: return phase == .postValidation ? report() : []
        case .notRecovered(let why):
            guard phase == .postValidation else { return [] }
            notRecovered = why
            return report()
        case .reported: return []
        }
    }

    private mutating func planned() -> [Action] {
        guard stop == nil, phase == .initialize else { return [] }
        if baselineFirst {
            phase = .baseline
            return [.checkBaseline]
        }
        bodyStarted = true
        return [.startBody]
    }

    private mutating func faultWanted() -> [Action] {
        guard stop == nil, phase == .initialize, !isBaselineDone else { return [] }
        phase = .baseline
        return [.checkBaseline]
    }

    private mutating func baselineHealthy() -> [Action] {
        guard stop == nil, phase == .baseline else { return [] }
        isBaselineDone = true
        phase = .injection
        guard !bodyStarted else { return [] }
        bodyStarted = true
        return [.startBody]
    }

    private mutating func bodyEnded() -> [Action] {
        guard stop == nil, phase.isBeforeRollback else { return [] }
        phase = .rollback
        return [.rollBack]
    }

    private mutating func stopped(_ reason: StopReason) -> [Action] {
        guard stop == nil else {
            laterStops.append(reason)
            return []
        }
        switch phase {
        case .initialize, .baseline, .injection, .monitoring:
            stop = reason
            phase = .rollback
            return (bodyStarted ? [.stopBody(reason: reason.text)] : []) + [.rollBack]
        case .postValidation:
            // Everything is back already; who stops now does not want to wait for the system's recovery.
            stop = reason
            return report()
        case .rollback:
            // The rollback goes on; whoever stops now does not want to wait for the recovery after it.
            stop = reason
            return []
        case .report:
            laterStops.append(reason)
            return []
        }
    }

    private mutating func rolledBack() -> [Action] {
        guard phase == .rollback else { return [] }
        guard hasInjected, stop?.waitsForRecovery ?? true else { return report() }
        phase = .postValidation
        return [.awaitRecovery]
    }

    private mutating func report() -> [Action] {
        phase = .report
        return [.makeReport]
    }
}

extension Phase {
    /// Whether the rollback is still to come.
    var isBeforeRollback: Bool {
        switch self {
        case .initialize, .baseline, .injection, .monitoring: true
        case .rollback, .postValidation, .report: false
        }
    }
}
