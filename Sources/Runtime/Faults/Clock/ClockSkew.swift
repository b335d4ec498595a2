// `clock.skew`: the wall clock of one service is off, while the host's is true. Linux has no namespace for the wall
// clock (time namespaces shift the monotonic and the boot clock only), so the service is started through
// `moonquake wrap`, which puts a library before the C library's clock functions. docs/decisions/0023.

package import ChaosModel

/// Shifts the wall clock of a wrapped service.
package struct ClockSkew: Fault {
    /// The shift to end.
    package struct Undo: Codable, Sendable {
        var process: ProcessIdentity
        var inode: UInt64
        var nanoseconds: Int64
        /// How often a shifted time had been handed out before.
        var reads: UInt64
    }

    static let offset = Parameter(
        required: "offset",
        ParameterKind<Duration>.shift,
        help:
            "How far the service's clock is off: ahead, or behind with a minus, at most ten years."
    )

    package static let descriptor = FaultDescriptor(
        name: "clock.skew",
        summary: "Shifts the wall clock of a service that was started by `moonquake wrap`.",
        parameters: [offset.erased],
        targets: [.process],
        reach: .leader,
        holder: .kernel,
        needs: [
            "a target started by `moonquake wrap -- COMMAND…` that uses the C library's functions (no static "
                + "program, no Go)"
        ]
    )

    private let offset: Duration

    package init(_ parameters: Parameters) throws(DefinitionError) {
        offset = try parameters.value(Self.offset)
        guard offset != .zero else { throw parameters.error("offset must not be 0") }
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let process = try target.process(for: Self.descriptor.name)
        let clock = try Self.clock(of: process, on: kernel)
        guard let clock else {
            throw .unavailable(
                "clock.skew: \(target) has no clock that can be shifted: start it by `moonquake wrap -- COMMAND…`; "
                    + "static programs and Go cannot be wrapped"
            )
        }
        guard clock.offset == 0 else {
            throw .refused(
                "clock.skew: the clock of \(target) is off by \(Self.spelled(clock.offset)) already, by another lease"
            )
        }
        let nanoseconds = Int64((offset.inSeconds * 1e9).rounded())
        return FaultPlan(
            changes: [
                "shifts what \(target), and what else it was started with, reads by clock_gettime(CLOCK_REALTIME), "
                    + "gettimeofday, time and timespec_get by \(Self.spelled(nanoseconds)); not its monotonic clocks, "
                    + "direct system calls, or the times of files"
            ],
            undo: Undo(
                process: process,
                inode: clock.inode,
                nanoseconds: nanoseconds,
                reads: clock.reads
            ),
            holder: .kernel,
            engine: "preload"
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            try await kernel.clocks.shift(undo.process, by: undo.nanoseconds)
        } catch {
            throw FaultError(error)
        }
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let clock = try Self.clock(of: undo.process, on: kernel)
        guard clock?.offset == undo.nanoseconds else {
            throw .noEffect("the clock of process \(undo.process.pid) is not shifted")
        }
        return Effect("the shared clock says \(Self.spelled(undo.nanoseconds))")
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        [.process(identity: undo.process)]
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        guard let clock = try clock(of: undo.process, on: kernel) else {
            throw .targetGone("process \(undo.process.pid) runs another program now")
        }
        let reads = clock.reads &- undo.reads
        let seen =
            clock.offset == undo.nanoseconds
            ? "off by \(spelled(clock.offset)) until the end" : "the shift had ended before"
        return Effect(
            "\(seen); the clock was read \(reads) times",
            figures: [
                Figure("offset", Double(undo.nanoseconds) / 1e6, unit: "ms"),
                Figure("shifted_reads", Double(reads)),
            ],
            hit: reads > 0
        )
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            // An agent that has died shifts nothing any more, which is what a fresh process finds.
            try await kernel.clocks.unshift(undo.inode)
        } catch {
            throw FaultError(error)
        }
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        guard let clock = try clock(of: undo.process, on: kernel), clock.inode == undo.inode else {
            throw .targetGone("process \(undo.process.pid) runs another program now")
        }
        guard clock.offset != undo.nanoseconds else {
            throw .noEffect(
                "the clock of process \(undo.process.pid) is still off by \(spelled(clock.offset))"
            )
        }
        return Effect("the shared clock is true again")
    }

    private static func clock(of process: ProcessIdentity, on kernel: Kernel) throws(FaultError)
        -> ServiceClock?
    {
        try kernelCall { () throws(KernelError) in try kernel.clocks.clock(of: process) }
    }

    private static func spelled(_ nanoseconds: Int64) -> String {
        let span = Duration.nanoseconds(nanoseconds.magnitude)
        return (nanoseconds < 0 ? "-" : "+") + span.spelled
    }
}

extension ParameterKind where Value == Duration {
    /// A span ahead or behind.
    static var shift: ParameterKind {
        let decade = 86400.0 * 3652
        let quantity = Quantity(
            "duration",
            noun: "a duration such as \"5m\" or \"-1h\"",
            example: "5m",
            units: ["s"],
            allowed: "between -3652d and 3652d",
            range: -decade...decade,
            read: Units.seconds
        )
        return .quantity(quantity) { .seconds($0) }
    }
}
