// The language of one connection, as a part that a relay drives: HTTP/1, HTTP/2, or bytes that are not looked at.

import NIOCore

/// One end of a relayed connection.
enum Side {
    case client, server

    var other: Side { self == .client ? .server : .client }
}

/// Interprets what both ends say, and decides what goes on.
///
/// Everything happens on the relay's event loop.
protocol Dialogue: AnyObject {
    /// Bytes came.
    func receive(_ bytes: ByteBuffer, from side: Side)
    /// An end will say no more.
    func ended(_ side: Side)
    /// Reading from an end goes on after a hold; what was put aside can be dealt with.
    func resumed(_ side: Side)
    /// The upstream is not there; called at most once.
    func upstreamFailed(_ reason: String)
    /// Whether nothing is under way, so that the connection can be closed without harm.
    var isIdle: Bool { get }
    /// The connection is to be closed as soon as nothing is under way.
    func drain()
}

extension Dialogue {
    func drain() {}
}
