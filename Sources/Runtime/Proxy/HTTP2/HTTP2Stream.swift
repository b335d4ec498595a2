// One stream: who has said all, and what a fault keeps back of it.

import NIOCore

/// A request and its answer on a connection of HTTP/2.
final class HTTP2Stream {
    /// Frames of one direction that a fault keeps back, whole ones, in order.
    struct Queue {
        var frames: CircularBuffer<ByteBuffer> = []
        /// Whether frames are kept back for now.
        var isHeld = false
        var paces: [any Pace] = []
        /// How many bytes of the next frame may go already.
        var credit = 0

        var isOpen: Bool { !isHeld && paces.isEmpty && frames.isEmpty }
    }

    let id: UInt32
    /// Whether it is answered here, so that nothing of it goes to the upstream.
    var isAnsweredHere = false
    var isGRPC = false
    var isHead = false
    var clientIsDone = false
    var serverIsDone = false
    /// How late its answer is to be; none once that is settled.
    var delays = Delays()
    var toClient = Queue()
    var toServer = Queue()

    init(_ id: UInt32) { self.id = id }

    func queue(to side: Side) -> Queue { side == .client ? toClient : toServer }

    func change<Value>(_ side: Side, _ body: (inout Queue) -> Value) -> Value {
        side == .client ? body(&toClient) : body(&toServer)
    }
}
