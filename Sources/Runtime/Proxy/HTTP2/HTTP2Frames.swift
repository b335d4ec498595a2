// What each kind of frame means to the relay.

import ChaosModel
import NIOCore
import NIOHPACK

extension HTTP2Dialogue {
    private typealias Kind = HTTP2Frame.Kind
    private typealias Flag = HTTP2Frame.Flag

    /// Begins a DATA frame; false when its head is not all there.
    func startData(_ frame: HTTP2Frame, _ bytes: inout ByteBuffer, _ side: Side) throws -> Bool {
        guard frame.stream != 0 else { throw MalformedFrame("DATA without a stream") }
        if side == .server {
            if frame.length > clientWindow {
                // What was answered here took some of the window; the client gives it back.
                relay.hold(.server, .answer)
                return true
            }
            clientWindow -= frame.length
        }
        guard let head = bytes.readSlice(length: HTTP2Frame.headSize) else { return false }
        self[side].left = frame.length
        let stream = streams[frame.stream]
        if side == .client, stream?.isAnsweredHere ?? (frame.stream % 2 == 1) {
            self[side].sink = .drop
            giveBack(frame.length)
        } else if let stream, !stream.queue(to: side.other).isOpen {
            if frame.length == 0 {
                send(head, of: stream, to: side.other)
            } else {
                self[side].sink = .keep(stream, head)
            }
        } else {
            self[side].sink = .pass
            pass(head, to: side.other)
        }
        if frame.has(Flag.endStream), let stream { done(stream, side) }
        return true
    }

    /// Deals with a whole frame that is not DATA.
    func take(_ frame: HTTP2Frame, _ payload: ByteBuffer, _ whole: ByteBuffer, _ side: Side) throws
    {
        switch frame.kind {
        case Kind.headers, Kind.pushPromise: try startBlock(frame, payload, side)
        case Kind.continuation: try continueBlock(frame, payload, side)
        case Kind.settings: try settings(frame, payload, side)
        case Kind.windowUpdate: try windowUpdate(frame, payload, whole, side)
        case Kind.reset: reset(frame, whole, side)
        case Kind.ping where side == .client && isAlone:
            guard !frame.has(Flag.acknowledge) else { break }
            relay.write(HTTP2Frame.whole(Kind.ping, flags: Flag.acknowledge, payload), to: .client)
            relay.holdWhileFull()
        // Priorities of streams that end here would confuse the upstream, and nobody needs them (RFC 9113, 5.3).
        case Kind.priority: break
        default: pass(whole, to: side.other)
        }
    }

    // MARK: Header blocks

    private func startBlock(_ frame: HTTP2Frame, _ payload: ByteBuffer, _ side: Side) throws {
        guard frame.stream != 0 else { throw MalformedFrame("HEADERS without a stream") }
        var payload = payload
        var padding = 0
        if frame.has(Flag.padded) {
            guard let count: UInt8 = payload.readInteger() else {
                throw MalformedFrame("padding is missing", code: 6)
            }
            padding = Int(count)
        }
        var promise: UInt32?
        if frame.kind == Kind.pushPromise {
            promise = payload.readInteger()
            guard side == .server, promise != nil else { throw MalformedFrame("a wrong promise") }
        } else if frame.has(Flag.priority), payload.readBytes(length: 5) == nil {
            throw MalformedFrame("a priority is missing", code: 6)
        }
        guard let bytes = payload.readSlice(length: payload.readableBytes - padding) else {
            throw MalformedFrame("padding is longer than its frame")
        }
        self[side].block = Block(frame: frame, promise: promise, bytes: bytes)
        try finishBlock(frame, side)
    }

    private func continueBlock(_ frame: HTTP2Frame, _ payload: ByteBuffer, _ side: Side) throws {
        guard self[side].block?.frame.stream == frame.stream else {
            throw MalformedFrame("CONTINUATION without HEADERS")
        }
        self[side].block?.bytes.writeImmutableBuffer(payload)
        self[side].block?.parts += 1
        try finishBlock(frame, side)
    }

