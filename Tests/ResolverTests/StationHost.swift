// A station of a test on the loopback interface, a resolver behind it, and a client before it.

import ChaosModel
import Glibc

@testable import ChaosResolver

/// Plain sockets in the namespace of the tests.
struct PlainSockets: ResolverHost {
    func destination(ofDatagramFrom client: SocketEnd, to listener: SocketEnd) -> SocketEnd? { nil }

    func connectDatagrams(to resolver: SocketEnd) throws(KernelError) -> Int32 {
        try Self.connected(SOCK_DGRAM, to: resolver)
    }

    func connectStream(to resolver: SocketEnd) throws(KernelError) -> Int32 {
        try Self.connected(SOCK_STREAM, to: resolver)
    }

    static func connected(_ type: __socket_type, to end: SocketEnd) throws(KernelError) -> Int32 {
        let flags = Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(AF_INET, flags, 0)
        guard withAddress(end, { connect(number, $0, $1) }) == 0 || errno == EINPROGRESS else {
            throw KernelError(.failed, "connect to \(end)", String(cString: strerror(errno)))
        }
        return number
    }

    /// A socket that is bound to a free port of the loopback.
    static func bound(_ type: __socket_type) throws(KernelError) -> (
        descriptor: Int32, end: SocketEnd
    ) {
        let flags = Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(AF_INET, flags, 0)
        guard let loopback = NetworkAddress("127.0.0.1"),
            withAddress(SocketEnd(loopback, port: 0), { bind(number, $0, $1) }) == 0
        else { throw KernelError(.failed, "bind", String(cString: strerror(errno))) }
        if type == SOCK_STREAM { listen(number, 128) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(number, $0, &length)
            }
        }
        return (number, SocketEnd(loopback, port: Int(UInt16(bigEndian: address.sin_port))))
    }

    private static func withAddress(
        _ end: SocketEnd,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(end.port).bigEndian
        address.sin_addr.s_addr =
            end.address.bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            .bigEndian
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// A socket of a test, closed with it.
final class Peer {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) -> Bool {
        Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// What comes next; nil when nothing does in time, empty at the end of a stream.
    func receive(milliseconds: Int32 = 5000) -> [UInt8]? {
        var set = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&set, 1, milliseconds) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 70_000)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : Array(buffer[..<count])
    }

    /// A datagram with where it came from.
    func receiveFrom(milliseconds: Int32 = 5000) -> (bytes: [UInt8], from: sockaddr_in)? {
        var set = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&set, 1, milliseconds) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 70_000)
        var from = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = descriptor
        let count = withUnsafeMutablePointer(to: &from) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(number, &buffer, buffer.count, 0, $0, &length)
            }
        }
        return count < 0 ? nil : (Array(buffer[..<count]), from)
    }

    func answer(_ bytes: [UInt8], to end: sockaddr_in) {
        let number = descriptor
        _ = withUnsafePointer(to: end) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(number, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Takes one connection.
    func accept(milliseconds: Int32 = 5000) -> Peer? {
        var set = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&set, 1, milliseconds) == 1 else { return nil }
        let number = Glibc.accept(descriptor, nil, nil)
        return number < 0 ? nil : Peer(number)
    }
}

/// A station with one resolver behind it.
struct TestStation {
    let responder: Resolver
    let number: Int
    /// The listeners, for clients.
    let datagrams: SocketEnd
    let streams: SocketEnd
    /// The resolver's sockets.
    let resolver: Peer
    let resolverStreams: Peer
    let resolverEnd: SocketEnd

    init() async throws {
        let datagrams = try PlainSockets.bound(SOCK_DGRAM)
        let streams = try PlainSockets.bound(SOCK_STREAM)
        let resolver = try PlainSockets.bound(SOCK_DGRAM)
        let resolverStreams = try PlainSockets.bound(SOCK_STREAM)
        self.datagrams = datagrams.end
        self.streams = streams.end
        self.resolver = Peer(resolver.descriptor)
        self.resolverStreams = Peer(resolverStreams.descriptor)
        resolverEnd = resolver.end
        responder = try Resolver()
        number = try await responder.open(
            StationSockets(
                datagrams: [
                    StationSockets.Datagrams(
                        datagrams.descriptor,
                        at: datagrams.end,
                        for: resolver.end
                    )
                ],
                streams: [
                    StationSockets.Streams(
                        streams.descriptor,
                        isIPv6: false,
                        for: resolverStreams.end
                    )
                ]
            ),
            host: PlainSockets()
        )
    }

    func client() throws -> Peer { Peer(try PlainSockets.connected(SOCK_DGRAM, to: datagrams)) }

    func stream() throws -> Peer {
        let peer = Peer(try PlainSockets.connected(SOCK_STREAM, to: streams))
        var set = pollfd(fd: peer.descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&set, 1, 5000) == 1 else { throw KernelError(.failed, "connect", "timed out") }
        return peer
    }

    func add(_ action: NameAction, names: [NamePattern] = [.all], lease: String = "one") {
        responder.add(NameRule(names: names, action: action), lease: lease, to: number)
    }
}

/// What /proc says of the memory of the tests, in bytes.
var residentBytes: Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return 0 }
    let text = String(
        decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
        as: UTF8.self
    )
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
}
