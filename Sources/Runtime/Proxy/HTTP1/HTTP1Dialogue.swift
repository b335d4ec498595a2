// HTTP/1 between a client and its upstream: one exchange after the other, heads read where they lie, everything
// passed on byte by byte as it came. Only what a fault answers in place of the upstream is made here.
//
// A request that comes before the answer to the one before it waits (pipelining stays in order).

import ChaosModel
import NIOCore
import Synchronization

/// A connection that speaks HTTP/1.
final class HTTP1Dialogue: Dialogue {
    private enum RequestPhase {
        case head, body
        /// All of it came; its answer has not.
        case complete
    }

    private enum ResponsePhase {
        /// Nothing was asked.
        case none
        case head, body
        /// All of it went to the client; the request is still coming.
        case complete
    }

    /// One request and its answer.
    private struct Exchange {
        var isHead = false
        var isConnect = false
        var upgrade: String?
        var endsConnection = false
        /// Whether it is answered here, so that nothing of it goes to the upstream.
        var isAnsweredHere = false
        var expectsContinue = false
        var delays = Delays()
        var requestPaces: [any Pace] = []
        var responsePaces: [any Pace] = []
    }

    let relay: Relay
    private var exchange = Exchange()
    private var requestPhase = RequestPhase.head
    private var responsePhase = ResponsePhase.none
    private var requestBody = BodyFraming(.none)
    private var responseBody = BodyFraming(.none)
    /// What came and could not be dealt with yet, by end; how far it was looked at.
    private var requestStash: ByteBuffer?
    private var responseStash: ByteBuffer?
    private var looked = 0

    init(_ relay: Relay) { self.relay = relay }

    var isIdle: Bool {
        requestPhase == .head && responsePhase == .none && requestStash == nil
    }

    // MARK: Events

    func receive(_ bytes: ByteBuffer, from side: Side) {
        if side == .client {
            readRequest(Self.joined(&requestStash, bytes))
        } else {
            readResponse(Self.joined(&responseStash, bytes))
        }
    }

    func resumed(_ side: Side) {
        if side == .client {
            if let bytes = requestStash.take() { readRequest(bytes) }
            if relay.hasEnded(.client), !relay.isHeld(.client) { clientEnded() }
        } else {
            if let bytes = responseStash.take() { readResponse(bytes) }
            if relay.hasEnded(.server), !relay.isHeld(.server) { serverEnded() }
        }
    }

    func ended(_ side: Side) {
        guard !relay.isHeld(side) else { return }
        if side == .client { clientEnded() } else { serverEnded() }
    }

    func upstreamFailed(_ reason: String) {
        // What was asked already can have no answer but ours.
        guard responsePhase == .head, !exchange.isAnsweredHere else { return }
        fail(reason)
    }

    private func clientEnded() {
        if isIdle { relay.close() } else { relay.finish(.server) }
    }

    private func serverEnded() {
        guard !exchange.isAnsweredHere || responsePhase == .none else { return }
        relay.close()
    }

    // MARK: Requests

    private func readRequest(_ bytes: ByteBuffer) {
        var bytes = bytes
        do throws(MalformedMessage) {
            while bytes.readableBytes > 0 {
                guard !relay.isHeld(.client) else { break }
                switch requestPhase {
                case .head:
                    guard try readRequestHead(&bytes) else { return }
                case .body:
                    try readRequestBody(&bytes)
                case .complete:
                    relay.hold(.client, .answer)
                }
            }
            if bytes.readableBytes > 0 { requestStash = bytes }
        } catch {
            refuse(error)
        }
    }

    /// Reads a head and sends it on; false when there is nothing more to do with these bytes.
    private func readRequestHead(_ bytes: inout ByteBuffer) throws(MalformedMessage) -> Bool {
        if looked == 0 { skipEmptyLine(&bytes) }
        let head = try bytes.withBytes { view throws(MalformedMessage) -> MessageHead? in
            guard let end = try HeadReader.end(of: view, from: looked) else { return nil }
            return try HeadReader.request(UnsafeRawBufferPointer(rebasing: view[..<end]))
        }
        guard let head else {
            looked = max(0, bytes.readableBytes - 3)
            if bytes.readableBytes > 0 { requestStash = bytes }
            return false
        }
        looked = 0
        requestBody = BodyFraming(head.requestBody)
        requestPhase = requestBody.isDone ? .complete : .body
        responsePhase = .head
        exchange = bytes.withBytes { view in
            Exchange(
                isHead: view.isWord("head", head.method),
                isConnect: view.isWord("connect", head.method),
                upgrade: head.saysUpgrade ? head.upgrade.map { view.text($0) } : nil,
                endsConnection: head.endsConnection,
                expectsContinue: head.expectsContinue
            )
        }
        if !relay.host.book.rules.isEmpty, judge(head, bytes) {
            bytes.moveReaderIndex(forwardBy: head.size)
            return true
        }
        if let reason = relay.upstreamFailure {
            fail(reason)
            return false
        }
        // The common case: the head is all that came, or its body came with it.
        let rest = bytes.readableBytes - head.size
        if rest == 0 {
            relay.write(bytes, to: .server)
            bytes.moveReaderIndex(forwardBy: head.size)
        } else if let slice = bytes.readSlice(length: head.size) {
            relay.write(slice, to: .server)
        }
        return true
    }

