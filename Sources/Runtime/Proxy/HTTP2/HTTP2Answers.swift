// Answers that are made here: those of faults, and our own failures when the upstream is not there.

import NIOCore
import NIOHPACK
import Synchronization

extension HTTP2Dialogue {
    private typealias Kind = HTTP2Frame.Kind

    /// Gives a fault's answer.
    func give(_ answer: Verdict.Answer, to stream: HTTP2Stream) {
        guard streams[stream.id] === stream else { return }
        switch answer {
        case .reset:
            // CANCEL: what a server sends that gives up (RFC 9113, section 7).
            tell(HTTP2Frame.number(Kind.reset, stream: stream.id, 8))
            forget(stream)
        case .grpc(let code, let message):
            let headers = [
                ("content-type", "application/grpc"), ("grpc-status", "\(code)"),
                ("grpc-message", message.percentEncodedForGRPC),
            ]
            write(200, headers, body: "", to: stream)
        case .http(let status, let headers, let body):
            write(HTTP1Answer(status: status, headers: headers, body: body), to: stream)
        }
    }

    /// The upstream is not there: from now on we stand in for it, and say so to each request.
    func upstreamFailed(_ reason: String) {
        isAlone = true
        relay.write(HTTP2Frame.whole(Kind.settings), to: .client)
        for _ in 0..<settingsToAcknowledge {
            relay.write(
                HTTP2Frame.whole(Kind.settings, flags: HTTP2Frame.Flag.acknowledge),
                to: .client
            )
        }
        settingsToAcknowledge = 0
        hasSettings()
        for stream in streams.values where !stream.isAnsweredHere { fail(stream) }
    }

    /// Says that the upstream is not there.
    func fail(_ stream: HTTP2Stream) {
        relay.host.counters.ownFailures.add(1, ordering: .relaxed)
        stream.isAnsweredHere = true
        let reason = "upstream \(relay.upstreamFailure ?? "is gone")"
        guard stream.isGRPC else {
            return write(HTTP1Answer.ownFailure(502, reason), to: stream)
        }
        let headers = [
            ("content-type", "application/grpc"), ("grpc-status", "14"),
            ("grpc-message", "moonquake: \(reason)".percentEncodedForGRPC),
            (HTTP1Answer.mark, reason),
        ]
        write(200, headers, body: "", to: stream)
    }

    /// Writes an answer as soon as the client's window has room for it.
    func write(_ answer: HTTP1Answer, to stream: HTTP2Stream) {
        guard streams[stream.id] === stream else { return }
        let body = stream.isHead ? "" : answer.body
        guard body.utf8.count <= clientWindow else {
            waitingAnswers.append((stream, answer))
            return
        }
        var headers = answer.headers.sorted { $0.key < $1.key }.map {
            ($0.key.lowercased(), $0.value)
        }
        // A small stream window cuts the body; without a length that is no lie.
        let fits = body.utf8.count <= streamWindow
        if fits { headers.append(("content-length", "\(answer.body.utf8.count)")) }
        let sent = fits ? body : String(decoding: body.utf8.prefix(streamWindow), as: UTF8.self)
        write(answer.status, headers, body: sent, to: stream)
    }

    private func write(
        _ status: Int,
        _ headers: [(String, String)],
        body: String,
        to stream: HTTP2Stream
    ) {
        let isFirst = !hasWrittenTo.client
        hasWrittenTo.client = true
        var bytes = HeaderBlock.frames(
            HPACKHeaders([(":status", "\(status)")] + headers),
            stream: stream.id,
            endsStream: body.isEmpty,
            isFirst: isFirst
        )
        var rest = ByteBuffer(string: body)
        clientWindow -= rest.readableBytes
        while let part = rest.readSlice(length: min(rest.readableBytes, HTTP2Frame.sureSize)),
            part.readableBytes > 0
        {
            let flags = rest.readableBytes == 0 ? HTTP2Frame.Flag.endStream : 0
            bytes.writeImmutableBuffer(
                HTTP2Frame.whole(Kind.data, flags: flags, stream: stream.id, part)
            )
        }
        if !stream.clientIsDone {
            // The client need not send the rest (RFC 9113, section 8.1).
            bytes.writeImmutableBuffer(HTTP2Frame.number(Kind.reset, stream: stream.id, 0))
        }
        tell(bytes)
        forget(stream)
    }
}

extension String {
    /// As gRPC wants messages: visible ASCII but for the percent sign as it is, all else in percent.
    var percentEncodedForGRPC: String {
        utf8.map { byte in
            (0x20...0x7e).contains(byte) && byte != 0x25
                ? String(UnicodeScalar(byte))
                : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
