// The contract of a fault: described once by its descriptor, made only after its undo is on disk, verified in
// both directions, and reverted from the journaled undo alone.

/// What ends a fault when nobody reverts it.
package enum Holder: String, Sendable, Hashable, Codable {
    /// The kernel ends it as soon as the agent is gone.
    case kernel
    /// The undo is on disk: the agent applies it, or whoever starts next.
    case journal
    /// Nothing: what was done cannot be undone, only checked or repaired.
    case nothing
}

/// A capability that a fault needs, and what for.
package struct NeededCapability: Sendable, Hashable, Codable {
    /// The name in capabilities(7): `CAP_NET_ADMIN`.
    package var name: String
    /// What it is needed for, and when.
    package var reason: String

    /// Makes a need from its parts.
    package init(_ name: String, reason: String) {
        self.name = name
        self.reason = reason
    }
}

/// Everything about a fault but its code.
///
/// Validation, help, Lua, types, schema and the docs check follow from it.
package struct FaultDescriptor: Sendable {
    /// `family.kind`, the same everywhere.
    package let name: String
    /// One sentence: what it does.
    package let summary: String
    /// Its own options, beyond `target` and `duration`.
    package let parameters: [ParameterDescriptor]
    /// The kinds of targets it can hit, groups left out.
    package let targets: [TargetKind]
    /// What it hits of a container or a unit.
    package let reach: GroupReach
    /// What holds it, at best; the plan says what holds it here.
    package let holder: Holder
    /// The capabilities it needs.
    package let capabilities: [NeededCapability]
    /// The kernel features and tools it needs, in words.
    package let needs: [String]
    /// Whether its effect survives a reboot.
    package let survivesReboot: Bool
    /// The controller whose settings of the target's control group it changes: two runs may not at once.
    package let changesGroup: ControlGroupController?
    /// Whether it changes a value of its target or its group and writes the former one back: put back in another order
    /// than newest first, two would bring back each other's, so a run has one at a time.
    package let isExclusive: Bool

    /// Makes a descriptor from its parts.
    ///
    /// Without a `reach`, a fault that can hit namespaces hits that of a group, and another each of its processes.
    /// What changes a group is exclusive.
    package init(
        name: String,
        summary: String,
        parameters: [ParameterDescriptor],
        targets: [TargetKind],
        reach: GroupReach? = nil,
        holder: Holder,
        capabilities: [NeededCapability] = [],
        needs: [String] = [],
        survivesReboot: Bool = false,
        changesGroup: ControlGroupController? = nil,
        isExclusive: Bool? = nil
    ) {
        self.name = name
        self.summary = summary
        self.parameters = parameters
        self.targets = targets
        self.reach = reach ?? (targets.contains(.netns) ? .namespace : .processes)
        self.holder = holder
        self.capabilities = capabilities
        self.needs = needs
        self.survivesReboot = survivesReboot
        self.changesGroup = changesGroup
        self.isExclusive = isExclusive ?? (changesGroup != nil)
    }

    /// All kinds of targets it can hit: its own, and the groups of which it can hit a part.
    package var allTargets: [TargetKind] {
        let hitsParts = targets.contains(reach == .namespace ? .netns : .process)
        return targets + (hitsParts ? TargetKind.allCases.filter(\.isGroup) : [])
    }

    /// The options that every fault has.
    package static let duration = Parameter(
        "duration",
        ParameterKind<Duration>.duration(from: .milliseconds(1)),
        help: "Revert by itself after this time; without it, at rollback or at the end of the run."
    )

    /// All options but `target`, which is a value of its own.
    package var parameterSet: ParameterSet {
        ParameterSet(of: name, parameters + [Self.duration.erased])
    }
}

