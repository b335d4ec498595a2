// `noop`: a fault that does nothing. It goes through every step of a real one, which makes it the way to try
// a script, a policy or an installation without touching anything.

package import ChaosModel

/// A fault that changes nothing.
package struct Noop: Fault {
    /// Nothing to put back.
    package struct Undo: Codable, Sendable {}

    package static let descriptor = FaultDescriptor(
        name: "noop",
        summary: "Changes nothing: for trying scripts, policies and installations.",
        parameters: [],
        targets: [.host, .netns, .process],
        holder: .journal
    )

    package init(_ parameters: Parameters) {}

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        FaultPlan(changes: ["changes nothing on \(target)"], undo: Undo(), holder: .journal)
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {}

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        Effect("nothing to see")
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        []
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        Effect("nothing was changed")
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {}

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        Effect("nothing was changed")
    }
}
