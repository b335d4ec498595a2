// The shaping port: which engine works here, and each call to its engine.

package import ChaosModel

/// One way to impair packets on Linux.
protocol ShapingBackend: Sendable {
    /// Why it does not work here, and how to get it; nil when it does.
    ///
    /// Tried out where nobody else is, once.
    func absence(in namespace: NetworkNamespace) throws(KernelError) -> String?

    /// What it cannot do of the rules, beside what it does there already, in words; reads only.
    func obstacle(to rules: ShapingRules, in namespace: NetworkNamespace) throws(KernelError)
        -> String?

    /// What it does otherwise than a reader of the rules might think, one sentence each.
    func remarks(on rules: ShapingRules) -> [String]

    /// Begins to impair.
    func shape(_ rules: ShapingRules, in namespace: NetworkNamespace) async throws(KernelError)

    /// Impairs more packets in the same way.
    func widen(_ name: String, by matches: [PacketMatch], in namespace: NetworkNamespace)
        async throws(KernelError)

    /// Ends it; what is not there is no error.
    func unshape(_ name: String, in namespace: NetworkNamespace) async throws(KernelError)

    /// What has happened so far; nil when it is not in force.
    func count(_ name: String, in namespace: NetworkNamespace) async throws(KernelError)
        -> ShapingCount?

    /// Waits until what carries it has ended while it was on, and says how; nil where nothing does, or it was ended.
    func endedEarly(_ name: String) async -> String?
}

extension ShapingBackend {
    func endedEarly(_ name: String) async -> String? { nil }
}

/// Traffic shaping on Linux.
package final class LinuxTrafficShaper: TrafficShapingPort {
    private let backends: [ShapingEngine: any ShapingBackend]

    /// Makes a shaper.
    ///
    /// - Parameter worker: The program, with its arguments, that runs `QueueWorker.serve`.
    package init(worker: [String]) {
        backends = [.netem: NetemBackend(), .nfqueue: LinuxQueueShaper(worker: worker)]
    }

    package func engines(in namespace: NetworkNamespace) throws(KernelError) -> ShapingEngines {
        _ = try NamespaceFile.open(namespace)
        var engines = ShapingEngines(working: [], reasons: [:])
        for engine in ShapingEngine.allCases {
            if let absence = try absence(of: engine, in: namespace) {
                engines.reasons[engine] = absence
            } else {
                engines.working.append(engine)
            }
        }
        return engines
    }

    package func obstacle(
        to rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> String? {
        guard let backend = backends[engine] else { return Self.missing }
        return try backend.obstacle(to: rules, in: namespace)
    }

    package func remarks(on rules: ShapingRules, with engine: ShapingEngine) -> [String] {
        backends[engine]?.remarks(on: rules) ?? []
    }

    private static let missing = "not in this version"

    private func absence(
        of engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> String? {
        guard let backend = backends[engine] else { return Self.missing }
        return try backend.absence(in: namespace)
    }

    package func shape(
        _ rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try await backend(engine).shape(rules, in: namespace)
    }

    package func widen(
        _ name: String,
        by matches: [PacketMatch],
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try await backend(engine).widen(name, by: matches, in: namespace)
    }

    package func unshape(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try await backend(engine).unshape(name, in: namespace)
    }

    package func count(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount? {
        try await backend(engine).count(name, in: namespace)
    }

    package func endedEarly(_ name: String, with engine: ShapingEngine) async -> String? {
        await backends[engine]?.endedEarly(name)
    }

    private func backend(_ engine: ShapingEngine) throws(KernelError) -> any ShapingBackend {
        guard let backend = backends[engine] else {
            throw KernelError(
                .unsupported,
                "shape traffic with \(engine.rawValue)",
                Self.missing
            )
        }
        return backend
    }
}