    private func finishBlock(_ frame: HTTP2Frame, _ side: Side) throws {
        guard var block = self[side].block else { return }
        guard block.bytes.readableBytes <= Self.blockLimit, block.parts <= 64 else {
            throw MalformedFrame("a header block is longer than \(Self.blockLimit) bytes", code: 11)
        }
        guard frame.has(Flag.endHeaders) else { return }
        self[side].block = nil
        let headers = try self[side].decoder.decodeHeaders(from: &block.bytes)
        let ends = block.frame.has(Flag.endStream) && block.promise == nil
        if side == .client {
            try request(headers, stream: block.frame.stream, ends: ends)
        } else {
            answer(headers, stream: block.frame.stream, ends: ends, promise: block.promise)
        }
    }

    private func frames(
        _ headers: HPACKHeaders,
        _ stream: UInt32,
        ends: Bool,
        to side: Side,
        promise: UInt32? = nil
    ) -> ByteBuffer {
        let isFirst = side == .client ? !hasWrittenTo.client : !hasWrittenTo.server
        if side == .client { hasWrittenTo.client = true } else { hasWrittenTo.server = true }
        return HeaderBlock.frames(
            headers,
            stream: stream,
            endsStream: ends,
            isFirst: isFirst,
            promise: promise
        )
    }

    // MARK: Requests

    private func request(_ headers: HPACKHeaders, stream id: UInt32, ends: Bool) throws {
        if let stream = streams[id] {
            if !stream.isAnsweredHere {
                send(frames(headers, id, ends: ends, to: .server), of: stream, to: .server)
            }
            if ends { done(stream, .client) }
            return
        }
        guard id % 2 == 1 else { throw MalformedFrame("a stream of the client has an even number") }
        // What comes late for a stream that was answered and reset is to be ignored.
        guard id > lastStream else { return }
        if let wentAway, id > wentAway { return }
        lastStream = id
        guard streams.count < Self.streamLimit else {
            return relay.write(HTTP2Frame.number(Kind.reset, stream: id, 7), to: .client)
        }
        let stream = HTTP2Stream(id)
        streams[id] = stream
        let facts = RequestFacts(.http2(headers), client: relay.client)
        stream.isGRPC = facts.isGRPC
        stream.isHead = facts.method == "HEAD"
        stream.clientIsDone = ends
        judge(stream, facts)
        guard !stream.isAnsweredHere else { return }
        if isAlone { return fail(stream) }
        send(frames(headers, id, ends: ends, to: .server), of: stream, to: .server)
    }

    private func judge(_ stream: HTTP2Stream, _ facts: RequestFacts) {
        let book = relay.host.book
        guard !book.rules.isEmpty else { return }
        let verdict = book.judge(facts)
        stream.delays = verdict.delays
        stream.toClient.paces = verdict.responsePaces
        stream.toServer.paces = verdict.requestPaces
        guard let answer = verdict.answer else { return }
        stream.isAnsweredHere = true
        relay.keepBack(for: verdict.delays) { [weak self] in self?.give(answer, to: stream) }
    }

    // MARK: Answers

    private func answer(_ headers: HPACKHeaders, stream id: UInt32, ends: Bool, promise: UInt32?) {
        guard let stream = streams[id] else {
            // A stream that the upstream opened by a promise.
            return pass(frames(headers, id, ends: ends, to: .client, promise: promise), to: .client)
        }
        let isInterim = headers.first(name: ":status")?.hasPrefix("1") ?? false
        if stream.delays.total > .zero, !isInterim, promise == nil {
            let delays = stream.delays
            stream.delays = Delays()
            stream.toClient.isHeld = true
            relay.keepBack(for: delays) { [weak self] in
                stream.toClient.isHeld = false
                self?.advance(stream, to: .client)
            }
        }
        let bytes = frames(headers, id, ends: ends, to: .client, promise: promise)
        send(bytes, of: stream, to: .client)
        if ends { done(stream, .server) }
    }

