// What the responder needs of the machine: sockets in the namespace of a station, and where redirected traffic was
// meant to go. The worker has the real one; the responder itself never opens a socket.

package import ChaosModel

/// The machine around one station.
package protocol ResolverHost: Sendable {
    /// Where a datagram from `client` to the listener at `listener` was meant to go; nil when that is not known.
    func destination(ofDatagramFrom client: SocketEnd, to listener: SocketEnd) -> SocketEnd?

    /// A socket of UDP that is connected to a resolver, marked as ours.
    func connectDatagrams(to resolver: SocketEnd) throws(KernelError) -> Int32

    /// A socket of TCP that has begun to connect to a resolver, marked as ours and non-blocking.
    func connectStream(to resolver: SocketEnd) throws(KernelError) -> Int32
}

/// The open sockets of a station; the responder closes them.
package struct StationSockets: Sendable {
    /// A listener of UDP.
    package struct Datagrams: Sendable {
        /// The bound socket.
        package var descriptor: Int32
        /// Its address and port.
        package var address: SocketEnd
        /// The resolver that all its queries are meant for; nil when each must be looked up.
        package var resolver: SocketEnd?

        /// Makes a listener of a bound socket.
        package init(_ descriptor: Int32, at address: SocketEnd, for resolver: SocketEnd? = nil) {
            self.descriptor = descriptor
            self.address = address
            self.resolver = resolver
        }
    }

    /// A listener of TCP.
    package struct Streams: Sendable {
        /// The listening socket.
        package var descriptor: Int32
        /// Whether it is IPv6.
        package var isIPv6: Bool
        /// The resolver that all its connections are meant for; nil when each must be looked up.
        package var resolver: SocketEnd?

        /// Makes a listener of a listening socket.
        package init(_ descriptor: Int32, isIPv6: Bool, for resolver: SocketEnd? = nil) {
            self.descriptor = descriptor
            self.isIPv6 = isIPv6
            self.resolver = resolver
        }
    }

    /// The listeners of UDP.
    package var datagrams: [Datagrams]
    /// The listeners of TCP.
    package var streams: [Streams]

    /// Makes a set of sockets.
    package init(datagrams: [Datagrams], streams: [Streams]) {
        self.datagrams = datagrams
        self.streams = streams
    }
}
