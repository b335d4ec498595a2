// The two ends of a relay in NIO's pipelines: they only pass events on.

import NIOCore

/// One end.
final class RelayEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let side: Side
    private var relay: Relay?

    init(_ relay: Relay, _ side: Side) {
        self.relay = relay
        self.side = side
    }

    func channelActive(context: ChannelHandlerContext) {
        if side == .client { relay?.started(context) } else { relay?.connected(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        relay?.received(unwrapInboundIn(data), from: side)
    }

    func read(context: ChannelHandlerContext) {
        if relay?.wantsRead(side) ?? true { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        relay?.writabilityChanged(side, context.channel.isWritable)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { relay?.ended(side) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        relay?.gone(side, error)
        relay = nil
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        relay?.gone(side)
        relay = nil
    }
}
