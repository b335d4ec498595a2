// HTTP/2 between a client and its upstream, frame by frame: the streams keep their numbers, settings, pings and
// windows go from end to end, and the bytes of bodies are passed on as they come. Only header blocks are read and
// written anew (see HeaderBlock), and streams that a fault answers end here.
//
// So back-pressure is that of the two ends themselves. What is made here must fit in the client's window: that
// is counted along, and the upstream waits for it where both would not fit.

import ChaosModel
import NIOCore
import NIOHPACK
import Synchronization

/// A connection that speaks HTTP/2 without TLS.
final class HTTP2Dialogue: Dialogue {
    /// What is read from one end.
    struct Input {
        var stash: ByteBuffer?
        /// Bytes of the preface still to come.
        var preface = 0
        /// Bytes of the present DATA frame still to come, and where they go.
        var left = 0
        var sink = Sink.pass
        /// A header block whose CONTINUATIONs are still to come.
        var block: Block?
        var decoder = HPACKDecoder(
            allocator: ByteBufferAllocator(),
            maxDynamicTableSize: 4096,
            maxHeaderListSize: blockLimit
        )
        var sawSettings = false
    }

    /// Where the bytes of a DATA frame go.
    enum Sink {
        case pass, drop
        case keep(HTTP2Stream, ByteBuffer)
    }

    /// A header block that is not complete.
    struct Block {
        var frame: HTTP2Frame
        var promise: UInt32?
        var bytes: ByteBuffer
        var parts = 1
    }

    static let frameLimit = 1 << 20
    static let blockLimit = 65536
    static let heldLimit = 4 << 20
    static let streamLimit = 10_000

    let relay: Relay
    var clientInput = Input()
    var serverInput = Input()
    var streams: [UInt32: HTTP2Stream] = [:]
    var lastStream: UInt32 = 0
    /// What the client still takes on the connection as a whole, and at first on each stream.
    var clientWindow = 65535
    var streamWindow = 65535
    var heldBytes = 0
    /// Answers of ours that wait for the client's window.
    var waitingAnswers: [(HTTP2Stream, HTTP1Answer)] = []
    /// Whether a block went to an end before.
    var hasWrittenTo: (client: Bool, server: Bool) = (false, false)
    /// The last stream that was promised to be served, once the client was told to go away.
    var wentAway: UInt32?
    /// Whether we stand in for an upstream that is not there.
    var isAlone = false
    var settingsToAcknowledge = 0
    /// Frames of ours that wait for the first SETTINGS to the client; nil once those have gone.
    private var early: ByteBuffer? = ByteBuffer()

    init(_ relay: Relay, upgraded: Bool = false) {
        self.relay = relay
        clientInput.preface = Opening.preface.count
        guard upgraded else { return }
        // RFC 7540, section 3.2: the request of the upgrade is stream 1, and is complete.
        let first = HTTP2Stream(1)
        first.clientIsDone = true
        streams[1] = first
        lastStream = 1
    }

    var isIdle: Bool { streams.isEmpty }

    func receive(_ bytes: ByteBuffer, from side: Side) {
        var all = bytes
        if var stashed = self[side].stash.take() {
            stashed.writeImmutableBuffer(bytes)
            all = stashed
        }
        read(all, from: side)
    }

    func resumed(_ side: Side) {
        if let bytes = self[side].stash.take() { read(bytes, from: side) }
        if relay.hasEnded(side), !relay.isHeld(side) { relay.close() }
    }

    func ended(_ side: Side) {
        if !relay.isHeld(side) { relay.close() }
    }

    func drain() {
        guard wentAway == nil, clientInput.preface == 0, early == nil else { return }
        wentAway = lastStream
        relay.write(HTTP2Frame.goAway(last: lastStream, code: 0), to: .client)
        if streams.isEmpty { relay.close() }
    }

    // MARK: Reading

    private func read(_ bytes: ByteBuffer, from side: Side) {
        var bytes = bytes
        do {
            while bytes.readableBytes > 0, !relay.isHeld(side) {
                guard try step(&bytes, side) else { break }
            }
            if bytes.readableBytes > 0 { self[side].stash = bytes }
        } catch is TunnelInstead {
            return
        } catch let error as MalformedFrame {
            end(error, side)
        } catch {
            end(MalformedFrame("a header block cannot be read: \(error)", code: 9), side)
        }
    }

    /// Deals with the next piece; false when more bytes are needed.
    private func step(_ bytes: inout ByteBuffer, _ side: Side) throws -> Bool {
        if self[side].preface > 0 { return try readPreface(&bytes) }
        if self[side].left > 0 {
            readData(&bytes, side)
            return true
        }
        if side == .server, !serverInput.sawSettings, try !checkServer(bytes) { return false }
        guard let frame = HTTP2Frame(peek: bytes) else { return false }
        if self[side].block != nil, frame.kind != HTTP2Frame.Kind.continuation {
            throw MalformedFrame("a header block was interrupted")
        }
        if frame.kind == HTTP2Frame.Kind.data {
            return try startData(frame, &bytes, side)
        }
        guard frame.length <= Self.frameLimit else {
            throw MalformedFrame("a frame is longer than \(Self.frameLimit) bytes", code: 6)
        }
        let size = HTTP2Frame.headSize + frame.length
        guard bytes.readableBytes >= size, let whole = bytes.readSlice(length: size) else {
            return false
        }
        var payload = whole
        payload.moveReaderIndex(forwardBy: HTTP2Frame.headSize)
        try take(frame, payload, whole, side)
        return true
    }