    private func readRequestBody(_ bytes: inout ByteBuffer) throws(MalformedMessage) {
        guard let budget = budget(exchange.requestPaces, bytes.readableBytes, .client) else {
            return
        }
        let taken = try bytes.withBytes { view throws(MalformedMessage) in
            try requestBody.take(UnsafeRawBufferPointer(rebasing: view[..<budget]), from: 0)
        }
        if let slice = bytes.readSlice(length: taken), !exchange.isAnsweredHere {
            relay.write(slice, to: .server)
        }
        guard requestBody.isDone else { return }
        requestPhase = .complete
        if responsePhase == .complete { endExchange() }
    }

    /// Lets the rules judge a request; true when it is answered here.
    private func judge(_ head: MessageHead, _ bytes: ByteBuffer) -> Bool {
        let verdict = bytes.withBytes { view in
            relay.host.book.judge(RequestFacts(.http1(head, view), client: relay.client))
        }
        exchange.delays = verdict.delays
        exchange.requestPaces = verdict.requestPaces
        exchange.responsePaces = verdict.responsePaces
        guard let answer = verdict.answer else { return false }
        exchange.isAnsweredHere = true
        relay.keepBack(for: verdict.delays) { [weak self] in self?.give(answer) }
        return true
    }

    /// RFC 9112, section 2.2: an empty line before a request is to be ignored.
    private func skipEmptyLine(_ bytes: inout ByteBuffer) {
        if bytes.readableBytesView.starts(with: [13, 10]) { bytes.moveReaderIndex(forwardBy: 2) }
    }

    // MARK: Responses

    private func readResponse(_ bytes: ByteBuffer) {
        var bytes = bytes
        do throws(MalformedMessage) {
            while bytes.readableBytes > 0 {
                guard !relay.isHeld(.server) else { break }
                switch responsePhase {
                case .head where !exchange.isAnsweredHere:
                    guard try readResponseHead(&bytes) else { return }
                case .body: try readResponseBody(&bytes)
                default: throw MalformedMessage("the upstream said something that was not asked")
                }
            }
            if bytes.readableBytes > 0 { responseStash = bytes }
        } catch {
            upstreamMalformed(error)
        }
    }

    private func readResponseHead(_ bytes: inout ByteBuffer) throws(MalformedMessage) -> Bool {
        let head = try bytes.withBytes { view throws(MalformedMessage) -> MessageHead? in
            guard let end = try HeadReader.end(of: view, from: 0) else { return nil }
            return try HeadReader.response(UnsafeRawBufferPointer(rebasing: view[..<end]))
        }
        guard let head else {
            responseStash = bytes
            return false
        }
        if head.status < 200, head.status != 101 {
            if let slice = bytes.readSlice(length: head.size) { relay.write(slice, to: .client) }
            return true
        }
        if exchange.delays.total > .zero {
            holdAnswer(bytes)
            return false
        }
        if head.status == 101 || exchange.isConnect && head.status < 300 {
            becomeTunnel(bytes, head)
            return false
        }
        responseBody = BodyFraming(head.responseBody(toHead: exchange.isHead))
        responsePhase = .body
        if head.endsConnection || responseBody.endsWithConnection { exchange.endsConnection = true }
        if responseBody.isDone {
            if let slice = bytes.readSlice(length: head.size) { relay.write(slice, to: .client) }
            responseEnded()
            return true
        }
        return try readWholeResponse(&bytes, head)
    }

    /// Sends a head together with what came of its body, in one piece where no rate is set.
    private func readWholeResponse(
        _ bytes: inout ByteBuffer,
        _ head: MessageHead
    ) throws(MalformedMessage) -> Bool {
        guard exchange.responsePaces.isEmpty else {
            if let slice = bytes.readSlice(length: head.size) { relay.write(slice, to: .client) }
            return true
        }
        let taken = try bytes.withBytes { view throws(MalformedMessage) in
            try responseBody.take(view, from: head.size)
        }
        send(head.size + taken, of: &bytes, to: .client)
        if responseBody.isDone { responseEnded() }
        return true
    }

    private func readResponseBody(_ bytes: inout ByteBuffer) throws(MalformedMessage) {
        guard let budget = budget(exchange.responsePaces, bytes.readableBytes, .server) else {
            return
        }
        let taken = try bytes.withBytes { view throws(MalformedMessage) in
            try responseBody.take(UnsafeRawBufferPointer(rebasing: view[..<budget]), from: 0)
        }
        send(taken, of: &bytes, to: .client)
        if responseBody.isDone { responseEnded() }
    }

