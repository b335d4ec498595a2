// Sockets in a namespace: opened by a thread that is there, used from anywhere.

import ChaosModel
import Glibc

@testable import ChaosLinux

/// A socket of a test.
final class TestSocket: Sendable {
    /// How long a test waits for what should not come.
    private static let patience = Duration.milliseconds(200)

    let descriptor: Descriptor
    let port: Int

    /// Opens a socket bound to an address; a TCP socket listens when asked to.
    init(
        _ kind: PacketProtocol,
        _ address: String,
        port: Int = 0,
        listens: Bool = false,
        in namespace: NetworkNamespace
    ) throws {
        let type = Int32((kind == .tcp ? SOCK_STREAM : SOCK_DGRAM).rawValue)
        let family = address.contains(":") ? AF_INET6 : AF_INET
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let number = try LinuxNamespaces.within(namespace) { () throws(KernelError) -> Int32 in
            let number = socket(family, type | flags, 0)
            guard number >= 0 else { throw .system(errno, "open a socket") }
            return number
        }
        descriptor = Descriptor(number)
        guard Self.with(address, port, { bind(number, $0, $1) }) == 0 else {
            throw KernelError.system(errno, "bind to \(address)")
        }
        if listens { listen(number, 8) }
        self.port = try SocketEnd.port(of: number, "bind to \(address)")
    }

    /// Whether a datagram gets to `receiver` by an address of it.
    func reaches(_ receiver: TestSocket, at address: String) -> Bool {
        let sent = Self.with(address, receiver.port) { peer, length in
            sendto(descriptor.number, "x", 1, 0, peer, length)
        }
        guard sent == 1 else { return false }
        guard Poll.firstReadable([receiver.descriptor.number], within: Self.patience) != nil else {
            return false
        }
        var byte: UInt8 = 0
        return recv(receiver.descriptor.number, &byte, 1, 0) == 1
    }

    /// Sends a datagram; false when it did not go out.
    func send(_ bytes: [UInt8], to port: Int, at address: String) -> Bool {
        Self.with(address, port) { peer, length in
            sendto(descriptor.number, bytes, bytes.count, 0, peer, length)
        } == bytes.count
    }

    /// A datagram that is there already.
    func receive() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = recv(descriptor.number, &buffer, buffer.count, 0)
        return count < 0 ? nil : Array(buffer[..<count])
    }

    /// Waits until a datagram is there, or not.
    func wait(milliseconds: Int) {
        _ = Poll.firstReadable([descriptor.number], within: .milliseconds(milliseconds))
    }

    /// Whether a connection to `listener` comes about.
    func connects(to listener: TestSocket, at address: String) -> Bool {
        let number = descriptor.number
        let code = Self.with(address, listener.port) { connect(number, $0, $1) }
        if code == 0 { return true }
        guard errno == EINPROGRESS else { return false }
        var set = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        guard poll(&set, 1, 200) == 1 else { return false }
        var problem: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(number, SOL_SOCKET, SO_ERROR, &problem, &length)
        return problem == 0
    }

    /// Nil for a text that is no address.
    private static func with<Value>(
        _ text: String,
        _ port: Int,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value? {
        NetworkAddress(text).map { SocketEnd($0, port: port).withAddress(body) }
    }
}
