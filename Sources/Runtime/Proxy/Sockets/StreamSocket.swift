// One connected socket: reads while its relay wants to, writes what it was given as far as the kernel takes it.

import CSockets
import ChaosModel
import Glibc
import NIOCore

/// One end of a relay, as a relay needs it: a socket, or what stands for one in tests.
protocol RelayStream: AnyObject {
    /// Whether it takes more without more memory.
    var isWritable: Bool { get }
    /// Takes bytes; they go out with the next flush.
    func write(_ bytes: ByteBuffer)
    /// Sends what was written, as far as it goes now; the rest follows by itself.
    func flush()
    /// Goes on reading after a hold, not before the caller has returned.
    func read()
    /// Says no more once everything written is out.
    func finish()
    /// Closes: with a reset at once, otherwise once everything written is out, or after a while.
    func close(reset: Bool)
}

/// A socket.
final class StreamSocket: RelayStream {
    private enum State { case connecting, open, closing, closed }

    /// Above the first it is full, below the second it no longer is; bytes.
    private static let marks = (high: 65_536, low: 32_768)
    /// The least and the most bytes of one read.
    private static let sizes = (least: 2048, most: 262_144)
    /// What is smaller is put together before it is sent.
    private static let small = 16_384
    private static let readsAtOnce = 4
    /// How long the other end may take what it was sent before the socket is closed.
    private static let patience = TimeAmount.seconds(10)

    let descriptor: Int32
    /// Its place in the set.
    var token: UInt64 = 0
    private let set: SocketSet
    private let side: Side
    private let peer: RawAddress
    private var relay: Relay?
    private var state: State
    private var canRead = false
    private var canWrite: Bool
    /// Whether the other end has said its last, which must be read even after a short read.
    private var sawHangUp = false
    private var hasEnded = false
    private var isFinishing = false
    private var hasFinished = false
    private var isWaiting = false
    /// Why writing failed, or 0; told once nothing is left to be read.
    private var writeError: Int32 = 0
    private var queue = CircularBuffer<ByteBuffer>(initialCapacity: 2)
    private var queued = 0
    private var size = sizes.least
    /// A first write is never delayed by Nagle's algorithm, so it is switched off before the second.
    private var hasNoDelay: Bool
    private var hasSent = false
    private(set) var isWritable = true

    /// Takes over a descriptor, which connects or is connected.
    init(
        _ descriptor: Int32,
        to peer: RawAddress,
        _ relay: Relay,
        _ side: Side,
        in set: SocketSet,
        isConnected: Bool
    ) {
        self.descriptor = descriptor
        self.peer = peer
        self.relay = relay
        self.side = side
        self.set = set
        state = isConnected ? .open : .connecting
        canWrite = isConnected
        // Accepted sockets have it from their listener.
        hasNoDelay = side == .client
    }

    var isConnecting: Bool { state == .connecting }

    // MARK: Events

    /// Serves what the kernel says of it.
    func serve(_ events: UInt32) {
        let isBroken = events & (CS_ERROR | CS_HANG_UP) != 0
        if state == .connecting {
            guard isBroken || events & CS_WRITE != 0 else { return }
            let code = isBroken ? pendingError : 0
            guard code == 0 else { return connectFailed(String(cString: strerror(code))) }
            state = .open
            canWrite = true
            relay?.connected()
        }
        if events & CS_WRITE != 0 {
            canWrite = true
            flush()
        }
        if events & (CS_READ | CS_READ_HANG_UP) != 0 || isBroken { canRead = true }
        if events & CS_READ_HANG_UP != 0 || isBroken { sawHangUp = true }
        guard state == .open else { return }
        if isBroken, relay?.isHeld(side) == true, writeError == 0 { writeError = pendingError }
        readOn()
    }

    /// Goes on where it stopped.
    func goOn() {
        isWaiting = false
        if state == .open { readOn() }
    }

    /// Has connected for too long.
    func giveUp() {
        if state == .connecting { connectFailed("no answer within 10 s") }
    }

    private func connectFailed(_ reason: String) {
        let relay = relay
        closeNow()
        relay?.failed("\(peer.textual): \(reason)")
    }