/// One fault as a definition asks for it.
package struct FaultSpec: Sendable, Hashable, Codable {
    /// The name of the fault.
    package var fault: String
    /// What to hit.
    package var target: TargetSelector
    /// The options as given.
    package var options: [String: ParameterValue]
    /// The line of the script.
    package var location: SourceLocation?

    /// Makes a spec; it is checked against the descriptor by `FaultCatalogue`.
    package init(
        fault: String,
        target: TargetSelector,
        options: [String: ParameterValue],
        location: SourceLocation? = nil
    ) {
        self.fault = fault
        self.target = target
        self.options = options
        self.location = location
    }

    /// Whether it is of a family that hits traffic, and so a share of it.
    package var hasTraffic: Bool {
        ["network.", "dns.", "http.", "grpc."].contains(where: shadowedFault(fault).hasPrefix)
    }

    /// The share of the traffic that matches which it means, 0…1; nil when it means all, or has no traffic.
    package var declaredTraffic: Double? {
        guard case .string(let text)? = options["traffic"], let share = Units.share(text),
            share < 1
        else { return nil }
        return share
    }
}

/// The identity of a lease: letters and digits, unique, fit for names of tables and chains.
package struct LeaseID: Sendable, Hashable, Codable, CustomStringConvertible, Comparable {
    /// The text.
    package let text: String

    /// Makes an id from its text.
    package init(_ text: String) { self.text = text }

    package init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    package var description: String { text }

    /// What the leases of a run begin with.
    package static func stem(of run: String) -> String { String(run.suffix(6)) }

    package static func < (left: LeaseID, right: LeaseID) -> Bool { left.text < right.text }
}

/// What a plan must know beside its target.
package struct PlanContext: Sendable {
    /// The lease it would get.
    package var lease: LeaseID
    /// Far ends that network faults leave alone in the agent's own namespace.
    package var protectedEndpoints: [ProtectedEndpoint]
    /// The seed of what is left to chance.
    package var seed: UInt64
    /// Where the journals are, which a fault must leave writable.
    package var stateDirectory: String?
    /// Whether nothing is injected after it: then nothing may be sent to anybody either.
    package var isPreview: Bool

    /// Makes a context.
    package init(
        lease: LeaseID,
        protectedEndpoints: [ProtectedEndpoint] = [],
        seed: UInt64 = 0,
        stateDirectory: String? = nil,
        isPreview: Bool = false
    ) {
        self.lease = lease
        self.stateDirectory = stateDirectory
        self.protectedEndpoints = protectedEndpoints
        self.seed = seed
        self.isPreview = isPreview
    }
}

/// What a fault would do to one target, found by reading only.
package struct FaultPlan<Undo: Codable & Sendable>: Sendable {
    /// What will change, one sentence each.
    package var changes: [String]
    /// How to put it back.
    package var undo: Undo
    /// What holds it here.
    package var holder: Holder
    /// What carries it here, where there is a choice: `nft-owner`.
    package var engine: String?

    /// Makes a plan from its parts.
    package init(changes: [String], undo: Undo, holder: Holder, engine: String? = nil) {
        self.changes = changes
        self.undo = undo
        self.holder = holder
        self.engine = engine
    }
}

/// A measured value of a fault.
package struct Figure: Sendable, Hashable, Codable {
    /// What was measured: `packets_dropped`.
    package var name: String
    /// The value.
    package var value: Double
    /// Its unit, or an empty text for a count.
    package var unit: String

    /// Makes a figure from its parts.
    package init(_ name: String, _ value: Double, unit: String = "") {
        self.name = name
        self.value = value
        self.unit = unit
    }
}

/// What a fault was measured to do.
package struct Effect: Sendable, Hashable, Codable {
    /// What was seen, in words: `state T in /proc`.
    package var seen: String
    /// Measured values.
    package var figures: [Figure]
    /// Whether it hit anything so far; nil where that cannot be counted.
    package var hit: Bool?
    /// How much of the traffic that matched it hit so far; nil where all of it is, or where that cannot be counted.
    package var traffic: TrafficShare?

    /// Makes an effect from its parts.
    package init(
        _ seen: String,
        figures: [Figure] = [],
        hit: Bool? = nil,
        traffic: TrafficShare? = nil
    ) {
        self.seen = seen
        self.figures = figures
        self.hit = hit
        self.traffic = traffic
    }
}

/// What a fault did while it was on, beyond its injection.
package struct FollowUp<Undo: Codable & Sendable>: Sendable {
    /// What is known now; it is not journaled, so the first undo must do for the revert.
    package var undo: Undo
    /// What there is to tell, in words.
    package var seen: String?
    /// When to look again; nil for never.
    package var again: Duration?

    /// Makes a follow-up from its parts.
    package init(undo: Undo, seen: String? = nil, again: Duration? = nil) {
        self.undo = undo
        self.seen = seen
        self.again = again
    }
}

