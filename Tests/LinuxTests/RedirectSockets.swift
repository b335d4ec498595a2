// What tests of redirects do with sockets beyond sending: answer whoever sent, and look at who answered.

import ChaosModel
import Glibc

@testable import ChaosLinux

extension TestSocket {
    /// A datagram and its sender; nil when none comes in time.
    func receiveFrom(within limit: Duration = .seconds(5)) -> (bytes: [UInt8], from: SocketEnd)? {
        guard Poll.firstReadable([descriptor.number], within: limit) != nil else { return nil }
        var buffer = [UInt8](repeating: 0, count: 2048)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let number = descriptor.number
        let count = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                recvfrom(number, &buffer, buffer.count, 0, name, &length)
            }
        }
        guard count >= 0, let end = Self.end(of: storage) else { return nil }
        return (Array(buffer[..<count]), end)
    }

    /// Sends to whom a datagram came from.
    @discardableResult
    func answer(_ bytes: [UInt8], to end: SocketEnd) -> Bool {
        send(bytes, to: end.port, at: end.address.addressText)
    }

    /// Takes one connection; nil when none comes in time.
    func accept(within limit: Duration = .seconds(5)) -> AcceptedSocket? {
        guard Poll.firstReadable([descriptor.number], within: limit) != nil else { return nil }
        let number = Glibc.accept(descriptor.number, nil, nil)
        return number < 0 ? nil : AcceptedSocket(number)
    }

    static func end(of storage: sockaddr_storage) -> SocketEnd? {
        withUnsafeBytes(of: storage) { bytes in
            let isIPv6 = storage.ss_family == sa_family_t(AF_INET6)
            let address = isIPv6 ? Array(bytes[8..<24]) : Array(bytes[4..<8])
            return NetworkAddress(bytes: address).map {
                SocketEnd($0, port: Int(bytes[2]) << 8 | Int(bytes[3]))
            }
        }
    }
}

/// A connection that a test's listener took.
final class AcceptedSocket: Sendable {
    private let descriptor: Descriptor
    var number: Int32 { descriptor.number }

    init(_ number: Int32) { descriptor = Descriptor(number) }

    /// Where it was meant to go, when it was redirected (SO_ORIGINAL_DST, the same number in both families).
    var originalDestination: SocketEnd? {
        for level in [IPPROTO_IP, IPPROTO_IPV6].map({ Int32($0) }) {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            if getsockopt(number, level, 80, &storage, &length) == 0 {
                return TestSocket.end(of: storage)
            }
        }
        return nil
    }
}