    private var pendingError: Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code
    }

    // MARK: Reading

    func read() {
        guard state == .open, !isWaiting, canRead || writeError != 0 else { return }
        isWaiting = true
        set.again(self)
    }

    private func readOn() {
        var left = Self.readsAtOnce
        while canRead, state == .open, let relay, !relay.isHeld(side) {
            guard left > 0 else { return read() }
            left -= 1
            readOnce(relay)
        }
        guard state == .open, writeError != 0, let relay, !canRead || relay.isHeld(side) else {
            return
        }
        relay.broke(side)
    }

    private func readOnce(_ relay: Relay) {
        guard !hasEnded else {
            canRead = false
            return
        }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(size)
        var (count, room) = (0, 0)
        bytes.withUnsafeMutableWritableBytes { space in
            room = space.count
            count = recv(descriptor, space.baseAddress, room, 0)
        }
        if count > 0 {
            bytes.moveWriterIndex(forwardBy: count)
            // Edge-triggered: a read that was not filled has emptied the socket (epoll(7)).
            if count < room, !sawHangUp { canRead = false }
            adapt(to: count)
            relay.received(bytes, from: side)
        } else if count == 0 {
            (hasEnded, canRead) = (true, false)
            relay.ended(side)
        } else if errno == EAGAIN {
            canRead = false
        } else if errno != EINTR {
            canRead = false
            relay.broke(side)
        }
    }

    private func adapt(to count: Int) {
        if count >= size, size < Self.sizes.most {
            size *= 4
        } else if count < size / 8, size > Self.sizes.least {
            size /= 4
        }
    }

    // MARK: Writing

    func write(_ bytes: ByteBuffer) {
        guard state == .open || state == .connecting, writeError == 0 else { return }
        queued += bytes.readableBytes
        if var last = queue.last, last.readableBytes + bytes.readableBytes <= Self.small {
            queue[queue.index(before: queue.endIndex)] = ByteBuffer()
            last.writeImmutableBuffer(bytes)
            queue[queue.index(before: queue.endIndex)] = last
        } else {
            queue.append(bytes)
        }
        if isWritable, queued > Self.marks.high {
            isWritable = false
            relay?.writabilityChanged(side, false)
        }
    }

    func flush() {
        guard state == .open || state == .closing else { return }
        while canWrite, let first = queue.first {
            if hasSent, !hasNoDelay { switchDelayOff() }
            let count = first.withUnsafeReadableBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                hasSent = true
                took(count)
            } else if errno == EAGAIN {
                canWrite = false
            } else if errno != EINTR {
                return failed(errno)
            }
        }
        if queue.isEmpty { wroteAll() }
        if !isWritable, queued < Self.marks.low {
            isWritable = true
            relay?.writabilityChanged(side, true)
        }
    }

    func finish() {
        guard !isFinishing else { return }
        isFinishing = true
        if queue.isEmpty, state == .open { wroteAll() }
    }

    private func took(_ count: Int) {
        queued -= count
        if count == queue[queue.startIndex].readableBytes {
            queue.removeFirst()
        } else {
            queue[queue.startIndex].moveReaderIndex(forwardBy: count)
        }
    }

    private func wroteAll() {
        if state == .closing { return closeNow() }
        guard isFinishing, !hasFinished else { return }
        hasFinished = true
        shutdown(descriptor, Int32(SHUT_WR))
    }

    private func failed(_ code: Int32) {
        queue.removeAll()
        queued = 0
        canWrite = false
        guard state == .open else { return closeNow() }
        writeError = code
        // What the other end said before is still to be read.
        canRead = true
        read()
    }

    private func switchDelayOff() {
        hasNoDelay = true
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout.size(ofValue: on))
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
    }

    // MARK: Closing

    func close(reset: Bool) {
        guard state == .open || state == .connecting else { return }
        relay = nil
        if reset {
            var now = linger(l_onoff: 1, l_linger: 0)
            let size = socklen_t(MemoryLayout.size(ofValue: now))
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, size)
            let ends = side == .client && set.onReset != nil ? ends : nil
            closeNow()
            if let (client, ours) = ends { set.onReset?(client, ours) }
            return
        }
        flush()
        guard state == .open, !queue.isEmpty else { return closeNow() }
        state = .closing
        set.later?(Self.patience) { [weak self] in self?.closeNow() }
    }

    /// The other end, and this one.
    private var ends: (SocketEnd, SocketEnd)? {
        var own = RawAddress()
        guard own.filled(by: { getsockname(descriptor, $0, $1) }) == 0, let there = peer.end,
            let here = own.end
        else { return nil }
        return (there, here)
    }

    private func closeNow() {
        guard state != .closed else { return }
        state = .closed
        relay = nil
        queue.removeAll()
        set.remove(self)
        Glibc.close(descriptor)
    }
}
