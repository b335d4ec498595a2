// The NFQUEUE half of traffic shaping: packets that match go to a queue that a worker of ours serves, with bypass.
//
// The worker is started when it is first needed and again when it has died: a worker that dies ends its faults by
// dying, and packets flow. Rates are bits of IP packets, headers and content, per second.

package import ChaosModel
import Synchronization

/// Traffic shaping by packet queues.
package final class LinuxQueueShaper: ShapingBackend {
    private let carrier: FaultCarrier<QueueRequest, QueueReply>
    private let known = Mutex<Result<String?, KernelError>?>(nil)

    /// Makes a shaper; `worker` is the program, with its arguments, that runs `QueueWorker.serve`.
    package init(worker command: [String]) {
        carrier = FaultCarrier(command, name: "the packet worker")
    }

    package func absence(in namespace: NetworkNamespace) throws(KernelError) -> String? {
        if let known = known.withLock({ $0 }) { return try known.get() }
        let found = try QueueProbe.obstacle(in: namespace)
        known.withLock { $0 = .success(found) }
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
        try await carrier.begin(rules.name, .shape(rules, in: namespace))
    }

    /// Impairs more packets in the same way.
    package func widen(
        _ name: String,
        by matches: [PacketMatch],
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        // Of these rules only name and matches count: how packets are impaired is known there.
        let rules = ShapingRules(
            name: name,
            pass: [],
            match: matches,
            impairment: Impairment(),
            seed: 0
        )
        guard try await carrier.ask(.widen(rules, in: namespace)) != nil else {
            throw KernelError(.failed, "widen \(name)", "its worker has ended")
        }
    }

    /// Ends it; what waits goes on at once.
    ///
    /// Ending what is not there is no error.
    package func unshape(
        _ name: String,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try await carrier.end(name, .unshape(name, in: namespace))
    }

    /// What has happened so far; nil when rules of this name are not in force.
    package func count(
        _ name: String,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount? {
        try await carrier.ask(.count(name, in: namespace))?.count
    }

    /// Waits until its worker has ended while it was on, and says how.
    package func endedEarly(_ name: String) async -> String? { await carrier.endedEarly(name) }

    /// Ends the worker as a crash would.
    func killWorker() { carrier.kill() }
}
