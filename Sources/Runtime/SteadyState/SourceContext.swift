// What metric sources need of the rest of the program, as values and closures, so that this module depends on none of it.

package import ChaosModel

/// The surroundings of metric sources.
package struct SourceContext: Sendable {
    /// The machine, for time and processes.
    package var kernel: Kernel
    /// Moves the calling thread into a named network namespace, for probes with `netns`.
    package var enterNamespace: @Sendable (_ name: String) throws -> Void
    /// The value of a Lua function, by the name of its metric.
    package var evaluateLua: @Sendable (_ metric: String) async -> Reading
    /// The processes that a selector matches now; an empty list when there are none.
    package var resolve: @Sendable (TargetSelector) async throws -> [ProcessIdentity]

    /// Makes surroundings from their parts.
    package init(
        kernel: Kernel,
        enterNamespace: @escaping @Sendable (_ name: String) throws -> Void,
        evaluateLua: @escaping @Sendable (_ metric: String) async -> Reading,
        resolve: @escaping @Sendable (TargetSelector) async throws -> [ProcessIdentity]
    ) {
        self.kernel = kernel
        self.enterNamespace = enterNamespace
        self.evaluateLua = evaluateLua
        self.resolve = resolve
    }
}
