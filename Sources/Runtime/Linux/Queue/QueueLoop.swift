// The loop that serves the queues of this process, and its lanes: owners of what CPacketQueue makes.

import CPacketQueue
import ChaosModel
import ChaosThreads
import Dispatch
import Glibc
import Synchronization

/// The loop, on a thread of its own for as long as the object lives.
final class QueueLoop: Sendable {
    // SAFETY: the C side guards everything with its own lock; freed only after the thread has ended.
    nonisolated(unsafe) fileprivate let pointer: OpaquePointer
    private let ended = DispatchSemaphore(value: 0)

    init() throws(KernelError) {
        guard let opened = pq_loop_open() else { throw .system(errno, "open a packet loop") }
        pointer = opened
        let address = UInt(bitPattern: opened)
        do throws(KernelError) {
            try OwnThread.start { [ended] in
                if let loop = OpaquePointer(bitPattern: address) { pq_loop_run(loop) }
                ended.signal()
            }
        } catch {
            pq_loop_close(opened)
            throw error
        }
    }

    deinit {
        pq_loop_stop(pointer)
        ended.wait()
        pq_loop_close(pointer)
    }
}

/// One direction of one lease: a queue of the kernel and what happens to its packets.
final class QueueLane: Sendable {
    private static let closing = DispatchQueue(label: "moonquake.queues.close")

    /// The number of the queue.
    let number: UInt16
    /// Whether packets beyond the capacity pass.
    let failsOpen: Bool
    private let loop: QueueLoop
    // SAFETY: the C side guards everything with its loop's lock; closed once, by this object's end.
    nonisolated(unsafe) private let pointer: OpaquePointer

    /// Opens a lane in the namespace of the calling thread.
    init(
        _ direction: PacketDirection,
        of rules: ShapingRules,
        copyPriority: UInt32,
        on loop: QueueLoop
    ) throws(KernelError) {
        let impairment = pq_impairment(rules)
        var options = pq_lane_options()
        options.impairment = impairment
        options.is_egress = direction == .egress
        options.capacity = UInt32(QueueLimits.capacity)
        // Where nothing may get through, nothing does, however much comes.
        let losesAll = impairment.loss_kind == PQ_LOSS_RANDOM && impairment.loss.0 >= 1
        options.fails_open = !losesAll
        options.copy_priority = copyPriority
        var lane: OpaquePointer?
        let code = pq_lane_open(loop.pointer, &options, &lane)
        guard code == 0, let lane else {
            throw .system(code, "bind a packet queue", needs: NftContext.neededPrivilege)
        }
        pointer = lane
        number = pq_lane_number(lane)
        failsOpen = options.fails_open
        self.loop = loop
    }

    deinit {
        let sockets = pq_lane_close(pointer)
        Self.closing.async { pq_close(sockets) }
    }

    /// What it has done so far.
    var counts: pq_counts {
        var counts = pq_counts()
        pq_lane_count(pointer, &counts)
        return counts
    }

    /// Adds the connections that it has seen, where it takes a share of them.
    func addConnections(to sum: inout pq_connections) { pq_lane_connections(pointer, &sum) }

    /// Lets everything go that waits, and whatever comes from now on.
    func release() { pq_lane_release(pointer) }

    /// Closes a descriptor where nobody waits for the kernel.
    static func closeLater(_ descriptor: Int32) { closing.async { Glibc.close(descriptor) } }

    /// Waits until all that is to be closed is closed.
    static func finishClosing() { closing.sync {} }
}

extension TrafficShare {
    /// The connections that were seen, and those of them that were taken.
    init(_ connections: pq_connections) {
        func count<Parts>(_ parts: Parts) -> UInt64 {
            withUnsafeBytes(of: parts) { bytes in
                UInt64(
                    pq_connection_count(bytes.assumingMemoryBound(to: UInt64.self).baseAddress)
                        .rounded()
                )
            }
        }
        self.init(.connections, matched: count(connections.seen), hit: count(connections.taken))
    }
}

extension pq_impairment {
    /// The C side's form of an impairment.
    init(_ rules: ShapingRules) {
        self.init()
        seed = rules.seed
        traffic = rules.traffic
        by_connection = rules.byConnection
        let impairment = rules.impairment
        if let delay = impairment.delay { set(delay) }
        if let loss = impairment.loss { set(loss) }
        duplicate = Self.share(impairment.duplicate)
        corrupt = Self.share(impairment.corrupt)
        reorder = Self.share(impairment.reorder)
        guard let rate = impairment.rate else { return }
        rate_bits = rate.bitsPerSecond
        burst_bytes = Double(rate.burstBytes)
        limit_bytes = Double(rate.limitBytes)
    }

    private mutating func set(_ delay: PacketDelay) {
        delay_ns = delay.delayMs * 1e6
        jitter_ns = delay.jitterMs * 1e6
        delay_correlation = delay.correlation
        preserve_order = delay.preserveOrder
        distribution =
            switch delay.distribution {
            case .uniform: PQ_UNIFORM
            case .normal: PQ_NORMAL
            case .pareto: PQ_PARETO
            }
    }

    private mutating func set(_ given: PacketLoss) {
        switch given {
        case .random(let share, let correlation):
            loss_kind = PQ_LOSS_RANDOM
            loss = (share, correlation, 0, 0, 0)
        case .gilbertElliott(let bad, let good, let lossInBad, let lossInGood):
            loss_kind = PQ_LOSS_GILBERT_ELLIOTT
            loss = (bad, good, lossInBad, lossInGood, 0)
        case .fourState(let p13, let p31, let p32, let p23, let p14):
            loss_kind = PQ_LOSS_FOUR_STATE
            loss = (p13, p31, p32, p23, p14)
        }
    }

    private static func share(_ share: PacketShare?) -> pq_share {
        share.map { pq_share(share: $0.share, correlation: $0.correlation) } ?? pq_share()
    }
}
