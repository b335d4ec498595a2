// One lease at work: its table, owned by its own socket, and a lane for each direction.

import CPacketQueue
import ChaosModel
import Glibc

/// The rules and queues of one lease.
final class QueueLease {
    /// What one direction has done.
    private struct Directed {
        var direction: PacketDirection
        var lane: QueueLane
    }

    let table: QueueTable
    private var socket: RuleSocket
    private var lanes: [Directed]
    private let namespace: NetworkNamespace
    private let share: Double
    private let isByConnection: Bool
    private var isTablePresent = true

    /// Makes lanes and table in a namespace.
    ///
    /// The lanes come first: rules never queue to a number that nobody serves.
    init(
        _ rules: ShapingRules,
        ordinal: Int32,
        in namespace: NetworkNamespace,
        on loop: QueueLoop
    ) throws(KernelError) {
        let makesCopies = (rules.impairment.duplicate?.share ?? 0) > 0
        let table = QueueTable(
            try QueueLimits.plan(of: rules),
            ordinal: ordinal,
            makesCopies: makesCopies
        )
        let opened = try LinuxNamespaces.within(namespace) { () throws(KernelError) in
            try Opened(rules, table, on: loop)
        }
        self.table = table
        self.namespace = namespace
        share = rules.traffic
        isByConnection = rules.byConnection
        socket = opened.takeSocket()
        lanes = opened.lanes.map { Directed(direction: $0.key, lane: $0.value) }
        let operation = "add nft table \(table.plan.name) in \(namespace.path)"
        let numbers = opened.lanes.mapValues(\.number)
        do throws(KernelError) {
            try QueueExpressions.add(table, queues: numbers, with: socket, operation)
        } catch {
            isTablePresent = false
            throw error
        }
    }

    /// Whether packets wait in it.
    var isWaiting: Bool { lanes.contains { $0.lane.counts.waiting > 0 } }

    /// What has happened so far; nil when the table is not there any more.
    func count() throws(KernelError) -> ShapingCount? {
        guard let passes = try socket.packets(table) else { return nil }
        var count = ShapingCount()
        var received: UInt64 = 0
        var released: UInt64 = 0
        var waited = 0.0
        var apart: UInt64 = 0
        var outside: UInt64 = 0
        var isComplete = true
        for directed in lanes {
            let counts = directed.lane.counts
            received += counts.received
            released += counts.released
            waited += counts.waited_ns
            apart += counts.repeated + counts.outside
            outside += counts.outside
            isComplete = isComplete && counts.is_complete
            count.bypassed += counts.bypassed
            count.dropped += counts.dropped + counts.refused
            count.duplicated += counts.duplicated
            count.corrupted += counts.corrupted
            count.reordered += counts.reordered
        }
        // The counter was read first, so what came in between only makes `received` the larger.
        let missed = isComplete && passes > received ? passes - received : 0
        count.matched = max(passes, received) - apart
        if lanes.allSatisfy(\.lane.failsOpen) {
            count.bypassed += missed
        } else {
            count.dropped += missed
        }
        count.meanDelayMs = released > 0 ? waited / Double(released) / 1e6 : nil
        if share < 1 { count.traffic = isByConnection ? connections : packets(count, outside) }
        return count
    }

    private func packets(_ count: ShapingCount, _ outside: UInt64) -> TrafficShare {
        TrafficShare(
            .packets,
            matched: count.matched + outside,
            hit: count.matched - min(count.matched, count.bypassed)
        )
    }

    /// Both directions see the same connections.
    private var connections: TrafficShare {
        var sum = pq_connections()
        for directed in lanes { directed.lane.addConnections(to: &sum) }
        return TrafficShare(sum)
    }

    /// Queues more packets, to the lanes that are there.
    func widen(_ rules: ShapingRules) throws(KernelError) {
        let numbers = Dictionary(uniqueKeysWithValues: lanes.map { ($0.direction, $0.lane.number) })
        try QueueExpressions.widen(
            table,
            by: try QueueLimits.plan(of: rules),
            queues: numbers,
            with: socket,
            "widen nft table \(table.plan.name) in \(namespace.path)"
        )
    }

    /// Takes the rules out, so that no more packets come, and lets go what waits.
    func release() throws(KernelError) {
        let operation = "remove the rules of nft table \(table.plan.name) in \(namespace.path)"
        do throws(KernelError) {
            try socket.change(table.emptied, operation)
        } catch  where error.kind == .gone {
            isTablePresent = false
        }
        for directed in lanes { directed.lane.release() }
    }

    /// Removes the table.
    ///
    /// What waits in other leases of the namespace is lost by that, in the kernel.
    func removeTable() throws(KernelError) {
        guard isTablePresent else { return }
        let operation = "remove nft table \(table.plan.name) in \(namespace.path)"
        do throws(KernelError) {
            try socket.change(table.removed, operation)
        } catch  where error.kind == .gone {}
        isTablePresent = false
        lanes = []
    }

    deinit { QueueLane.closeLater(socket.release()) }

    /// What a thread in the namespace has opened.
    private final class Opened: Sendable {
        let lanes: [PacketDirection: QueueLane]
        private let socket: Int32

        init(_ rules: ShapingRules, _ table: QueueTable, on loop: QueueLoop) throws(KernelError) {
            var opened = try RuleSocket()
            var lanes: [PacketDirection: QueueLane] = [:]
            for direction in PacketDirection.allCases where table.queues(direction) {
                lanes[direction] = try QueueLane(
                    direction,
                    of: rules,
                    copyPriority: table.copyPriority,
                    on: loop
                )
            }
            guard !lanes.isEmpty else {
                throw KernelError(.failed, "shape packets as \(rules.name)", "nothing is matched")
            }
            self.lanes = lanes
            socket = opened.release()
        }

        func takeSocket() -> RuleSocket { RuleSocket(taking: socket) }
    }
}

/// Which of the kernel's expressions queue; found out once.
enum QueueExpressions {
    private static let found = Shared<QueueExpression?>(nil)

    /// Adds rules to a table, by the expression that made it.
    static func widen(
        _ table: QueueTable,
        by plan: RulePlan,
        queues: [PacketDirection: UInt16],
        with socket: borrowing RuleSocket,
        _ operation: String
    ) throws(KernelError) {
        guard let expression = found.value else {
            throw KernelError(.failed, operation, "no table was made yet")
        }
        let batch = table.widened(by: plan, queues: queues, with: expression)
        guard batch.last > 0 else { return }
        try socket.change(batch, operation)
    }

    /// Adds a table by the first expression that the kernel knows.
    static func add(
        _ table: QueueTable,
        queues: [PacketDirection: UInt16],
        with socket: borrowing RuleSocket,
        _ operation: String
    ) throws(KernelError) {
        let candidates = found.value.map { [$0] } ?? QueueExpression.allCases
        var first: KernelError?
        for expression in candidates {
            do throws(KernelError) {
                try socket.change(table.created(queues: queues, by: expression), operation)
                found.value = expression
                return
            } catch {
                // An expression that the kernel does not have is "no such file".
                guard error.kind == .gone || error.kind == .unsupported else { throw error }
                first = first ?? error
            }
        }
        throw KernelError(
            .unsupported,
            operation,
            "the kernel has neither nft's `queue` nor the target NFQUEUE (\(first?.reason ?? ""))"
        )
    }
}
