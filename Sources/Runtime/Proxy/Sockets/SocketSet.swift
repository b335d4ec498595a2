// The sockets of one loop, by tokens: an event may come for a socket that was closed in the same round, and its number
// may be another's by then.

import CSockets
import ChaosModel
import Glibc
import NIOCore

/// The listeners and streams of one loop, and the kernel's set of what it watches for them.
///
/// Edge-triggered: each stream is told to the kernel once, and remembers itself whether it can be read and written.
final class SocketSet {
    /// How many connections are taken from one listener in a round.
    private static let acceptsAtOnce = 64
    /// How long no connection is taken when there are no more descriptors.
    private static let pause = TimeAmount.milliseconds(100)

    private struct Slot {
        var stream: StreamSocket?
        var generation: UInt32 = 0
    }

    private let set: Int32
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var listeners: [Int32] = []
    private var waiting: [StreamSocket] = []
    /// The streams that connect, the oldest first; those that have are taken out when they come first.
    private var connecting = CircularBuffer<(until: NIODeadline, token: UInt64)>()
    /// Takes over a connection.
    var onAccept: ((Int32, RawAddress) -> Void)?
    /// Told of a client that was reset: its end and ours.
    var onReset: ((SocketEnd, SocketEnd) -> Void)?
    /// Does something later.
    var later: ((TimeAmount, @escaping () -> Void) -> Void)?

    init(_ set: Int32) { self.set = set }

    /// Whether there is something to do without waiting.
    var hasMore: Bool { !waiting.isEmpty }

    // MARK: Streams

    /// Watches a stream from now on; false when the kernel has no room for it.
    func add(_ stream: StreamSocket) -> Bool {
        let index = free.popLast() ?? slots.count
        if index == slots.count { slots.append(Slot()) }
        slots[index].stream = stream
        stream.token = UInt64(slots[index].generation) << 32 | UInt64(index)
        let events = CS_READ | CS_WRITE | CS_READ_HANG_UP | CS_EDGE
        guard cs_watch(set, stream.descriptor, events, stream.token) == 0 else {
            remove(stream)
            return false
        }
        return true
    }

    /// Forgets a stream; closing its descriptor ends the kernel's watch.
    func remove(_ stream: StreamSocket) {
        let index = Int(stream.token & 0xffff_ffff)
        guard slots.indices.contains(index), slots[index].stream === stream else { return }
        slots[index].stream = nil
        slots[index].generation = (slots[index].generation + 1) & 0x7fff_ffff
        free.append(index)
    }

    /// Notes that a stream gives up connecting after a while.
    func limitConnecting(_ stream: StreamSocket, to limit: TimeAmount) {
        dropConnected()
        connecting.append((.now() + limit, stream.token))
    }

    /// Lets a stream go on reading in the next round.
    func again(_ stream: StreamSocket) { waiting.append(stream) }

    /// Serves one event.
    func serve(_ token: UInt64, _ events: UInt32) {
        if token >= Self.listenerToken { return accept(from: Int32(token - Self.listenerToken)) }
        stream(token)?.serve(events)
    }

    /// Serves what asked for it, and gives up what has connected for too long.
    func serveAgain() {
        let streams = waiting
        waiting = []
        for stream in streams { stream.goOn() }
        dropConnected()
        let now = NIODeadline.now()
        while let first = connecting.first, first.until <= now {
            connecting.removeFirst()
            stream(first.token)?.giveUp()
            dropConnected()
        }
    }

    private func stream(_ token: UInt64) -> StreamSocket? {
        let index = Int(token & 0xffff_ffff)
        guard slots.indices.contains(index), slots[index].generation == UInt32(token >> 32) else {
            return nil
        }
        return slots[index].stream
    }

    private func dropConnected() {
        while let first = connecting.first, stream(first.token)?.isConnecting != true {
            connecting.removeFirst()
        }
    }

    // MARK: Listeners

    /// Above all tokens of streams: generations of 31 bits do for those.
    private static let listenerToken: UInt64 = 1 << 63

    /// Takes connections of a listener, which other loops may watch too.
    func listen(on descriptor: Int32) {
        guard !listeners.contains(descriptor) else { return }
        let token = Self.listenerToken + UInt64(descriptor)
        if cs_watch(set, descriptor, CS_READ | CS_EXCLUSIVE, token) == 0 {
            listeners.append(descriptor)
        }
    }

    /// Takes no more connections.
    func stopListening() {
        for descriptor in listeners { cs_unwatch(set, descriptor) }
        listeners = []
    }

    private func accept(from listener: Int32) {
        guard listeners.contains(listener) else { return }
        for _ in 0..<Self.acceptsAtOnce {
            var address = RawAddress()
            let descriptor = address.filled { cs_accept(listener, $0, $1) }
            if descriptor >= 0 {
                onAccept?(descriptor, address)
                continue
            }
            switch -descriptor {
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                // The listener stays ready: looked at again at once, it would keep the loop busy.
                cs_unwatch(set, listener)
                listeners.removeAll { $0 == listener }
                later?(Self.pause) { [weak self] in self?.listen(on: listener) }
                return
            default: return
            }
        }
    }
}
