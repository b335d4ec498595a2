// Whether the engine works here, tried out in a namespace made for it.

import ChaosModel

/// The try-out.
enum QueueProbe {
    /// Why the engine does not work; nil when it does.
    static func obstacle(in namespace: NetworkNamespace) throws(KernelError) -> String? {
        _ = try NamespaceFile.open(namespace)
        do throws(KernelError) {
            return try LinuxNamespaces.withinNew { () throws(KernelError) in tryOut() }
        } catch {
            return try LinuxNamespaces.within(namespace) { () throws(KernelError) in tryOut() }
        }
    }

    /// Makes and ends a lease for addresses that are nobody's, in the namespace of the calling thread.
    private static func tryOut() -> String? {
        do throws(KernelError) {
            let here = "/proc/thread-self/ns/net"
            guard let inode = NamespaceFile.inode(of: here) else {
                return "\(here) cannot be read: is /proc mounted?"
            }
            let lease = try QueueLease(
                sample(),
                ordinal: 0,
                in: NetworkNamespace(path: here, inode: inode),
                on: try QueueLoop()
            )
            try lease.release()
            try lease.removeTable()
            return nil
        } catch {
            return reason(error)
        }
    }

    private static func reason(_ error: KernelError) -> String {
        guard error.kind == .unsupported || error.kind == .failed else { return error.reason }
        return """
            \(error.operation): \(error.reason); needs Linux 5.12 with the modules nf_tables, nfnetlink_queue and \
            nft_queue (or nft_compat and xt_NFQUEUE)
            """
    }

    private static func sample() -> ShapingRules {
        let number = String(UInt32.random(in: .min ... .max), radix: 16)
        let addresses = ["192.0.2.1", "2001:db8::1"].compactMap { NetworkAddress($0) }
        return ShapingRules(
            name: "\(RulePlan.namePrefix)probe_\(number)",
            pass: [],
            match: addresses.flatMap { address in
                PacketDirection.allCases.map { PacketMatch($0, remote: [address]) }
            },
            impairment: Impairment(delay: PacketDelay(delayMs: 1)),
            seed: 1
        )
    }
}