    private func readPreface(_ bytes: inout ByteBuffer) throws -> Bool {
        let expected = Opening.preface.suffix(clientInput.preface)
        guard let part = bytes.readSlice(length: min(expected.count, bytes.readableBytes)),
            expected.starts(with: part.readableBytesView)
        else { throw MalformedFrame("the connection's preface is wrong") }
        clientInput.preface -= part.readableBytes
        pass(part, to: .server)
        return true
    }

    /// Whether the upstream speaks HTTP/2; otherwise the client is to see what it says.
    private func checkServer(_ bytes: ByteBuffer) throws -> Bool {
        guard let kind: UInt8 = bytes.getInteger(at: bytes.readerIndex + 3) else { return false }
        serverInput.sawSettings = true
        guard kind != HTTP2Frame.Kind.settings else { return true }
        let tunnel = Tunnel(relay)
        relay.become(tunnel)
        tunnel.receive(bytes, from: .server)
        if let rest = clientInput.stash.take() { tunnel.receive(rest, from: .client) }
        relay.release(.client, .answer)
        throw TunnelInstead()
    }

    private struct TunnelInstead: Error {}

    private func readData(_ bytes: inout ByteBuffer, _ side: Side) {
        let count = min(self[side].left, bytes.readableBytes)
        guard let part = bytes.readSlice(length: count) else { return }
        self[side].left -= count
        switch self[side].sink {
        case .pass: pass(part, to: side.other)
        case .drop: break
        case .keep(let stream, var frame):
            // The only reference, so that appending does not copy.
            self[side].sink = .drop
            frame.writeImmutableBuffer(part)
            self[side].sink = .keep(stream, frame)
            if self[side].left == 0 {
                self[side].sink = .pass
                keep(frame, of: stream, to: side.other)
            }
        }
    }

    // MARK: Writing

    /// Sends frames on that are not made here.
    func pass(_ bytes: ByteBuffer, to side: Side) {
        if side == .server, isAlone { return }
        relay.write(bytes, to: side)
    }

    /// Sends frames that are made here to the client, after the upstream's SETTINGS: those come first on a connection
    /// (RFC 9113, section 3.4).
    func tell(_ bytes: ByteBuffer) {
        guard early == nil else {
            early?.writeImmutableBuffer(bytes)
            // Nothing more is asked meanwhile, so that little waits.
            return relay.hold(.client, .answer)
        }
        relay.write(bytes, to: .client)
        relay.holdWhileFull()
    }

    /// Notes that SETTINGS have gone to the client.
    func hasSettings() {
        guard let bytes = early.take() else { return }
        relay.write(bytes, to: .client)
        relay.release(.client, .answer)
    }

    /// Sends a frame of a stream, or keeps it back behind those that wait.
    func send(_ frame: ByteBuffer, of stream: HTTP2Stream, to side: Side) {
        if stream.queue(to: side).isOpen {
            pass(frame, to: side)
        } else {
            keep(frame, of: stream, to: side)
        }
    }

    private func keep(_ frame: ByteBuffer, of stream: HTTP2Stream, to side: Side) {
        heldBytes += frame.readableBytes
        stream.change(side) { $0.frames.append(frame) }
        if heldBytes > Self.heldLimit { relay.hold(side.other, .fault) }
        advance(stream, to: side)
    }

    /// Sends what may go of what was kept back.
    func advance(_ stream: HTTP2Stream, to side: Side) {
        var wait: TimeAmount?
        while !stream.queue(to: side).isHeld, let frame = stream.queue(to: side).frames.first {
            wait = stream.change(side) { $0.missing(for: frame.readableBytes) }
            guard wait == nil else { break }
            stream.change(side) { queue in _ = queue.frames.popFirst() }
            heldBytes -= frame.readableBytes
            pass(frame, to: side)
        }
        if heldBytes <= Self.heldLimit { relay.release(side.other, .fault) }
        guard let wait else { return }
        stream.change(side) { $0.isHeld = true }
        relay.later(wait) { [weak self] in
            stream.change(side) { $0.isHeld = false }
            self?.advance(stream, to: side)
        }
    }

    /// Forgets a stream when both have said all.
    func settle(_ stream: HTTP2Stream) {
        guard stream.clientIsDone, stream.serverIsDone else { return }
        forget(stream)
    }

    func forget(_ stream: HTTP2Stream) {
        streams[stream.id] = nil
        // What is kept back still goes out; the stream is held by its timer.
        if relay.host.isDraining, streams.isEmpty { closeAfterQueues() }
    }

    private func closeAfterQueues() {
        guard heldBytes > 0 else {
            drain()
            return relay.close()
        }
        relay.later(.milliseconds(20)) { [weak self] in self?.closeAfterQueues() }
    }

    private func end(_ error: MalformedFrame, _ side: Side) {
        relay.host.counters.ownFailures.add(1, ordering: .relaxed)
        let reason = "moonquake: \(error.reason)"
        relay.write(HTTP2Frame.goAway(last: lastStream, code: error.code, reason), to: .client)
        if side == .client { relay.finishAndLinger() } else { relay.close() }
    }

    subscript(side: Side) -> Input {
        get { side == .client ? clientInput : serverInput }
        _modify { if side == .client { yield &clientInput } else { yield &serverInput } }
    }
}

extension HTTP2Stream.Queue {
    /// Gathers credit for a frame; the time to wait while it does not suffice.
    mutating func missing(for size: Int) -> TimeAmount? {
        let now = NIODeadline.now()
        guard !paces.isEmpty else { return nil }
        while credit < size {
            var allowed = size - credit
            for pace in paces {
                allowed = pace.take(allowed, now: now)
                if allowed == 0 { return pace.pause }
            }
            credit += allowed
        }
        credit = 0
        return nil
    }
}
