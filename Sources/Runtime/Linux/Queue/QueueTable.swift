// The table of a lease: one chain where packets come in and one where they go out, both at the outer edge, so that
// rules see addresses as they are on the wire and each packet once per direction.
//
// - Going out, after everything else: rules of others have judged the packet already, by its sender too, whom it
//   loses while it waits (receive.c).
// - A packet that both directions of one lease match (it passes through the namespace, or goes round by the
//   loopback interface) is queued by the first and passed by the second.
// - Copies of ours carry a priority; the lease that made one takes it off and lets the copy pass, leases before
//   pass it on, so that each lease impairs it once, as the original.
// - The counter is the kernel's: it also counts what the engine could not take.

import ChaosModel

/// The nf_tables messages of a lease.
struct QueueTable {
    /// The counter's name in the table.
    static let counter = "matched"
    /// More would be a slow list that every packet walks.
    static let mostRules = 4096
    /// How many leases of one namespace keep their order.
    static let mostOrdinals: Int32 = 80

    private static let copies: UInt32 = 0x6d71_0000
    private static let copiesMask: UInt32 = 0xffff_0000

    /// One base chain.
    private struct Chain {
        var name: String
        var hook: UInt32
        var priority: Int32
        var rules: [(QueueRule, QueueVerdict)] = []
    }

    let plan: RulePlan
    /// The place of the lease among those of its namespace, from 0: later ones stand behind, since a hook that
    /// is put before another shifts the packets that wait there.
    let ordinal: Int32
    private let copies: Bool

    /// Makes a table.
    init(_ plan: RulePlan, ordinal: Int32, makesCopies: Bool) {
        self.plan = plan
        self.ordinal = min(max(0, ordinal), Self.mostOrdinals)
        copies = makesCopies
    }

    /// The priority by which the rules know copies of this lease.
    var copyPriority: UInt32 { Self.copies | UInt32(ordinal) }

    /// Whether the rules queue anything in a direction.
    func queues(_ direction: PacketDirection) -> Bool { !rules(direction).isEmpty }

    /// How many rules there are.
    var size: Int {
        chains(queues: [.egress: 0, .ingress: 0]).reduce(0) { $0 + $1.rules.count }
    }

    /// The transaction that makes the table; fails when there is one of that name.
    func created(
        queues: [PacketDirection: UInt16],
        by expression: QueueExpression
    ) -> NetlinkBatch {
        var batch = NetlinkBatch()
        batch.add(0, NfnetlinkMessage.create | NfnetlinkMessage.exclusive) {
            $0.put(1, plan.name)
            // NFT_TABLE_F_OWNER: it ends with our socket.
            $0.put(2, UInt32(2))
            $0.put(6, [0, 10] + Array("moonquake".utf8) + [0])
        }
        batch.add(18, NfnetlinkMessage.create) {
            $0.put(1, plan.name)
            $0.put(2, Self.counter)
            $0.put(3, UInt32(1))
            $0.nest(4) { _ in }
        }
        if copies { addUntracking(to: &batch) }
        for chain in chains(queues: queues) {
            add(chain, to: &batch)
            addCopyRules(chain.name, to: &batch)
            for (rule, verdict) in chain.rules {
                addRule(chain.name, to: &batch) {
                    $0.matches(rule)
                    $0.verdict(verdict, by: expression)
                }
            }
        }
        return batch
    }

    /// The transaction that adds the rules of another plan to the chains that are there.
    func widened(
        by plan: RulePlan,
        queues: [PacketDirection: UInt16],
        with expression: QueueExpression
    ) -> NetlinkBatch {
        var batch = NetlinkBatch()
        let table = QueueTable(plan, ordinal: ordinal, makesCopies: copies)
        for chain in table.chains(queues: queues) {
            for (rule, verdict) in chain.rules {
                addRule(chain.name, to: &batch) {
                    $0.matches(rule)
                    $0.verdict(verdict, by: expression)
                }
            }
        }
        return batch
    }

    /// The transaction that takes all rules out and leaves the chains.
    ///
    /// Removing a chain makes the kernel drop whatever waits in any queue of the namespace.
    var emptied: NetlinkBatch {
        var batch = NetlinkBatch()
        batch.add(8, 0) { $0.put(1, plan.name) }
        return batch
    }

    /// The transaction that removes the table.
    var removed: NetlinkBatch {
        var batch = NetlinkBatch()
        batch.add(2, 0) { $0.put(1, plan.name) }
        return batch
    }

    /// The request for the counter.
    var counterRequest: [UInt8] {
        NfnetlinkMessage.bytes(19, flags: NfnetlinkMessage.request, sequence: 1) {
            $0.put(1, plan.name)
            $0.put(2, Self.counter)
            $0.put(3, UInt32(1))
        }
    }

