// What runner and agent say to each other: one JSON object a line, the same over a pipe here or ssh later.
//
// Requests carry an id and are answered once, in any order; events have no id. Times are milliseconds, since
// the two ends may not share a clock.

/// What the runner asks of the agent.
public enum AgentCall: Sendable, Hashable {
    /// The first message: who asks, and what must never be hit.
    case hello(Hello)
    /// Which targets, and what would change on each. Reads only.
    case plan(PlanCall)
    /// Make the fault on exactly these targets.
    case inject(InjectCall)
    /// The runner is alive: every lease lives on for another term.
    case renew
    /// Put back these leases, newest first; an empty list means all.
    case revert([LeaseID])
    /// Apply the journals of agents that are gone, and remove what is marked as ours.
    case recover
    /// Revert everything and leave.
    case leave

    /// Who asks.
    public struct Hello: Sendable, Hashable, Codable {
        /// The version of the messages.
        public var protocolVersion: Int
        /// The run that the agent is for.
        public var run: String
        /// Far ends that network faults must leave alone: the SSH peer, the metric source.
        public var protectedEndpoints: [ProtectedEndpoint]
        /// Processes that must never be hit, beside the agent's own ancestors.
        public var protectedProcesses: [Int32]
        /// How long leases live without a renewal, in milliseconds.
        public var termMs: Double

        /// Makes a greeting.
        public init(
            protocolVersion: Int = AgentCall.protocolVersion,
            run: String,
            protectedEndpoints: [ProtectedEndpoint],
            protectedProcesses: [Int32],
            termMs: Double
        ) {
            self.protocolVersion = protocolVersion
            self.run = run
            self.protectedEndpoints = protectedEndpoints
            self.protectedProcesses = protectedProcesses
            self.termMs = termMs
        }
    }

    /// A question for a plan.
    public struct PlanCall: Sendable, Hashable, Codable {
        /// The fault and its selector.
        public var spec: FaultSpec
        /// How many of the matches are meant.
        public var limit: SelectionLimit
        /// The seed of the choice.
        public var seed: UInt64

        /// Makes a question.
        public init(spec: FaultSpec, limit: SelectionLimit, seed: UInt64) {
            self.spec = spec
            self.limit = limit
            self.seed = seed
        }
    }

    /// An order to make a fault.
    public struct InjectCall: Sendable, Hashable, Codable {
        /// The fault.
        public var spec: FaultSpec
        /// The targets that the runner has admitted.
        public var targets: [Target]
        /// When the lease ends whatever happens, in milliseconds from now.
        public var deadlineMs: Double

        /// Makes an order.
        public init(spec: FaultSpec, targets: [Target], deadlineMs: Double) {
            self.spec = spec
            self.targets = targets
            self.deadlineMs = deadlineMs
        }
    }

    /// The version of the messages; both ends must have the same.
    public static let protocolVersion = 1
}

/// A far end that network faults leave alone.
public struct ProtectedEndpoint: Sendable, Hashable, Codable {
    /// Its address.
    public var address: NetworkAddress
    /// Its port; nil for all.
    public var port: Int?
    /// Why: `the peer of this SSH session`.
    public var reason: String

    /// Makes an endpoint from its parts.
    public init(address: NetworkAddress, port: Int?, reason: String) {
        self.address = address
        self.port = port
        self.reason = reason
    }
}

/// How many of the matching targets are meant.
public struct SelectionLimit: Sendable, Hashable, Codable {
    /// This many.
    public var count: Int?
    /// This share, 0…1, rounded down.
    public var share: Double?
    /// Never fewer than this, even where a share rounds below it.
    public var atLeast: Int?

    /// Makes a limit; without count and share all matches are meant.
    public init(count: Int? = nil, share: Double? = nil, atLeast: Int? = nil) {
        self.count = count
        self.share = share
        self.atLeast = atLeast
    }
}

/// What the agent answers.
public enum AgentReply: Sendable, Hashable {
    /// To `hello`.
    case hello(AgentHello)
    /// To `plan`.
    case plan(PlanReply)
    /// To `inject`: one lease per target.
    case injected([LeaseRecord])
    /// To `renew`.
    case renewed
    /// To `revert` and `leave`.
    case reverted([RevertRecord])
    /// To `recover`.
    case recovered([RecoveryRecord])
    /// To anything that failed.
    case failed(AgentFailure)
}

/// Who the agent is.
public struct AgentHello: Sendable, Hashable, Codable {
    /// The version of the messages.
    public var protocolVersion: Int
    /// The version of the program.
    public var version: String
    /// Its process.
    public var pid: Int32
    /// Its effective user.
    public var userID: UInt32
    /// The boot of its host.
    public var bootID: String
    /// What agents that died before had left here, as it was put right now.
    public var leftovers: [RecoveryRecord]

