// `process.kill`: ends processes. Nothing can undo that; what "rollback" means is said by `restart`: nothing, a
// check that a supervisor brought the process back, or a command that does.

package import ChaosModel

/// Ends processes with a signal.
package struct ProcessKill: Fault {
    /// The process that was ended, and how to know its successor.
    package struct Undo: Codable, Sendable {
        var process: ProcessIdentity
        var executable: String?
        var arguments: [String]
        /// Processes that looked the same before the kill; they are not successors.
        var siblings: [ProcessIdentity]
        var signal: Int32
        var restart: Restart
        var restartWithinMs: Double
    }

    static let signal = Parameter(
        "signal",
        ParameterKind<String>.choice(ProcessSignal.byName.keys.sorted()),
        default: "KILL",
        help: "The signal."
    )
    static let restart = Parameter(
        "restart",
        Restart.kind,
        default: "none",
        help:
            "At rollback: \"none\", \"supervised\" (check that a supervisor brought it back), or the arguments "
            + "of a command that starts it."
    )
    static let restartWithin = Parameter(
        "restart_within",
        ParameterKind<Duration>.duration(to: .seconds(600)),
        default: "10s",
        help: "How long the process may take to be back at rollback."
    )

    static let every = Parameter(
        "every",
        ParameterKind<Duration>.duration(from: .milliseconds(50), to: .seconds(86400)),
        help:
            "Kill again at this interval while the fault is on: each time what the target's selector matches then, "
            + "as many as at first."
    )

    package static let descriptor = FaultDescriptor(
        name: "process.kill",
        summary:
            "Ends a process with a signal; nothing can undo it, `restart` says what rollback does.",
        parameters: [signal.erased, every.erased, restart.erased, restartWithin.erased],
        targets: [.process],
        holder: .nothing,
        capabilities: [
            NeededCapability(
                "CAP_KILL",
                reason: "to signal processes of other users; your own need none"
            )
        ]
    )

    /// How long a process may take to end after its signal.
    private static let endLimit = Duration.seconds(5)

    package let every: Duration?

    private let signal: Int32
    private let restart: Restart
    private let restartWithin: Duration

    package init(_ parameters: Parameters) throws(DefinitionError) {
        signal = ProcessSignal.byName[try parameters.value(Self.signal)] ?? 9
        every = parameters[Self.every]
        restart = try parameters.value(Self.restart)
        restartWithin = try parameters.value(Self.restartWithin)
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let identity = try target.process(for: Self.descriptor.name)
        let found = try kernelCall { () throws(KernelError) in
            try kernel.processes.snapshot(of: identity)
        }
        guard let process = found else { throw .targetGone("process \(identity.pid) has ended") }
        try process.requireSignalPermission(on: kernel)
        let twins = try Self.lookAlikes(process.executable, process.arguments, on: kernel)
        let undo = Undo(
            process: identity,
            executable: process.executable,
            arguments: process.arguments,
            siblings: twins.filter { $0 != identity },
            signal: signal,
            restart: restart,
            restartWithinMs: restartWithin.inMilliseconds
        )
        return FaultPlan(
            changes: [
                "ends \(target) with signal \(signal)\(repeats), which nothing can undo; \(restart.promise)"
            ],
            undo: undo,
            holder: .nothing
        )
    }

    private var repeats: String {
        every.map { ", and every \($0.spelled) what the selector matches then" } ?? ""
    }

    package func again(_ target: Target, on kernel: Kernel) async throws(FaultError) -> Bool {
        let process = try target.process(for: Self.descriptor.name)
        let reached = try kernelCall { () throws(KernelError) in
            try kernel.processes.signal(process, signal)
        }
        guard reached else { return false }
        try await requireEnd(of: process, on: kernel)
        return true
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        let reached = try kernelCall { () throws(KernelError) in
            try kernel.processes.signal(undo.process, undo.signal)
        }
        guard reached else {
            throw .targetGone("process \(undo.process.pid) had ended before the signal")
        }
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try await requireEnd(of: undo.process, on: kernel)
        return Effect("process \(undo.process.pid) has ended", hit: true)
    }

    /// Waits at its pidfd until a process has ended.
    private func requireEnd(of process: ProcessIdentity, on kernel: Kernel)
        async throws(FaultError)
    {
        let ended: Bool
        do throws(KernelError) {
            ended = try await kernel.processes.ended(process, within: Self.endLimit)
        } catch {
            throw FaultError(error)
        }
        guard ended else {
            throw .noEffect(
                "process \(process.pid) is alive \(Self.endLimit.spelled) after signal \(signal)"
            )
        }
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        []
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let successors = try successors(of: undo, on: kernel)
        return Effect("ended", figures: [Figure("successors", Double(successors.count))], hit: true)
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        guard case .command(let arguments) = undo.restart,
            try kernelCall({ () throws(KernelError) in
                try kernel.processes.snapshot(of: undo.process)
            }) == nil,
            try successors(of: undo, on: kernel).isEmpty
        else { return }
        _ = try kernelCall { () throws(KernelError) in try kernel.processes.start(arguments) }
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        guard undo.restart != .nothing else {
            return Effect("nothing was to be put back (restart = \"none\")")
        }
        if try kernelCall({ () throws(KernelError) in
            try kernel.processes.snapshot(of: undo.process)
        }) != nil {
            return Effect("process \(undo.process.pid) was never ended")
        }
        let deadline = kernel.time.now.advanced(by: .milliseconds(Int64(undo.restartWithinMs)))
        var pause = Duration.milliseconds(5)
        while true {
            if let successor = try successors(of: undo, on: kernel).first {
                return Effect("back as process \(successor.pid)")
            }
            guard kernel.time.now < deadline else { break }
            // Only a parent is told of new processes, so /proc is read again, at growing intervals.
            try? await kernel.time.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(100))
        }
        let name = undo.arguments.first ?? "process \(undo.process.pid)"
        throw .noEffect(
            "\(name) was not back \(Duration.milliseconds(Int64(undo.restartWithinMs)).spelled) after the rollback"
        )
    }

    private static func successors(of undo: Undo, on kernel: Kernel) throws(FaultError)
        -> [ProcessIdentity]
    {
        let known = Set(undo.siblings + [undo.process])
        return try lookAlikes(undo.executable, undo.arguments, on: kernel).filter {
            !known.contains($0)
        }
    }

    private static func lookAlikes(
        _ executable: String?,
        _ arguments: [String],
        on kernel: Kernel
    ) throws(FaultError) -> [ProcessIdentity] {
        try kernelCall { () throws(KernelError) in
            var found: [ProcessIdentity] = []
            for pid in try kernel.processes.pids() {
                guard let process = try kernel.processes.snapshot(pid: pid), process.state != "Z",
                    process.arguments == arguments, process.executable == executable
                else { continue }
                found.append(process.identity)
            }
            return found
        }
    }
}
