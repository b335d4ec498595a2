// What runner and agent say to each other: one JSON object a line, the same over a pipe here or ssh later.
//
// Requests carry an id and are answered once, in any order; events have no id. Times are milliseconds, since
// the two ends may not share a clock.

/// What the runner asks of the agent.
package enum AgentCall: Sendable, Hashable {
    /// The first message: who asks, and what must never be hit.
    case hello(Hello)
    /// Which targets, and what would change on each.
    ///
    /// Reads only.
    case plan(PlanCall)
    /// Make the fault on exactly these targets.
    case inject(InjectCall)
    /// The runner is alive: every lease lives on for another term.
    case renew
    /// How much each fault really hits now.
    case survey
    /// How these parts are now.
    ///
    /// Reads only.
    case state([StatePart])
    /// Put back these leases, newest first; an empty list means all.
    case revert([LeaseID])
    /// Apply the journals of agents that are gone, and remove what is marked as ours.
    case recover
    /// Revert everything and leave.
    case leave

    /// Who asks.
    package struct Hello: Sendable, Hashable, Codable {
        /// The version of the messages.
        package var protocolVersion: Int
        /// The run that the agent is for.
        package var run: String
        /// Far ends that network faults must leave alone: the SSH peer, the metric source.
        package var protectedEndpoints: [ProtectedEndpoint]
        /// Processes that must never be hit, beside the agent's own ancestors.
        package var protectedProcesses: [Int32]
        /// How long leases live without a renewal, in milliseconds.
        package var termMs: Double
        /// What the user's policy and flags allow, beside the host's policy, which the agent reads itself.
        package var policy: Policy?

        /// Makes a greeting.
        package init(
            protocolVersion: Int = AgentCall.protocolVersion,
            run: String,
            protectedEndpoints: [ProtectedEndpoint],
            protectedProcesses: [Int32],
            termMs: Double,
            policy: Policy? = nil
        ) {
            self.protocolVersion = protocolVersion
            self.run = run
            self.protectedEndpoints = protectedEndpoints
            self.protectedProcesses = protectedProcesses
            self.termMs = termMs
            self.policy = policy
        }
    }

    /// A question for a plan.
    package struct PlanCall: Sendable, Hashable, Codable {
        /// The fault and its selector.
        package var spec: FaultSpec
        /// How many of the matches are meant.
        package var limit: SelectionLimit
        /// The seed of the choice.
        package var seed: UInt64

        /// Makes a question.
        package init(spec: FaultSpec, limit: SelectionLimit, seed: UInt64) {
            self.spec = spec
            self.limit = limit
            self.seed = seed
        }
    }

    /// An order to make a fault.
    package struct InjectCall: Sendable, Hashable, Codable {
        /// The fault.
        package var spec: FaultSpec
        /// The targets that the runner has admitted.
        package var targets: [Target]
        /// When the lease ends whatever happens, in milliseconds from now.
        package var deadlineMs: Double
        /// The seed of what the fault leaves to chance.
        package var seed: UInt64

        /// Makes an order.
        package init(spec: FaultSpec, targets: [Target], deadlineMs: Double, seed: UInt64 = 0) {
            self.spec = spec
            self.targets = targets
            self.deadlineMs = deadlineMs
            self.seed = seed
        }
    }

    /// The version of the messages; both ends must have the same.
    package static let protocolVersion = 1
}

/// A far end that network faults leave alone.
package struct ProtectedEndpoint: Sendable, Hashable, Codable {
    /// Its address.
    package var address: NetworkAddress
    /// Its port; nil for all.
    package var port: Int?
    /// Why: `the peer of this SSH session`.
    package var reason: String

    /// Makes an endpoint from its parts.
    package init(address: NetworkAddress, port: Int?, reason: String) {
        self.address = address
        self.port = port
        self.reason = reason
    }
}

/// How many of the matching targets are meant.
package struct SelectionLimit: Sendable, Hashable, Codable {
    /// This many.
    package var count: Int?
    /// This share, 0…1, rounded down.
    package var share: Double?
    /// Never fewer than this, even where a share rounds below it.
    package var atLeast: Int?

    /// Makes a limit; without count and share all matches are meant.
    package init(count: Int? = nil, share: Double? = nil, atLeast: Int? = nil) {
        self.count = count
        self.share = share
        self.atLeast = atLeast
    }
}

/// What the agent answers.
package enum AgentReply: Sendable, Hashable {
    /// To `hello`.
    case hello(AgentHello)
    /// To `plan`.
    case plan(PlanReply)
    /// To `inject`: one lease per target.
    case injected([LeaseRecord])
    /// To `renew`.
    case renewed
    /// To `survey`: one record for each `inject` that is in force.
    case surveyed([RadiusRecord])
    /// To `state`: one for each part.
    case state([PartState])
    /// To `revert` and `leave`.
    case reverted([RevertRecord])
    /// To `recover`.
    case recovered([RecoveryRecord])
    /// To anything that failed.
    case failed(AgentFailure)
}

