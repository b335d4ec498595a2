// The worker: one process that owns the queues and tables of all leases of one agent, so that they end with it, and
// so that two hundred namespaces do not need two hundred processes. It ends when its input closes.

package import ChaosModel

/// The leases of a worker.
///
/// Used by one thread: it does what the lines ask in their order, while the loop's thread serves packets.
package final class QueueWorker {
    private struct Key: Hashable {
        var namespace: UInt64
        var name: String
    }

    private let loop: QueueLoop
    private var leases: [Key: QueueLease] = [:]
    /// Ended leases whose table stays, without rules, while packets wait in other leases of its namespace.
    private var retired: [Key: QueueLease] = [:]

    /// Makes a worker without leases.
    package init() throws(KernelError) { loop = try QueueLoop() }

    /// Serves the agent until its input closes, then lets everything go.
    package static func serve() async throws(KernelError) {
        let server = try WorkerServer()
        let worker = try QueueWorker()
        try await server.serve(worker.answer)
        worker.endAll()
    }

    private func answer(_ request: QueueRequest) throws(KernelError) -> QueueReply {
        switch request {
        case .shape(let rules, let namespace): try shape(rules, in: namespace)
        case .widen(let rules, let namespace): try widen(rules, in: namespace)
        case .unshape(let name, let namespace): try unshape(name, in: namespace)
        case .count(let name, let namespace):
            return QueueReply(count: try count(name, in: namespace))
        }
        return QueueReply()
    }

    /// Begins to impair.
    package func shape(_ rules: ShapingRules, in namespace: NetworkNamespace) throws(KernelError) {
        let key = Key(namespace: namespace.inode, name: rules.name)
        guard leases[key] == nil else {
            throw KernelError(
                .failed,
                "shape packets as \(rules.name)",
                "rules of this name are in force"
            )
        }
        if let earlier = retired.removeValue(forKey: key) { try earlier.removeTable() }
        let ordinals = (leases.filter { $0.key.namespace == key.namespace })
            .map(\.value.table.ordinal)
        leases[key] = try QueueLease(
            rules,
            ordinal: (ordinals.max() ?? -1) + 1,
            in: namespace,
            on: loop
        )
    }

    /// Impairs more packets as the rules of this name do already.
    package func widen(_ rules: ShapingRules, in namespace: NetworkNamespace) throws(KernelError) {
        guard let lease = leases[Key(namespace: namespace.inode, name: rules.name)] else {
            throw KernelError(.failed, "widen \(rules.name)", "it is not in force")
        }
        try lease.widen(rules)
    }

    /// Ends it; what waits goes on at once.
    package func unshape(_ name: String, in namespace: NetworkNamespace) throws(KernelError) {
        let key = Key(namespace: namespace.inode, name: name)
        guard let lease = leases[key] else { return }
        try lease.release()
        leases[key] = nil
        retired[key] = lease
        try removeRetired(in: namespace.inode)
        // Our sockets work there still; whether anybody else can is what counts.
        _ = try NamespaceFile.find(namespace)
    }

    /// What has happened so far; nil when there is no lease of this name.
    package func count(
        _ name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> ShapingCount? {
        try removeRetired(in: namespace.inode)
        return try leases[Key(namespace: namespace.inode, name: name)]?.count()
    }

    /// Lets everything go.
    package func endAll() {
        // The process ends, and with it whatever could not be removed here.
        for lease in leases.values { try? lease.release() }
        leases = [:]
        retired = [:]
    }

    /// Removes the tables of ended leases, unless packets wait in others of the namespace: the kernel would drop
    /// them with the chains.
    private func removeRetired(in namespace: UInt64) throws(KernelError) {
        let ended = retired.filter { $0.key.namespace == namespace }
        guard !ended.isEmpty else { return }
        let isWaiting = leases.contains { $0.key.namespace == namespace && $0.value.isWaiting }
        guard !isWaiting else { return }
        for (key, lease) in ended {
            try lease.removeTable()
            retired[key] = nil
        }
    }
}