    /// Makes an answer.
    public init(
        protocolVersion: Int = AgentCall.protocolVersion,
        version: String,
        pid: Int32,
        userID: UInt32,
        bootID: String,
        leftovers: [RecoveryRecord]
    ) {
        self.protocolVersion = protocolVersion
        self.version = version
        self.pid = pid
        self.userID = userID
        self.bootID = bootID
        self.leftovers = leftovers
    }
}

/// What a fault would do.
public struct PlanReply: Sendable, Hashable, Codable {
    /// How many targets match the selector.
    public var candidates: Int
    /// The chosen ones, with what would change on each.
    public var targets: [PlannedTarget]

    /// Makes an answer.
    public init(candidates: Int, targets: [PlannedTarget]) {
        self.candidates = candidates
        self.targets = targets
    }
}

/// What a fault would do to one target.
public struct PlannedTarget: Sendable, Hashable, Codable {
    /// The target.
    public var target: Target
    /// What will change.
    public var changes: [String]
    /// What holds the fault here.
    public var heldBy: Holder
    /// What carries it here.
    public var engine: String?

    /// Makes a planned target.
    public init(target: Target, changes: [String], heldBy: Holder, engine: String?) {
        self.target = target
        self.changes = changes
        self.heldBy = heldBy
        self.engine = engine
    }
}

/// A fault on one target, in force.
public struct LeaseRecord: Sendable, Hashable, Codable {
    /// Its identity.
    public var lease: LeaseID
    /// The target.
    public var target: Target
    /// What holds it.
    public var heldBy: Holder
    /// What carries it.
    public var engine: String?
    /// What `verify` saw.
    public var effect: Effect

    /// Makes a record.
    public init(lease: LeaseID, target: Target, heldBy: Holder, engine: String?, effect: Effect) {
        self.lease = lease
        self.target = target
        self.heldBy = heldBy
        self.engine = engine
        self.effect = effect
    }
}

/// How a revert ended.
public enum RevertOutcome: String, Sendable, Hashable, Codable {
    /// Put back, and measured to be back.
    case reverted
    /// The target is gone, and the fault with it.
    case gone
    /// Still there, as far as we know.
    case leaked
}

/// The revert of one lease.
public struct RevertRecord: Sendable, Hashable, Codable {
    /// The lease.
    public var lease: LeaseID
    /// The fault.
    public var fault: String
    /// The target.
    public var target: Target
    /// How it ended.
    public var outcome: RevertOutcome
    /// What the fault was measured to have done while it was on.
    public var effect: Effect?
    /// What was measured after the revert, or why it failed.
    public var seen: String
    /// How long it took, in milliseconds.
    public var tookMs: Double

    /// Makes a record.
    public init(
        lease: LeaseID,
        fault: String,
        target: Target,
        outcome: RevertOutcome,
        effect: Effect?,
        seen: String,
        tookMs: Double
    ) {
        self.lease = lease
        self.fault = fault
        self.target = target
        self.outcome = outcome
        self.effect = effect
        self.seen = seen
        self.tookMs = tookMs
    }
}

/// What recovery did about one thing that a dead agent left.
public struct RecoveryRecord: Sendable, Hashable, Codable {
    /// The run it belonged to.
    public var run: String
    /// The revert.
    public var revert: RevertRecord

    /// Makes a record.
    public init(run: String, revert: RevertRecord) {
        self.run = run
        self.revert = revert
    }
}

/// Why a request failed.
public struct AgentFailure: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// The kinds that decide the exit code.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// The definition cannot be carried out: no target, refused target.
        case definition
        /// A privilege or a kernel feature is missing.
        case unavailable
        /// The injection failed; what had been made of it was reverted.
        case injection
        /// The injection failed and some of it could not be reverted.
        case leaked
        /// The messages do not fit.
        case `protocol`
    }

    /// What kind it is.
    public var kind: Kind
    /// The whole message for the user.
    public var message: String

    /// Makes a failure.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}

/// What the agent says unasked.
public enum AgentEvent: Sendable, Hashable {
    /// A lease ended by itself: its duration was over or its deadline reached.
    case expired(RevertRecord)
    /// Everything was reverted because somebody asked for it: `moonquake abort`.
    case aborted(reason: String, [RevertRecord])
    /// Everything was reverted because renewals had stopped.
    case orphaned([RevertRecord])
    /// The target of a lease ended while the fault was on.
    case targetGone(LeaseID, String)
}
