// Sockets of one namespace, opened from anywhere: a socket stays in the namespace of the thread that opened it.

package import ChaosModel
import ChaosThreads
import Glibc

/// Opens sockets in a network namespace, which it keeps open.
package final class NamespaceSockets: Sendable {
    /// The namespace.
    package let namespace: NetworkNamespace
    private let file: NamespaceFile

    /// Opens exactly this namespace; throws `.gone` when its path leads elsewhere.
    package init(_ namespace: NetworkNamespace) throws(KernelError) {
        self.namespace = namespace
        file = try NamespaceFile.open(namespace)
    }

    /// Runs `body` on a thread that is in the namespace, and waits.
    package func within<Value: Sendable>(
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        if NamespaceFile.inode(of: "/proc/thread-self/ns/net") == namespace.inode {
            return try body()
        }
        return try OwnThread.run { [self] () throws(KernelError) -> Value in
            try file.enter()
            return try body()
        }
    }

    /// A non-blocking socket bound to an address; one of TCP listens.
    ///
    /// Port 0 is one that is free.
    package func bound(
        _ transport: PacketProtocol,
        at end: SocketEnd
    ) throws(KernelError) -> (descriptor: Int32, port: Int) {
        let operation = "listen on \(end) in \(namespace.path)"
        var socket = try open(transport, end, operation)
        let code = end.withAddress { bind(socket.number, $0, $1) }
        guard code == 0 else { throw .system(errno, operation) }
        if transport == .tcp, listen(socket.number, 4096) != 0 { throw .system(errno, operation) }
        let port = try SocketEnd.port(of: socket.number, operation)
        return (socket.release(), port)
    }

    /// The same; nil where the end is of IPv6 and the namespace has none.
    package func boundWhereThere(
        _ transport: PacketProtocol,
        at end: SocketEnd
    ) throws(KernelError) -> (descriptor: Int32, port: Int)? {
        do throws(KernelError) {
            return try bound(transport, at: end)
        } catch {
            let isMissing =
                error.kind == .unsupported
                || error.reason.contains(String(cString: strerror(EADDRNOTAVAIL)))
            guard end.address.isIPv6, isMissing else { throw error }
            return nil
        }
    }

    /// A non-blocking socket, marked as ours, that is connected to an address; of TCP, it has begun to connect.
    package func connected(
        _ transport: PacketProtocol,
        to end: SocketEnd
    ) throws(KernelError) -> Int32 {
        let operation = "connect to \(end) in \(namespace.path)"
        var socket = try open(transport, end, operation)
        try RedirectMark.apply(to: socket.number)
        let code = end.withAddress { connect(socket.number, $0, $1) }
        guard code == 0 || errno == EINPROGRESS else { throw .system(errno, operation) }
        return socket.release()
    }

    private func open(
        _ transport: PacketProtocol,
        _ end: SocketEnd,
        _ operation: String
    ) throws(KernelError) -> Descriptor {
        let type = transport == .tcp ? SOCK_STREAM : SOCK_DGRAM
        let flags = Int32(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let family = end.address.isIPv6 ? AF_INET6 : AF_INET
        let number = try within { () throws(KernelError) -> Int32 in
            let number = socket(family, flags, 0)
            guard number >= 0 else { throw .system(errno, operation) }
            return number
        }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout.size(ofValue: on))
        // The same port serves both families, each by its own socket.
        if end.address.isIPv6 { setsockopt(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, size) }
        if transport == .tcp { setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, size) }
        if transport == .udp {
            var room: Int32 = 4 << 20
            for (plain, forced) in [(SO_RCVBUF, SO_RCVBUFFORCE), (SO_SNDBUF, SO_SNDBUFFORCE)]
            where setsockopt(number, SOL_SOCKET, forced, &room, size) != 0 {
                setsockopt(number, SOL_SOCKET, plain, &room, size)
            }
        }
        return Descriptor(number)
    }
}
