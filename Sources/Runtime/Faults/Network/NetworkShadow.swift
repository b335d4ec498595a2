// Which packets the faults of the network would hit: those that their rules match, whatever would carry these.

import ChaosModel

extension NetworkScope {
    /// The packets that a fault of this scope would hit on a target.
    func shadow(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> ShadowTraffic {
        let own = try kernelCall { () throws(KernelError) in try kernel.network.ownNamespace() }
        let namespace = try target.networkNamespace(own: own, on: kernel)
        let owner = try target.socketOwner(in: namespace, own: own, self, on: kernel)
        let ends = try await resolve(on: kernel)
        let protected = namespace.inode == own.inode ? context.protectedEndpoints : []
        let names = ends.names.map(\.name).joined(separator: ", ")
        return ShadowTraffic(
            namespace: namespace,
            pass: passes + protected.flatMap(Self.passes(for:)),
            match: try matches(ends, owner: owner),
            summary: summary,
            notes: protected.map { "leaves \($0.address) alone: \($0.reason)" }
                + (owner.map { [$0.change] } ?? [])
                + (names.isEmpty ? [] : ["names are looked up once: \(names)"])
        )
    }
}
