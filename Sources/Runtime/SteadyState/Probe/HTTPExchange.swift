// One connection of an HTTP probe: writes the request, reads the answer, drops the body.

import NIOCore
import NIOHTTP1

/// The request of an HTTP probe, ready to be written.
struct HTTPProbeRequest: Sendable {
    /// The head with all headers.
    let head: HTTPRequestHead
    /// The body; empty for none.
    let body: [UInt8]
    /// The statuses of a good answer.
    let isExpected: @Sendable (Int) -> Bool
    /// Whether connections are used again.
    let keepsAlive: Bool
}

/// What is at the HTTP end of a probe's connection.
///
/// It reads at most 1 MiB of a body. What is longer was answered as far as a probe is concerned, and the connection
/// is closed, so that an endless body costs neither time nor memory.
final class HTTPExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// How an exchange ended.
    enum End {
        /// With an answer; the connection may be used again.
        case answered(ProbeOutcome, reusable: Bool)
        /// Without one; `untouched` when no byte of an answer had come.
        case failed(String, untouched: Bool)
    }

    static let bodyLimit = 1_048_576

    private let request: HTTPProbeRequest
    private var done: ((End) -> Void)?
    private var status: HTTPResponseStatus?
    private var isReusable = false
    private var received = 0

    init(_ request: HTTPProbeRequest) {
        self.request = request
    }

    /// Writes the request; `done` is called once.
    func begin(on channel: any Channel, done: @escaping (End) -> Void) {
        self.done = done
        status = nil
        received = 0
        let pipeline = channel.pipeline.syncOperations
        pipeline.write(wrapOutboundOut(.head(request.head)), promise: nil)
        if !request.body.isEmpty {
            let buffer = channel.allocator.buffer(bytes: request.body)
            pipeline.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        pipeline.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            status = head.status
            isReusable = head.isKeepAlive
        case .body(let part):
            received += part.readableBytes
            if received > Self.bodyLimit { finish(reusable: false) }
        case .end:
            finish(reusable: isReusable && request.keepsAlive)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(ConnectionTrouble.words(error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(ConnectionTrouble.closedEarly)
        context.fireChannelInactive()
    }

    private func finish(reusable: Bool) {
        guard let status else { return fail("an answer without a status") }
        let code = Int(status.code)
        let outcome: ProbeOutcome = request.isExpected(code) ? .good : .bad("status \(code)")
        end(.answered(outcome, reusable: reusable))
    }

    private func fail(_ reason: String) {
        end(.failed(reason, untouched: status == nil && received == 0))
    }

    private func end(_ end: End) {
        let done = self.done
        self.done = nil
        done?(end)
    }
}
