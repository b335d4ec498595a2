// `process.pause`: all threads of a process stand still. Two ways: SIGSTOP, which the kernel does not undo when we
// die, so that the undo is in the journal; and a ptrace stop, which ends when its tracer does. In both the identity
// of the process, not its pid or name, decides who is continued.

package import ChaosModel

/// Stops processes without ending them.
package struct ProcessPause: Fault {
    /// How a process is stopped.
    package enum Method: String, Codable, Sendable, CaseIterable {
        case signal, ptrace

        /// The letter of a process stopped this way in /proc.
        var state: Character { self == .signal ? "T" : "t" }
        /// What does it, for messages.
        var verb: String { self == .signal ? "SIGSTOP" : "a ptrace stop" }
    }

    /// The processes to continue.
    package struct Undo: Codable, Sendable {
        var process: ProcessIdentity
        var method: Method
        /// Whether its descendants are stopped too.
        var children: Bool
        /// The descendants that were there when it was planned.
        var others: [ProcessIdentity]
        /// Descendants that somebody else had stopped: not ours to continue.
        var stoppedBefore: [ProcessIdentity]
    }

    static let method = Parameter(
        "method",
        ParameterKind<String>.choice(Method.allCases.map(\.rawValue)),
        default: "signal",
        help:
            "\"signal\" (SIGSTOP, seen by its parent, undone from the journal) or \"ptrace\" (the kernel ends it "
            + "when the agent dies)."
    )
    static let children = Parameter(
        "children",
        ParameterKind<Bool>.boolean,
        default: false,
        help: "Stop its descendants too."
    )

    package static let descriptor = FaultDescriptor(
        name: "process.pause",
        summary: "Stops a process, by SIGSTOP or as its tracer, and continues it at the end.",
        parameters: [method.erased, children.erased],
        targets: [.process],
        holder: .journal,
        capabilities: [
            NeededCapability(
                "CAP_KILL",
                reason: "to signal processes of other users; your own need none"
            ),
            NeededCapability(
                "CAP_SYS_PTRACE",
                reason:
                    "with method = \"ptrace\", for processes of other users or where Yama asks for it"
            ),
        ]
    )

    /// How long the kernel may take to stop or continue all threads of a process.
    private static let settleLimit = Duration.seconds(2)
    /// A process that forks while its descendants are stopped is looked at again, so many times.
    private static let mostPasses = 20

    private let method: Method
    private let children: Bool

    package init(_ parameters: Parameters) throws(DefinitionError) {
        method = Method(rawValue: try parameters.value(Self.method)) ?? .signal
        children = try parameters.value(Self.children)
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let identity = try target.process(for: Self.descriptor.name)
        let process = try Self.state(of: identity, on: kernel)
        guard process.state != "T" else {
            throw .refused(
                "\(target) is stopped already, by somebody else: continuing it is not ours to do"
            )
        }
        let below = children ? try Self.below(identity, on: kernel) : []
        let stopped = below.filter { $0.state == "T" }.map(\.identity)
        let others = below.filter { $0.state != "T" }
        for process in [process] + others { try require(process, on: kernel) }
        let count = others.isEmpty ? "" : " and \(others.count) descendants"
        let end =
            method == .signal ? "SIGCONT at the end" : "the kernel lets go when the agent does"
        return FaultPlan(
            changes: ["stops \(target)\(count) with \(method.verb); \(end)"],
            undo: Undo(
                process: identity,
                method: method,
                children: children,
                others: others.map(\.identity),
                stoppedBefore: stopped
            ),
            holder: method == .signal ? .journal : .kernel,
            engine: method.rawValue
        )
    }

    /// Refuses, before anything is done, what the kernel would refuse.
    private func require(_ process: ProcessSnapshot, on kernel: Kernel) throws(FaultError) {
        let pid = process.identity.pid
        guard method == .ptrace else { return try process.requireSignalPermission(on: kernel) }
        let tracer = try kernelCall { () throws(KernelError) in
            try kernel.processes.tracer(of: process.identity)
        }
        if let tracer {
            throw .refused(
                "process \(pid) is traced by process \(tracer) already, and a process has one tracer: "
                    + "use method = \"signal\""
            )
        }
        let own = kernel.host.userID()
        guard process.userID != own, !kernel.host.hasCapability("CAP_SYS_PTRACE") else { return }
        throw .unavailable(
            "process \(pid) (\(process.displayName)) belongs to user \(process.userID): tracing it needs "
                + "CAP_SYS_PTRACE; run as root, or use method = \"signal\""
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        // The root first: a stopped process starts no others.
        guard try await Self.stop(undo.process, undo.method, on: kernel) else {
            throw .targetGone("process \(undo.process.pid) has ended")
        }
        var done = Set(undo.stoppedBefore + [undo.process])
        for other in undo.others {
            _ = try await Self.stop(other, undo.method, on: kernel)
            done.insert(other)
        }
        guard undo.children else { return }
        for _ in 0..<Self.mostPasses {
            let new = try Self.below(undo.process, on: kernel).map(\.identity).filter {
                !done.contains($0)
            }
            if new.isEmpty { return }
            for other in new {
                _ = try await Self.stop(other, undo.method, on: kernel)
                done.insert(other)
            }
        }
        throw .noEffect("the descendants of process \(undo.process.pid) multiply too fast to stop")
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let letter = undo.method.state
        let process = try await Self.settled(undo.process, on: kernel) { $0 == letter }
        guard process.state == letter else {
            throw .noEffect(
                "process \(undo.process.pid) is in state \(process.state) after \(undo.method.verb)"
            )
        }
        guard undo.children else { return Effect("state \(letter) in /proc", hit: true) }
        let below = try Self.below(undo.process, on: kernel).filter {
            !undo.stoppedBefore.contains($0.identity)
        }
        for other in below {
            guard
                let seen = try? await Self.settled(
                    other.identity,
                    on: kernel,
                    until: { $0 == letter }
                ),
                seen.state != letter
            else { continue }
            throw .noEffect(
                "process \(other.identity.pid), below \(undo.process.pid), is in state \(seen.state) after "
                    + undo.method.verb
            )
        }
        return Effect(
            "state \(letter) in /proc, of the process and \(below.count) descendants",
            figures: [Figure("stopped_processes", Double(below.count + 1))],
            hit: true
        )
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        ([undo.process] + undo.others).map { .process(identity: $0) }
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let process = try state(of: undo.process, on: kernel)
        guard process.state == undo.method.state else {
            return Effect("state \(process.state): somebody else continued it", hit: true)
        }
        return Effect("stopped until the end", hit: true)
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        var others = undo.others
        if undo.children {
            // Those that were started between the plan and the stop of their parent.
            let known = Set(undo.others + undo.stoppedBefore)
            others += try below(undo.process, on: kernel).filter {
                $0.state == undo.method.state && !known.contains($0.identity)
            }.map(\.identity)
        }
        for other in others { _ = try await resume(other, undo.method, on: kernel) }
        guard try await resume(undo.process, undo.method, on: kernel) else {
            throw .targetGone("process \(undo.process.pid) has ended")
        }
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        let letter = undo.method.state
        for other in undo.others {
            guard let seen = try? await settled(other, on: kernel, until: { $0 != letter }),
                seen.state == letter
            else { continue }
            throw .noEffect("process \(other.pid) is still in state \(letter)")
        }
        let process = try await settled(undo.process, on: kernel) { $0 != letter }
        guard process.state != letter else {
            let how = undo.method == .signal ? "after SIGCONT" : "after the tracer let it go"
            throw .noEffect("process \(undo.process.pid) is still in state \(letter) \(how)")
        }
        return Effect("runs again: state \(process.state) in /proc")
    }

    /// Stops one process; false when it has ended.
    private static func stop(
        _ process: ProcessIdentity,
        _ method: Method,
        on kernel: Kernel
    ) async throws(FaultError) -> Bool {
        do throws(KernelError) {
            return method == .signal
                ? try kernel.processes.signal(process, ProcessSignal.stop)
                : try await kernel.processes.hold(process)
        } catch {
            throw FaultError(error)
        }
    }

    /// Continues one process; false when it has ended.
    private static func resume(
        _ process: ProcessIdentity,
        _ method: Method,
        on kernel: Kernel
    ) async throws(FaultError) -> Bool {
        do throws(KernelError) {
            guard method == .ptrace else {
                return try kernel.processes.signal(process, ProcessSignal.resume)
            }
            // A tracer that has died has let go already, which is what a fresh process finds.
            try await kernel.processes.letGo(process)
            return try kernel.processes.snapshot(of: process) != nil
        } catch {
            throw FaultError(error)
        }
    }

    private static func below(
        _ process: ProcessIdentity,
        on kernel: Kernel
    ) throws(FaultError) -> [ProcessSnapshot] {
        try kernelCall { () throws(KernelError) in
            // Of a process that has ended no descendants are known: its pid may be another's.
            guard try kernel.processes.snapshot(of: process) != nil else { return [] }
            return try kernel.processes.descendants(of: [process])
        }
    }

    private static func state(of identity: ProcessIdentity, on kernel: Kernel) throws(FaultError)
        -> ProcessSnapshot
    {
        let process = try kernelCall { () throws(KernelError) in
            try kernel.processes.snapshot(of: identity)
        }
        guard let process else { throw .targetGone("process \(identity.pid) has ended") }
        return process
    }

    /// The process once its state is as wanted, or as it is after the limit.
    ///
    /// Only a parent can wait for a stop, so /proc is read again, at growing intervals.
    private static func settled(
        _ identity: ProcessIdentity,
        on kernel: Kernel,
        until isSettled: (Character) -> Bool
    ) async throws(FaultError) -> ProcessSnapshot {
        let deadline = kernel.time.now.advanced(by: settleLimit)
        var pause = Duration.microseconds(100)
        while true {
            let process = try state(of: identity, on: kernel)
            if isSettled(process.state) || kernel.time.now >= deadline { return process }
            // Cancelled or not, the state must be known: without sleep the loop ends at its deadline.
            try? await kernel.time.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(20))
        }
    }
}

extension ProcessPause.Undo {
    /// Reads an undo; a journal of an earlier version names the process alone.
    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        process = try fields.decode(ProcessIdentity.self, forKey: .process)
        method = try fields.decodeIfPresent(ProcessPause.Method.self, forKey: .method) ?? .signal
        children = try fields.decodeIfPresent(Bool.self, forKey: .children) ?? false
        others = try fields.decodeIfPresent([ProcessIdentity].self, forKey: .others) ?? []
        stoppedBefore =
            try fields.decodeIfPresent([ProcessIdentity].self, forKey: .stoppedBefore) ?? []
    }
}