    private func chains(queues: [PacketDirection: UInt16]) -> [Chain] {
        var chains: [Chain] = []
        if let queue = queues[.ingress], self.queues(.ingress) {
            // After the defragmentation of connection tracking (-400), before tracking itself.
            var chain = Chain(name: "ingress", hook: 0, priority: -390 + ordinal)
            let seen = rules(.egress).filter {
                $0.interface == .any || $0.interface == .named("lo")
            }
            // The socket that sent a packet is not known where it comes in.
            let back = seen.filter { $0.owner == nil }
            chain.rules = passes(back, at: .fromLoopback) + queueing(.ingress, to: queue)
            chains.append(chain)
        }
        if let queue = queues[.egress], self.queues(.egress) {
            // After source NAT (100), SELinux (225) and connection tracking's helpers (300). Where sockets decide,
            // in the output hook: the kernel asks for a socket's control group only there.
            let isBySocket = rules(.egress).contains { $0.owner != nil }
            var chain = Chain(name: "egress", hook: isBySocket ? 3 : 4, priority: 310 + ordinal)
            let passing = isBySocket ? [] : passes(rules(.ingress), at: .passingThrough)
            chain.rules = passing + queueing(.egress, to: queue)
            chains.append(chain)
        }
        return chains
    }

    /// What is queued in a direction.
    private func rules(_ direction: PacketDirection) -> [PacketRule] {
        plan.rules(at: Self.hook(direction)).filter { $0.verdict == .drop }
    }

    private func passes(
        _ rules: [PacketRule],
        at place: QueueRule.Place
    ) -> [(QueueRule, QueueVerdict)] {
        rules.flatMap { QueueRule.all(of: $0, at: place) }.map { ($0, .pass) }
    }

    private func queueing(
        _ direction: PacketDirection,
        to queue: UInt16
    ) -> [(QueueRule, QueueVerdict)] {
        plan.rules(at: Self.hook(direction)).flatMap { rule in
            QueueRule.all(of: rule).map { ($0, rule.verdict == .drop ? .queue(queue) : .pass) }
        }
    }

    private static func hook(_ direction: PacketDirection) -> PacketHook {
        direction == .egress ? .output : .input
    }

    private func add(_ chain: Chain, to batch: inout NetlinkBatch) {
        batch.add(3, NfnetlinkMessage.create) {
            $0.put(1, plan.name)
            $0.put(3, chain.name)
            $0.nest(4) {
                $0.put(1, chain.hook)
                $0.put(2, UInt32(bitPattern: chain.priority))
            }
            $0.put(7, "filter")
        }
    }

    private func addRule(
        _ chain: String,
        to batch: inout NetlinkBatch,
        _ expressions: (inout NfnetlinkBytes) -> Void
    ) {
        batch.add(6, NfnetlinkMessage.create | NfnetlinkMessage.append) {
            $0.put(1, plan.name)
            $0.put(2, chain)
            $0.nest(4, expressions)
        }
    }

    private func addCopyRules(_ chain: String, to batch: inout NetlinkBatch) {
        if copies {
            addRule(chain, to: &batch) {
                $0.comparePriority(copyPriority)
                $0.clearPriority()
                $0.accept()
            }
        }
        addRule(chain, to: &batch) {
            $0.comparePriority(Self.copies, mask: Self.copiesMask)
            $0.accept()
        }
    }

    /// A copy that goes out has its final addresses: NAT must not see it again.
    private func addUntracking(to batch: inout NetlinkBatch) {
        add(Chain(name: "copies", hook: 3, priority: -310), to: &batch)
        addRule("copies", to: &batch) {
            $0.comparePriority(copyPriority)
            $0.expression("notrack")
        }
    }
}

/// Messages of one transaction; the last asks for an answer.
struct NetlinkBatch {
    private(set) var last: UInt32 = 0
    private var messages: [(type: UInt16, flags: UInt16, body: NfnetlinkBytes)] = []

    /// Appends a message.
    mutating func add(_ type: UInt16, _ flags: UInt16, _ body: (inout NfnetlinkBytes) -> Void) {
        var attributes = NfnetlinkBytes()
        body(&attributes)
        messages.append((type, flags, attributes))
        last += 1
    }

    /// The bytes of the transaction.
    var bytes: [UInt8] {
        var sequence: UInt32 = 0
        var all: [UInt8] = []
        for (type, flags, body) in messages {
            sequence += 1
            let answer = sequence == last ? NfnetlinkMessage.acknowledge : 0
            all += NfnetlinkMessage.bytes(
                type,
                flags: NfnetlinkMessage.request | flags | answer,
                sequence: sequence
            ) { $0 = body }
        }
        return NfnetlinkMessage.batch(all)
    }
}