    private func done(_ stream: HTTP2Stream, _ side: Side) {
        if side == .client { stream.clientIsDone = true } else { stream.serverIsDone = true }
        settle(stream)
    }

    private func reset(_ frame: HTTP2Frame, _ whole: ByteBuffer, _ side: Side) {
        guard let stream = streams[frame.stream] else {
            if frame.stream % 2 == 0 { pass(whole, to: side.other) }
            return
        }
        if side == .client {
            if !stream.isAnsweredHere { pass(whole, to: .server) }
            discard(stream)
        } else {
            send(whole, of: stream, to: .client)
        }
        forget(stream)
    }

    /// Drops what is kept back of a stream that nobody waits for.
    private func discard(_ stream: HTTP2Stream) {
        for side in [Side.client, .server] {
            let bytes = stream.queue(to: side).frames.reduce(0) { $0 + $1.readableBytes }
            heldBytes -= bytes
            stream.change(side) { $0.frames.removeAll() }
        }
        waitingAnswers.removeAll { $0.0 === stream }
    }

    // MARK: The connection

    /// Settings go from end to end, but for the header table: ours stays at what every peer must take.
    private func settings(_ frame: HTTP2Frame, _ payload: ByteBuffer, _ side: Side) throws {
        guard frame.stream == 0, frame.length % 6 == 0, frame.length <= 6 * 64 else {
            throw MalformedFrame("malformed SETTINGS", code: 6)
        }
        if frame.has(Flag.acknowledge) {
            return pass(HTTP2Frame.whole(Kind.settings, flags: Flag.acknowledge), to: side.other)
        }
        var payload = payload
        var rewritten = ByteBuffer()
        while let (name, value) = payload.readMultipleIntegers(as: (UInt16, UInt32).self) {
            let isTable = name == 1
            rewritten.writeMultipleIntegers(name, isTable ? min(value, 4096) : value)
            guard name == 4, side == .client else { continue }
            streamWindow = Int(value)
        }
        guard side == .server || !isAlone else {
            return relay.write(
                HTTP2Frame.whole(Kind.settings, flags: Flag.acknowledge),
                to: .client
            )
        }
        if side == .client { settingsToAcknowledge += 1 }
        pass(HTTP2Frame.whole(Kind.settings, rewritten), to: side.other)
        if side == .server { hasSettings() }
    }

    private func windowUpdate(
        _ frame: HTTP2Frame,
        _ payload: ByteBuffer,
        _ whole: ByteBuffer,
        _ side: Side
    ) throws {
        guard let step: UInt32 = payload.getInteger(at: payload.readerIndex), frame.length == 4
        else {
            throw MalformedFrame("malformed WINDOW_UPDATE", code: 6)
        }
        guard side == .client else { return pass(whole, to: .client) }
        guard frame.stream == 0 else {
            let isOurs = streams[frame.stream]?.isAnsweredHere ?? (frame.stream % 2 == 1)
            if !isOurs { pass(whole, to: .server) }
            return
        }
        clientWindow += Int(step & 0x7fff_ffff)
        // What was taken for answers of ours is ours to get back, but the upstream never knew: it may have it too,
        // since it waits here when both do not fit.
        pass(whole, to: .server)
        let waiting = waitingAnswers
        waitingAnswers = []
        for (stream, answer) in waiting { write(answer, to: stream) }
        relay.release(.server, .answer)
    }

    /// Gives the client back what it sent to a stream that ends here.
    private func giveBack(_ count: Int) {
        guard count > 0 else { return }
        tell(HTTP2Frame.number(Kind.windowUpdate, stream: 0, UInt32(count)))
    }
}
