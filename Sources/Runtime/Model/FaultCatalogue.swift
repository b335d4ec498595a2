// The faults that a program knows, without their Swift types: the agent and the command line work on these.

/// A fault without its Swift types; undos travel as `AnyUndo`.
package struct FaultType: Sendable {
    /// The description.
    package let descriptor: FaultDescriptor
    /// Reads the options together.
    package var make: @Sendable (Parameters) throws(DefinitionError) -> FaultInstance
    /// The parts of the machine that it changes.
    package let touches: @Sendable (AnyUndo) -> [StatePart]
    /// Measures what the fault did, just before its revert.
    package let effect: @Sendable (AnyUndo, Kernel) async throws(FaultError) -> Effect
    /// Waits until the fault has ended by itself, and says how.
    package let endedEarly: @Sendable (AnyUndo, Kernel) async -> String?
    /// Puts everything back.
    package var revert: @Sendable (AnyUndo, Kernel) async throws(FaultError) -> Void
    /// Measures that everything is back.
    package let verifyReverted: @Sendable (AnyUndo, Kernel) async throws(FaultError) -> Effect
    /// Measures, once everything is put back, what may take a moment.
    package let measureAfter: @Sendable (AnyUndo, Kernel) async -> Effect?

    /// Wraps a fault.
    package init<F: Fault>(_ type: F.Type) {
        descriptor = F.descriptor
        make = { parameters throws(DefinitionError) in FaultInstance(try F(parameters)) }
        touches = { undo in
            guard let undo: F.Undo = try? undo.value() else { return [] }
            return F.touches(undo)
        }
        effect = { undo, kernel throws(FaultError) in
            try await F.effect(try undo.value(), on: kernel)
        }
        endedEarly = { undo, kernel in
            guard let undo: F.Undo = try? undo.value() else { return nil }
            return await F.endedEarly(undo, on: kernel)
        }
        revert = { undo, kernel throws(FaultError) in
            try await F.revert(try undo.value(), on: kernel)
        }
        verifyReverted = { undo, kernel throws(FaultError) in
            try await F.verifyReverted(try undo.value(), on: kernel)
        }
        measureAfter = { undo, kernel in
            guard let undo: F.Undo = try? undo.value() else { return nil }
            return await F.measureAfter(undo, on: kernel)
        }
    }
}

/// A fault with its options, without its Swift types.
package struct FaultInstance: Sendable {
    /// Says what would change on a target.
    package var plan:
        @Sendable (Target, PlanContext, Kernel) async throws(FaultError) -> FaultPlan<
            AnyUndo
        >
    /// Makes the fault.
    package var inject: @Sendable (AnyUndo, Kernel) async throws(FaultError) -> Void
    /// Reads back whether it took effect.
    package let verify: @Sendable (AnyUndo, Kernel) async throws(FaultError) -> Effect
    /// Looks after the fault while it is on.
    package var followUp: @Sendable (AnyUndo, Kernel) async throws(FaultError) -> FollowUp<AnyUndo>?
    /// How often it is made again while it is on; nil for once.
    package let every: Duration?
    /// Makes it again, on what the selector matches by now.
    package let again: @Sendable (Target, Kernel) async throws(FaultError) -> Bool

    init<F: Fault>(_ fault: F) {
        plan = { target, context, kernel throws(FaultError) in
            let plan = try await fault.plan(target, in: context, on: kernel)
            return FaultPlan(
                changes: plan.changes,
                undo: AnyUndo(plan.undo),
                holder: plan.holder,
                engine: plan.engine
            )
        }
        inject = { undo, kernel throws(FaultError) in
            try await fault.inject(try undo.value(), on: kernel)
        }
        verify = { undo, kernel throws(FaultError) in
            try await fault.verify(try undo.value(), on: kernel)
        }
        followUp = { undo, kernel throws(FaultError) in
            let next = try await fault.followUp(try undo.value(), on: kernel)
            guard let next else { return nil }
            return FollowUp(
                undo: AnyUndo(next.undo),
                seen: next.seen,
                again: next.again
            )
        }
        every = fault.every
        again = { target, kernel throws(FaultError) in
            try await fault.again(target, on: kernel)
        }
    }
}

/// The faults that a program knows, by name.
package struct FaultCatalogue: Sendable {
    /// All, in the order of the docs.
    package let types: [FaultType]
    private let byName: [String: FaultType]

    /// Makes a catalogue.
    ///
    /// - Parameters:
    ///   - types: The faults.
    ///   - shadows: What counts instead of them, under names with `shadowPrefix`.
    package init(_ types: [FaultType], shadows: [FaultType] = []) {
        self.types = types
        byName = Dictionary((types + shadows).map { ($0.descriptor.name, $0) }) { first, _ in first
        }
    }

    /// The same faults, each as `change` makes it; without shadows.
    package func map(_ change: (FaultType) -> FaultType) -> FaultCatalogue {
        FaultCatalogue(types.map(change))
    }

    /// The same for definitions, which cannot name shadows.
    package var withoutShadows: FaultCatalogue { FaultCatalogue(types) }

    /// A fault by its name, or what shadows one; nil when there is none.
    package subscript(_ name: String) -> FaultType? { byName[name] }

    /// Checks a spec against its descriptor: name, target kind, each option, and the options together.
    package func instance(_ spec: FaultSpec) throws(DefinitionError) -> (FaultInstance, Parameters)
    {
        guard let type = byName[spec.fault] else {
            let shown = spec.fault.escapedForDisplay
            let hint = NearestName.hint(for: spec.fault, among: types.map(\.descriptor.name))
            throw DefinitionError("fault", "unknown fault \"\(shown)\"\(hint)", at: spec.location)
        }
        let descriptor = type.descriptor
        _ = try spec.target.validated()
        guard descriptor.allTargets.contains(spec.target.kind) else {
            let allowed = descriptor.allTargets.map { "target.\($0.rawValue)" }.joined(
                separator: ", "
            )
            throw DefinitionError(
                spec.fault,
                "target must be one of \(allowed), got target.\(spec.target.kind.rawValue)",
                at: spec.location
            )
        }
        let parameters = try descriptor.parameterSet.validate(spec.options, at: spec.location)
        return (try type.make(parameters), parameters)
    }
}
