// Datagrams that wait for their time, the earliest first; a bounded number of them and of their bytes.

import CDatagrams

/// A datagram that is held back.
struct HeldDatagram {
    /// What is done with it then.
    enum Purpose {
        /// The query goes on to the real resolver.
        case forward(check: UInt32?)
        /// The answer of ours goes to who asked.
        case answer
    }

    var due: Int64
    var order: UInt64
    /// The listener that it came to, by its token.
    var lane: UInt64
    var client: dg_end
    var bytes: [UInt8]
    var purpose: Purpose

    fileprivate func isBefore(_ other: HeldDatagram) -> Bool {
        (due, order) < (other.due, other.order)
    }
}

/// Held datagrams, as a heap.
struct HeldDatagrams {
    /// The most that are held.
    static let limit = 32_768
    /// The most bytes that they have.
    static let byteLimit = 32 << 20

    private var heap: [HeldDatagram] = []
    private var byteCount = 0
    private var order: UInt64 = 0

    /// When the first is due.
    var firstDue: Int64? { heap.first?.due }

    /// Holds a datagram back; false when there is no room.
    mutating func add(_ datagram: HeldDatagram) -> Bool {
        guard heap.count < Self.limit, byteCount + datagram.bytes.count <= Self.byteLimit else {
            return false
        }
        order += 1
        var added = datagram
        added.order = order
        byteCount += added.bytes.count
        heap.append(added)
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return true
    }

    /// Takes the first out when it is due.
    mutating func takeDue(at now: Int64) -> HeldDatagram? {
        guard let first = heap.first, first.due <= now else { return nil }
        byteCount -= first.bytes.count
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        sink()
        return first
    }

    /// Makes those due at once that came to some lanes.
    mutating func hurry(_ isMeant: (UInt64) -> Bool) {
        // Sorted is a heap too.
        for index in heap.indices where isMeant(heap[index].lane) { heap[index].due = .min }
        heap.sort { $0.isBefore($1) }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [parent * 2 + 1, parent * 2 + 2]
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
