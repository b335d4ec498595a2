// How a run ended: three answers, never one word, and the exit code that follows from them.

/// Whether the run came to its end.
package enum RunStatus: String, Sendable, Hashable, Codable {
    /// All phases ran as defined.
    case completed
    /// Stopped: a safety rule, an operator, a signal.
    case aborted
    /// Something did not work.
    case failed
}

/// What a run does to the machine.
package enum RunMode: String, Sendable, Hashable, Codable {
    /// Everything.
    case run
    /// All phases but the effects.
    case dryRun = "dry_run"
    /// All phases, but what faults would hit is only counted.
    case shadow

    /// The mode in words.
    package var words: String {
        switch self {
        case .run: "run"
        case .dryRun: "dry run"
        case .shadow: "shadow run"
        }
    }
}

/// What the run says about the hypothesis.
package enum Verdict: String, Sendable, Hashable, Codable, CaseIterable {
    /// It held.
    case held
    /// It did not hold.
    case deviated
    /// The run cannot say.
    case inconclusive
}

/// Whether everything is as it was before.
package enum Restoration: String, Sendable, Hashable, Codable {
    /// It is, or nothing was touched.
    case restored
    /// Something is left.
    case leaked
}

/// The exit codes of the program.
package enum ExitCode: Int32, Sendable, Hashable, Codable {
    case held = 0
    case deviated = 1
    /// The definition or the usage is wrong.
    case definition = 2
    /// Aborted by a safety rule or an operator.
    case aborted = 3
    /// Something is left; outranks every other code.
    case leaked = 4
    /// The baseline was unhealthy; nothing was injected.
    case baseline = 5
    /// A privilege or a kernel feature is missing.
    case unavailable = 6
    case inconclusive = 7
    /// Interrupted by a signal; everything is restored.
    case interrupted = 130
}

/// The phases of a run.
package enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
    case initialize = "INIT"
    case baseline = "BASELINE_CHECK"
    case injection = "FAULT_INJECTION"
    case monitoring = "MONITORING"
    case rollback = "ROLLBACK"
    case postValidation = "POST_VALIDATION"
    case report = "REPORT"
}