/// Who the agent is.
package struct AgentHello: Sendable, Hashable, Codable {
    /// The version of the messages.
    package var protocolVersion: Int
    /// The version of the program.
    package var version: String
    /// Its process.
    package var pid: Int32
    /// Its effective user.
    package var userID: UInt32
    /// The boot of its host.
    package var bootID: String
    /// What agents that died before had left here, as it was put right now.
    package var leftovers: [RecoveryRecord]
    /// What an earlier agent of this same run had put back by itself, from its closed journals.
    package var settled: [RevertRecord]
    /// The policy in force: the host's and the runner's, of each limit the strictest.
    package var policy: Policy?
    /// What of ours is still on this host although nobody alive holds it, one line each; nil when there is nothing.
    package var residue: [String]?

    /// Makes an answer.
    package init(
        protocolVersion: Int = AgentCall.protocolVersion,
        version: String,
        pid: Int32,
        userID: UInt32,
        bootID: String,
        leftovers: [RecoveryRecord],
        settled: [RevertRecord] = [],
        policy: Policy? = nil,
        residue: [String]? = nil
    ) {
        self.protocolVersion = protocolVersion
        self.version = version
        self.pid = pid
        self.userID = userID
        self.bootID = bootID
        self.leftovers = leftovers
        self.settled = settled
        self.policy = policy
        self.residue = residue
    }
}

/// What a fault would do.
package struct PlanReply: Sendable, Hashable, Codable {
    /// How many targets match the selector.
    package var candidates: Int
    /// The chosen ones, with what would change on each.
    package var targets: [PlannedTarget]

    /// Makes an answer.
    package init(candidates: Int, targets: [PlannedTarget]) {
        self.candidates = candidates
        self.targets = targets
    }

    /// What counts against a limit: each group once, however many parts of it are hit.
    package var units: Set<TargetIdentity> { Set(targets.map(\.target.unit)) }
}

/// What a fault would do to one target.
package struct PlannedTarget: Sendable, Hashable, Codable {
    /// The target.
    package var target: Target
    /// What will change.
    package var changes: [String]
    /// What holds the fault here.
    package var heldBy: Holder
    /// What carries it here.
    package var engine: String?
    /// The parts of the machine that change.
    package var touches: [StatePart]

    /// Makes a planned target.
    package init(
        target: Target,
        changes: [String],
        heldBy: Holder,
        engine: String?,
        touches: [StatePart] = []
    ) {
        self.touches = touches
        self.target = target
        self.changes = changes
        self.heldBy = heldBy
        self.engine = engine
    }
}

/// How much of what matches one `inject` really hits now.
package struct RadiusRecord: Sendable, Hashable, Codable {
    /// Its leases that are in force.
    package var leases: [LeaseID]
    /// How many targets match its selector now.
    package var candidates: Int
    /// How many of these this run's faults of that selector hit.
    package var hit: Int
    /// How much of the traffic that matched was hit so far; nil where all is, or where that cannot be counted.
    package var traffic: TrafficShare?

    /// Makes a record.
    package init(leases: [LeaseID], candidates: Int, hit: Int, traffic: TrafficShare? = nil) {
        self.leases = leases
        self.candidates = candidates
        self.hit = hit
        self.traffic = traffic
    }
}

/// A fault on one target, in force.
package struct LeaseRecord: Sendable, Hashable, Codable {
    /// Its identity.
    package var lease: LeaseID
    /// The target.
    package var target: Target
    /// What holds it.
    package var heldBy: Holder
    /// What carries it.
    package var engine: String?
    /// What `verify` saw.
    package var effect: Effect

    /// Makes a record.
    package init(lease: LeaseID, target: Target, heldBy: Holder, engine: String?, effect: Effect) {
        self.lease = lease
        self.target = target
        self.heldBy = heldBy
        self.engine = engine
        self.effect = effect
    }
}

/// How a revert ended.
package enum RevertOutcome: String, Sendable, Hashable, Codable {
    /// Put back, and measured to be back.
    case reverted
    /// The target is gone, and the fault with it.
    case gone
    /// Still there, as far as we know.
    case leaked
}

/// The revert of one lease.
package struct RevertRecord: Sendable, Hashable, Codable {
    /// The lease.
    package var lease: LeaseID
    /// The fault.
    package var fault: String
    /// The target.
    package var target: Target
    /// How it ended.
    package var outcome: RevertOutcome
    /// What the fault was measured to have done while it was on.
    package var effect: Effect?
    /// What was measured after the revert, or why it failed.
    package var seen: String
    /// How long it took, in milliseconds.
    package var tookMs: Double

    /// Makes a record.
    package init(
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
package struct RecoveryRecord: Sendable, Hashable, Codable {
    /// The run it belonged to.
    package var run: String
    /// The revert.
    package var revert: RevertRecord

    /// Makes a record.
    package init(run: String, revert: RevertRecord) {
        self.run = run
        self.revert = revert
    }
}

/// Why a request failed.
package struct AgentFailure: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// The kinds that decide the exit code.
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The definition cannot be carried out: no target, refused target.
        case definition
        /// A privilege or a kernel feature is missing.
        case unavailable
        /// The injection failed; what had been made of it was reverted.
        case injection
        /// The injection failed and some of it could not be reverted.
        case leaked
        /// Something of ours is left on the host, and the run was not told to go on all the same.
        case residue
        /// The messages do not fit.
        case `protocol`
    }

    /// What kind it is.
    package var kind: Kind
    /// The whole message for the user.
    package var message: String

    /// Makes a failure.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}

/// What the agent says unasked.
package enum AgentEvent: Sendable, Hashable {
    /// A lease ended by itself: its duration was over or its deadline reached.
    case expired(RevertRecord)
    /// Everything was reverted because somebody asked for it: `moonquake abort`.
    case aborted(reason: String, [RevertRecord])
    /// Everything was reverted because renewals had stopped.
    case orphaned([RevertRecord])
    /// Everything was reverted because the policy does not allow it any more.
    case violated(reason: String, [RevertRecord])
    /// The target of a lease ended while the fault was on.
    case targetGone(LeaseID, String)
    /// Something is to be told of a lease that goes on.
    case noted(LeaseID, String)
    /// A fault ended by itself before it was put back: what carried it was killed.
    case endedEarly(LeaseID, String)
}
