// One connection of somebody who asks, and its connection to the real resolver.

import ChaosModel
import Glibc
import NIOCore
import NIOPosix

/// Serves the queries of one connection.
final class ClientStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The most queries of a connection that are held back.
    private static let heldLimit = 1024

    private let listener: StationSockets.Streams
    private let host: any ResolverHost
    private let decide: @Sendable (ByteBuffer) -> StreamVerdict
    private var frames = FrameBuffer()
    private var upstream: (any Channel)?
    private var held = 0
    private var isInputClosed = false

    init(
        _ listener: StationSockets.Streams,
        _ host: any ResolverHost,
        decide: @escaping @Sendable (ByteBuffer) -> StreamVerdict
    ) {
        self.listener = listener
        self.host = host
        self.decide = decide
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        frames.add(&bytes)
        while let message = frames.next() { take(message, context) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        upstream?.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        upstream?.close(promise: nil)
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // Answers wait at the resolver until they can be passed on.
        upstream?.setOption(.autoRead, value: context.channel.isWritable).whenComplete { _ in }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            endInput(context)
        case is IdleStateHandler.IdleStateEvent: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func take(_ message: ByteBuffer, _ context: ChannelHandlerContext) {
        let verdict = decide(message)
        guard verdict.delay > .zero, held < Self.heldLimit else {
            return act(verdict.ending, message, context)
        }
        held += 1
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: verdict.delay) {
            let (stream, context) = bound.value
            stream.held -= 1
            guard context.channel.isActive else { return }
            stream.act(verdict.ending, message, context)
            context.flush()
            stream.upstream?.flush()
            stream.endInput(context)
        }
    }

    private func act(
        _ ending: StreamVerdict.Ending,
        _ message: ByteBuffer,
        _ context: ChannelHandlerContext
    ) {
        switch ending {
        case .drop: break
        case .answer(let answer):
            context.write(wrapOutboundOut(FrameBuffer.frame(answer)), promise: nil)
        case .pass:
            guard let upstream = upstream ?? connect(context) else {
                return context.close(promise: nil)
            }
            upstream.write(FrameBuffer.frame(message), promise: nil)
        }
    }

    /// Says to the resolver that no more comes, once nothing is held any more.
    private func endInput(_ context: ChannelHandlerContext) {
        guard isInputClosed, held == 0 else { return }
        if let upstream {
            upstream.close(mode: .output, promise: nil)
        } else {
            context.close(mode: .all, promise: nil)
        }
    }

    /// Begins to connect to the resolver that the connection was meant for; nil when that cannot be.
    private func connect(_ context: ChannelHandlerContext) -> (any Channel)? {
        guard let resolver = listener.resolver ?? destination(of: context.channel),
            resolver.port != context.localAddress?.port
                || resolver.address.addressText
                    != context.localAddress?.ipAddress,
            let descriptor = try? host.connectStream(to: resolver)
        else { return nil }
        let client = context.channel
        let made = ClientBootstrap(group: context.eventLoop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ResolverStream(client))
                }
            }
            .withConnectedSocket(descriptor)
        // On its own loop it is there at once, or has failed.
        upstream = try? made.syncResult()
        return upstream
    }

    /// Where the kernel redirected the connection from.
    private func destination(of channel: any Channel) -> SocketEnd? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        let level = listener.isIPv6 ? NIOBSDSocket.OptionLevel.ipv6 : .ip
        // SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST.
        let asked: EventLoopFuture<sockaddr_storage> = options.unsafeGetSocketOption(
            level: level,
            name: NIOBSDSocket.Option(rawValue: 80)
        )
        guard let storage = try? asked.syncResult() else { return nil }
        return withUnsafeBytes(of: storage) { bytes in
            let address = listener.isIPv6 ? Array(bytes[8..<24]) : Array(bytes[4..<8])
            return NetworkAddress(bytes: address).map {
                SocketEnd($0, port: Int(bytes[2]) << 8 | Int(bytes[3]))
            }
        }
    }
}

/// The connection to the real resolver: what it answers goes to who asked, message by message, since answers of ours
/// may come between.
final class ResolverStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: any Channel
    private var frames = FrameBuffer()

    init(_ client: any Channel) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        frames.add(&bytes)
        while let message = frames.next() { client.write(FrameBuffer.frame(message), promise: nil) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { client.flush() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        client.close(promise: nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

extension EventLoopFuture where Value: Sendable {
    /// What a future of the current loop has come to already; throws when it has not.
    fileprivate func syncResult() throws -> Value {
        let found = NIOLoopBoundBox<Result<Value, any Error>?>(nil, eventLoop: eventLoop)
        whenComplete { found.value = $0 }
        guard let result = found.value else { throw CancellationError() }
        return try result.get()
    }
}
