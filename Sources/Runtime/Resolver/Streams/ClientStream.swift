// One connection of somebody who asks, and its connection to the real resolver.

import ChaosModel
import Glibc
import NIOCore
import NIOPosix

/// Serves the queries of one connection.
final class ClientStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The event that lets go what is held back.
    struct Release: Sendable {}

    /// A query that is held back.
    private struct Held {
        var ending: StreamVerdict.Ending
        var message: ByteBuffer
    }

    /// The most queries of a connection that are held back.
    private static let heldLimit = 1024

    private let listener: StationSockets.Streams
    private let host: any ResolverHost
    private let station: Int
    private let server: StreamServer
    private var frames = FrameBuffer()
    private var upstream: (any Channel)?
    /// By number, in the order in which they came.
    private var held: [Int: Held] = [:]
    private var heldSoFar = 0
    private var isInputClosed = false

    init(
        _ listener: StationSockets.Streams,
        _ host: any ResolverHost,
        of station: Int,
        _ server: StreamServer
    ) {
        self.listener = listener
        self.host = host
        self.station = station
        self.server = server
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
        case is Release:
            for number in held.keys.sorted() { letGo(number, context) }
            endInput(context)
        // What is held back for longer than that is no idle connection.
        case is IdleStateHandler.IdleStateEvent where held.isEmpty: context.close(promise: nil)
        case is IdleStateHandler.IdleStateEvent: break
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func take(_ message: ByteBuffer, _ context: ChannelHandlerContext) {
        let verdict = server.decide(message, of: station)
        guard verdict.delay > .zero else { return act(verdict.ending, message, context) }
        guard held.count < Self.heldLimit else {
            server.noteBypass(in: station)
            return act(verdict.ending, message, context)
        }
        server.note(1, on: context.channel)
        heldSoFar += 1
        let number = heldSoFar
        held[number] = Held(ending: verdict.ending, message: message)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: verdict.delay) {
            let (stream, context) = bound.value
            stream.letGo(number, context)
            stream.endInput(context)
        }
    }

    /// Does what was held back, unless it was done before.
    private func letGo(_ number: Int, _ context: ChannelHandlerContext) {
        guard let one = held.removeValue(forKey: number), context.channel.isActive else { return }
        act(one.ending, one.message, context)
        server.note(-1, on: context.channel)
        context.flush()
        upstream?.flush()
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
            server.note(1, on: context.channel)
            upstream.write(FrameBuffer.frame(message), promise: nil)
        }
    }

    /// Says to the resolver that no more comes, once nothing is held any more.
    private func endInput(_ context: ChannelHandlerContext) {
        guard isInputClosed, held.isEmpty, context.channel.isActive else { return }
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
        let server = server
        let made = ClientBootstrap(group: context.eventLoop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ResolverStream(client, server))
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
    private let server: StreamServer
    private var frames = FrameBuffer()

    init(_ client: any Channel, _ server: StreamServer) {
        self.client = client
        self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        frames.add(&bytes)
        while let message = frames.next() {
            server.note(-1, on: client)
            client.write(FrameBuffer.frame(message), promise: nil)
        }
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
