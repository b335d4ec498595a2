// What the faults have in common that a worker of the agent carries for all leases: traffic comes to it by a redirect that
// ends with it. Each family says how it is planned and what its worker counts; each fault, what happens.

package import ChaosModel

/// A fault that a worker of ours carries.
package protocol CarriedFault: Fault {
    /// What its worker counts.
    associatedtype Count: Sendable

    /// What carries it, in words: `proxy`.
    static var carrier: String { get }

    /// What it is called on the machine: `moonquake_` and the lease.
    static func name(of undo: Undo) -> String

    /// Begins it.
    static func begin(_ undo: Undo, on kernel: Kernel) async throws(KernelError)

    /// What was counted so far; nil when it is not in force.
    static func count(_ undo: Undo, on kernel: Kernel) async throws(KernelError) -> Count?

    /// Waits until it has ended with its worker and says how; nil when it was ended otherwise.
    static func carrierEnded(_ undo: Undo, on kernel: Kernel) async -> String?

    /// Ends it; what is not there is no error.
    static func end(_ undo: Undo, on kernel: Kernel) async throws(KernelError)

    /// What a count means; `seen` is what is known beside.
    static func effect(of count: Count, _ undo: Undo, _ seen: String) throws(FaultError) -> Effect
}

extension CarriedFault {
    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try await Self.kernelStep { () async throws(KernelError) in
            try await Self.begin(undo, on: kernel)
        }
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try await Self.effect(undo, "in force", on: kernel)
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try await effect(undo, "in force until the end", on: kernel)
    }

    package static func endedEarly(_ undo: Undo, on kernel: Kernel) async -> String? {
        await carrierEnded(undo, on: kernel)
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try await kernelStep { () async throws(KernelError) in try await end(undo, on: kernel) }
    }

    package static func verifyReverted(
        _ undo: Undo,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect {
        let count = try await kernelStep { () async throws(KernelError) -> Count? in
            try await Self.count(undo, on: kernel)
        }
        guard count == nil else {
            throw .noEffect("\(name(of: undo)) is still there after its removal")
        }
        return Effect("\(name(of: undo)) is gone")
    }

    static func effect(
        _ undo: Undo,
        _ seen: String,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect {
        let count = try await kernelStep { () async throws(KernelError) -> Count? in
            try await Self.count(undo, on: kernel)
        }
        guard let count else {
            throw .noEffect(
                "\(name(of: undo)) is not there: somebody removed it, or its \(carrier) ended"
            )
        }
        return try effect(of: count, undo, seen)
    }

    /// Runs a step of the kernel and passes its error on as a fault's.
    private static func kernelStep<Value>(
        _ step: () async throws(KernelError) -> Value
    ) async throws(FaultError) -> Value {
        do throws(KernelError) {
            return try await step()
        } catch {
            throw FaultError(error)
        }
    }
}
