// `process.pause`: SIGSTOP, and SIGCONT at the end. The kernel does not undo a stop when we die, so the undo is
// in the journal and the identity of the process, not its pid, decides who is continued.

package import ChaosModel

/// Stops processes without ending them.
package struct ProcessPause: Fault {
    /// The process to continue.
    package struct Undo: Codable, Sendable {
        var process: ProcessIdentity
    }

    package static let descriptor = FaultDescriptor(
        name: "process.pause",
        summary: "Stops a process with SIGSTOP and continues it at the end.",
        parameters: [],
        targets: [.process],
        holder: .journal,
        capabilities: [
            NeededCapability(
                "CAP_KILL",
                reason: "to signal processes of other users; your own need none"
            )
        ]
    )

    /// How long the kernel may take to stop or continue all threads of a process.
    private static let settleLimit = Duration.seconds(2)

    package init(_ parameters: Parameters) {}

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let identity = try target.process(for: Self.descriptor.name)
        let process = try await Self.state(of: identity, on: kernel)
        guard process.state != "T" else {
            throw .refused(
                "\(target) is stopped already, by somebody else: continuing it is not ours to do"
            )
        }
        try process.requireSignalPermission(on: kernel)
        return FaultPlan(
            changes: ["stops \(target) with SIGSTOP; SIGCONT at the end"],
            undo: Undo(process: identity),
            holder: .journal
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try Self.signal(undo.process, ProcessSignal.stop, on: kernel)
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let process = try await Self.settled(undo.process, on: kernel) { $0 == "T" }
        guard process.state == "T" else {
            throw .noEffect(
                "process \(undo.process.pid) is in state \(process.state) after SIGSTOP"
            )
        }
        return Effect("state T in /proc", hit: true)
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let process = try await state(of: undo.process, on: kernel)
        guard process.state == "T" else {
            return Effect("state \(process.state): somebody else continued it", hit: true)
        }
        return Effect("stopped until the end", hit: true)
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try signal(undo.process, ProcessSignal.resume, on: kernel)
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        let process = try await settled(undo.process, on: kernel) { $0 != "T" }
        guard process.state != "T" else {
            throw .noEffect("process \(undo.process.pid) is still in state T after SIGCONT")
        }
        return Effect("runs again: state \(process.state) in /proc")
    }

    private static func signal(_ process: ProcessIdentity, _ signal: Int32, on kernel: Kernel)
        throws(FaultError)
    {
        let reached = try kernelCall { () throws(KernelError) in
            try kernel.processes.signal(process, signal)
        }
        guard reached else { throw .targetGone("process \(process.pid) has ended") }
    }

    private static func state(of identity: ProcessIdentity, on kernel: Kernel)
        async throws(FaultError)
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
            let process = try await state(of: identity, on: kernel)
            if isSettled(process.state) || kernel.time.now >= deadline { return process }
            // Cancelled or not, the state must be known: without sleep the loop ends at its deadline.
            try? await kernel.time.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(20))
        }
    }
}