    private func send(_ count: Int, of bytes: inout ByteBuffer, to side: Side) {
        if count == bytes.readableBytes {
            relay.write(bytes, to: side)
            bytes.moveReaderIndex(forwardBy: count)
        } else if let slice = bytes.readSlice(length: count) {
            relay.write(slice, to: side)
        }
    }

    private func responseEnded() {
        responsePhase = .complete
        if requestPhase == .complete { endExchange() }
    }

    private func endExchange() {
        let closes = exchange.endsConnection || relay.host.isDraining
        requestPhase = .head
        responsePhase = .none
        exchange = Exchange()
        if closes || relay.hasEnded(.client) && requestStash == nil {
            relay.close()
        } else {
            relay.release(.client, .answer)
        }
    }

    // MARK: Faults

    /// Keeps an answer back for its delay.
    private func holdAnswer(_ bytes: ByteBuffer) {
        let delays = exchange.delays
        exchange.delays = Delays()
        responseStash = bytes
        relay.hold(.server, .fault)
        relay.keepBack(for: delays) { [weak self] in self?.relay.release(.server, .fault) }
    }

    /// How many of some bytes may go now; nil when none, and the end is held.
    private func budget(_ paces: [any Pace], _ wanted: Int, _ side: Side) -> Int? {
        guard !paces.isEmpty else { return wanted }
        let now = NIODeadline.now()
        var allowed = wanted
        for pace in paces {
            allowed = pace.take(allowed, now: now)
            guard allowed == 0 else { continue }
            relay.hold(side, .fault)
            relay.later(pace.pause) { [weak self] in self?.relay.release(side, .fault) }
            return nil
        }
        return allowed
    }

    private func give(_ answer: Verdict.Answer) {
        switch answer {
        case .reset: relay.close(reset: true)
        case .grpc(let code, let message):
            // gRPC goes over HTTP/2 only; its rules mean nothing else.
            give(.http(status: 502, headers: ["grpc-status": "\(code)"], body: message))
        case .http(let status, let headers, let body):
            let response = HTTP1Answer(status: status, headers: headers, body: body)
            // A client that was not told to go on may leave its body out: the border would be lost.
            let closes =
                exchange.endsConnection || exchange.expectsContinue || relay.hasEnded(.server)
            relay.write(response.bytes(toHead: exchange.isHead, closes: closes), to: .client)
            guard !closes else { return relay.finishAndLinger() }
            relay.holdWhileFull()
            responseEnded()
        }
    }

    // MARK: Failures of our own

    private func refuse(_ error: MalformedMessage) {
        relay.host.counters.ownFailures.add(1, ordering: .relaxed)
        guard responsePhase == .none else { return relay.close(reset: true) }
        let answer = HTTP1Answer.ownFailure(error.status, error.reason)
        relay.write(answer.bytes(toHead: false, closes: true), to: .client)
        relay.finishAndLinger()
    }

    private func fail(_ reason: String) {
        relay.host.counters.ownFailures.add(1, ordering: .relaxed)
        let answer = HTTP1Answer.ownFailure(502, "upstream \(reason)")
        relay.write(answer.bytes(toHead: exchange.isHead, closes: true), to: .client)
        relay.finishAndLinger()
    }

    private func upstreamMalformed(_ error: MalformedMessage) {
        guard responsePhase == .head, !exchange.isAnsweredHere else {
            relay.host.counters.ownFailures.add(1, ordering: .relaxed)
            return relay.close(reset: true)
        }
        fail("answered what is no HTTP: \(error.reason)")
    }

    // MARK: Other languages

    private func becomeTunnel(_ bytes: ByteBuffer, _ head: MessageHead) {
        let rest = requestStash.take()
        var bytes = bytes
        guard let slice = bytes.readSlice(length: head.size) else { return }
        relay.write(slice, to: .client)
        let isHTTP2 = head.status == 101 && exchange.upgrade?.lowercased() == "h2c"
        let next: any Dialogue = isHTTP2 ? HTTP2Dialogue(relay, upgraded: true) : Tunnel(relay)
        relay.become(next)
        if bytes.readableBytes > 0 { next.receive(bytes, from: .server) }
        if let rest { next.receive(rest, from: .client) }
        relay.release(.client, .answer)
        if relay.hasEnded(.client) { relay.dialogueEnded(.client) }
    }

    private static func joined(_ stash: inout ByteBuffer?, _ bytes: ByteBuffer) -> ByteBuffer {
        guard var all = stash.take() else { return bytes }
        var more = bytes
        all.writeBuffer(&more)
        return all
    }
}

extension ByteBuffer {
    /// Reads the readable bytes in place.
    @inline(__always)
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        var result: Result<Value, Failure>?
        withUnsafeReadableBytes { bytes in
            do throws(Failure) { result = .success(try body(bytes)) } catch {
                result = .failure(error)
            }
        }
        // The closure is called once, before the call returns; only the compiler does not know.
        guard let result else { preconditionFailure("the closure runs") }
        return try result.get()
    }
}
