// The NFQUEUE half of traffic shaping: packets that match go to a queue that a worker of ours serves, with bypass.
//
// The worker is started when it is first needed and again when it has died: a worker that dies ends its faults by
// dying, and packets flow. Rates are bits of IP packets, headers and content, per second.

package import ChaosModel
import Synchronization

/// Traffic shaping by packet queues.
package final class LinuxQueueShaper: ShapingBackend {
    private typealias QueueClient = WorkerClient<QueueRequest, QueueReply>

    private struct State {
        var client: QueueClient?
        var obstacle: Result<String?, KernelError>?
    }

    private let command: [String]
    private let state = Mutex(State())

    /// Makes a shaper; `worker` is the program, with its arguments, that runs `QueueWorker.serve`.
    package init(worker command: [String]) { self.command = command }

    package func absence(in namespace: NetworkNamespace) throws(KernelError) -> String? {
        if let known = state.withLock({ $0.obstacle }) { return try known.get() }
        let found = try QueueProbe.obstacle(in: namespace)
        state.withLock { $0.obstacle = .success(found) }
        return found
    }

    /// What of the rules the engine cannot do; nil when it can all of it.
    package func obstacle(to rules: ShapingRules, in namespace: NetworkNamespace) -> String? {
        QueueLimits.obstacle(to: rules)
    }

    /// What it does otherwise than a reader of the rules might think.
    package func remarks(on rules: ShapingRules) -> [String] { [] }

    /// Begins to impair.
    package func shape(
        _ rules: ShapingRules,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        if let obstacle = QueueLimits.obstacle(to: rules) {
            throw KernelError(.unsupported, "shape packets as \(rules.name)", obstacle)
        }
        let client = try client()
        do throws(KernelError) {
            _ = try await client.ask(.shape(rules, in: namespace))
        } catch  where client.isGone {
            // It died before this, or of it; either way nothing of it is left.
            _ = try await self.client().ask(.shape(rules, in: namespace))
        }
    }

    /// Impairs more packets in the same way.
    package func widen(
        _ name: String,
        by matches: [PacketMatch],
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        guard let client = running() else {
            throw KernelError(.failed, "widen \(name)", "its worker has ended")
        }
        // Of these rules only name and matches count: how packets are impaired is known there.
        let rules = ShapingRules(
            name: name,
            pass: [],
            match: matches,
            impairment: Impairment(),
            seed: 0
        )
        _ = try await client.ask(.widen(rules, in: namespace))
    }

    /// Ends it; what waits goes on at once.
    ///
    /// Ending what is not there is no error.
    package func unshape(
        _ name: String,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        guard let client = running() else { return }
        do throws(KernelError) {
            _ = try await client.ask(.unshape(name, in: namespace))
        } catch  where client.isGone {}
    }

    /// What has happened so far; nil when rules of this name are not in force.
    package func count(
        _ name: String,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount? {
        guard let client = running() else { return nil }
        do throws(KernelError) {
            return try await client.ask(.count(name, in: namespace)).count
        } catch  where client.isGone {
            return nil
        }
    }

    /// Ends the worker as a crash would.
    func killWorker() { running()?.kill() }

    private func running() -> QueueClient? {
        state.withLock { state in
            if state.client?.isGone == true { state.client = nil }
            return state.client
        }
    }

    private func client() throws(KernelError) -> QueueClient {
        try state.withLock { state throws(KernelError) in
            if let client = state.client, !client.isGone { return client }
            let client = try QueueClient(command, name: "the packet worker")
            state.client = client
            return client
        }
    }
}