/// Why a step of a fault failed.
package enum FaultError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The target is gone: there is nothing left to do to it, or to put back.
    case targetGone(String)
    /// A capability, kernel feature or tool is missing; says which and how to get it.
    case unavailable(String)
    /// The fault refuses this target or this state of it.
    case refused(String)
    /// A step did not have the effect it should have had.
    case noEffect(String)
    /// The kernel said no.
    case kernel(KernelError)

    package var description: String {
        switch self {
        case .targetGone(let text), .unavailable(let text), .refused(let text), .noEffect(let text):
            text
        case .kernel(let error): error.description
        }
    }
}

/// A fault.
///
/// One type per fault, in a file of its own.
package protocol Fault: Sendable {
    /// All that is needed to put back what was done to one target.
    ///
    /// It is on disk before the effect.
    associatedtype Undo: Codable & Sendable

    /// The one description of the fault.
    static var descriptor: FaultDescriptor { get }

    /// Reads the options.
    ///
    /// They were checked one by one; this checks them together.
    init(_ parameters: Parameters) throws(DefinitionError)

    /// Says what would change on a target.
    ///
    /// Reads only.
    func plan(_ target: Target, in context: PlanContext, on kernel: Kernel) async throws(FaultError)
        -> FaultPlan<Undo>

    /// Makes the fault.
    func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError)

    /// Reads back whether it took effect, and measures.
    func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect

    /// Looks after the fault while it is on; nil when there is nothing to look after.
    ///
    /// Called after the injection, and again as the answer says. It may run while the fault is being reverted, which
    /// does not wait for it: what it changes must fail, and leave nothing, once the fault is gone.
    func followUp(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> FollowUp<Undo>?
    /// How often it is made again while it is on; nil for once.
    var every: Duration? { get }

    /// Makes it again, on what the selector matches by now; false when that had ended before.
    ///
    /// What it does here must need no undo: there is none on disk.
    func again(_ target: Target, on kernel: Kernel) async throws(FaultError) -> Bool

    /// The parts of the machine that it changes, to be compared before and after; none where nothing is put back.
    static func touches(_ undo: Undo) -> [StatePart]

    /// Measures just before the revert what the fault did while it was on.
    static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect

    /// Waits until the fault has ended by itself, because what carries it is gone, and says how and when.
    ///
    /// Nil when that cannot happen, or when the fault was put back meanwhile.
    static func endedEarly(_ undo: Undo, on kernel: Kernel) async -> String?

    /// Puts everything back.
    ///
    /// Idempotent; works in a fresh process.
    static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError)

    /// Measures again that everything is back.
    static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect

    /// Measures, once everything is put back, what may take a moment; nil when there is nothing to measure.
    static func measureAfter(_ undo: Undo, on kernel: Kernel) async -> Effect?

    /// Which packets it would hit, for a run that only counts them; nil when it hits no packets.
    ///
    /// Reads only.
    func shadow(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> ShadowTraffic?
}

extension Fault {
    package func followUp(
        _ undo: Undo,
        on kernel: Kernel
    ) async throws(FaultError) -> FollowUp<Undo>? { nil }
    package var every: Duration? { nil }

    package func again(_ target: Target, on kernel: Kernel) async throws(FaultError) -> Bool {
        false
    }

    package static func endedEarly(_ undo: Undo, on kernel: Kernel) async -> String? { nil }

    package static func measureAfter(_ undo: Undo, on kernel: Kernel) async -> Effect? { nil }

    package func shadow(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> ShadowTraffic? { nil }
}

/// Runs a kernel call and passes its error on as a fault's, with "gone" told apart.
package func kernelCall<Value>(
    _ call: () throws(KernelError) -> Value
) throws(FaultError) -> Value {
    do throws(KernelError) {
        return try call()
    } catch {
        throw FaultError(error)
    }
}

extension FaultError {
    /// The fault's error for a kernel's.
    package init(_ error: KernelError) {
        self = error.kind == .gone ? .targetGone(error.description) : .kernel(error)
    }
}
