// The sockets of the loop: listeners where queries come in, and one connected socket for each real resolver.

import CDatagrams
import ChaosModel
import Glibc

/// A socket that the loop serves; closed with the object.
final class Lane {
    let token: UInt64
    let station: Int
    let descriptor: Int32
    /// The listener, for a socket to a resolver; nil for a listener.
    let listener: Lane?
    /// Where a listener is.
    let address: SocketEnd
    /// The resolver that a listener is for; nil when each query is looked up.
    let resolver: SocketEnd?
    /// The queries that wait for an answer of this resolver.
    var waiting: Upstream
    /// A listener's sockets to resolvers, and the order in which they came.
    var upstreams: [SocketEnd: Lane] = [:]
    var order: [SocketEnd] = []
    /// The one that served last.
    var latest: Lane?

    /// A listener.
    init(_ listener: StationSockets.Datagrams, token: UInt64, station: Int) {
        self.token = token
        self.station = station
        self.listener = nil
        descriptor = listener.descriptor
        address = listener.address
        resolver = listener.resolver
        waiting = Upstream()
    }

    /// A socket to a resolver.
    init(_ descriptor: Int32, to resolver: SocketEnd, for listener: Lane, token: UInt64) {
        self.token = token
        self.station = listener.station
        self.listener = listener
        self.descriptor = descriptor
        self.address = listener.address
        self.resolver = resolver
        waiting = Upstream()
    }

    /// Ends the ties between listener and upstream, which hold each other.
    func cut() {
        upstreams = [:]
        order = []
        latest = nil
    }

    deinit { close(descriptor) }
}

/// Datagrams of one batch that go out by one socket.
struct Outgoing {
    let messages = UnsafeMutablePointer<dg_message>.allocate(capacity: Int(DG_BATCH))
    private(set) var count = 0

    /// Adds one; a batch that is received has never more than there is room for.
    mutating func add(_ message: dg_message) {
        guard count < Int(DG_BATCH) else { return }
        messages[count] = message
        count += 1
    }

    /// Sends all by a socket; how many could not be sent.
    mutating func send(by descriptor: Int32, with batch: OpaquePointer) -> UInt64 {
        guard count > 0 else { return 0 }
        defer { count = 0 }
        return UInt64(dg_send(batch, descriptor, messages, UInt32(count)))
    }
}

extension dg_end {
    /// The end as a value; nil for another family.
    var end: SocketEnd? {
        var copy = self
        let bytes = withUnsafeBytes(of: &copy.bytes) { Array($0.prefix(Int(length))) }
        guard bytes.count >= 8 else { return nil }
        let family = UInt16(bytes[0]) | UInt16(bytes[1]) << 8
        let address = family == UInt16(AF_INET6) ? bytes.dropFirst(8).prefix(16) : bytes[4..<8]
        return NetworkAddress(bytes: Array(address)).map {
            SocketEnd($0, port: Int(bytes[2]) << 8 | Int(bytes[3]))
        }
    }
}
