// An address as the kernel writes it, which most connections need never be made a value of.

import ChaosModel
import Glibc
import NIOCore

/// A socket's address of either family.
struct RawAddress {
    private var storage = sockaddr_in6()
    private var length = socklen_t(MemoryLayout<sockaddr_in6>.size)

    /// Makes an address that is to be filled.
    init() {}

    /// Makes one from NIO's; nil for one of another family.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let address):
            var given = address.address
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &storage) { room in
                withUnsafeBytes(of: &given) { room.copyMemory(from: $0) }
            }
        case .v6(let address): storage = address.address
        case .unixDomainSocket: return nil
        }
    }

    var isIPv6: Bool { Int32(storage.sin6_family) == AF_INET6 }

    var family: Int32 { Int32(storage.sin6_family) }

    /// The port stands at the same place in both families.
    var port: Int { Int(UInt16(bigEndian: storage.sin6_port)) }

    /// The address without its port; IPv4 in IPv6 is IPv4.
    var networkAddress: NetworkAddress? {
        withUnsafeBytes(of: storage) { bytes in
            guard isIPv6 else { return NetworkAddress(bytes: Array(bytes[4..<8])) }
            let all = Array(bytes[8..<24])
            let isMapped =
                all[..<10].allSatisfy { $0 == 0 } && all[10] == 255 && all[11] == 255
            return NetworkAddress(bytes: isMapped ? Array(all[12...]) : all)
        }
    }

    /// Address and port.
    var end: SocketEnd? { networkAddress.map { SocketEnd($0, port: port) } }

    /// `10.9.0.2:8080`, `[fd00::1]:8080`.
    var textual: String { end?.description ?? "?" }

    /// Lets a call of the kernel fill it.
    mutating func filled(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> Int32 {
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &length) }
        }
    }

    /// Gives it to a call of the kernel.
    func given<Value>(to call: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, length) }
        }
    }
}
