// The addresses of this namespace's interfaces: what is served there is served by this host.

import ChaosModel
import Glibc

/// Reads addresses of interfaces.
enum InterfaceAddresses {
    /// All, of both families; none when the kernel does not tell.
    static func all() -> [NetworkAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var found: [NetworkAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            if let raw = entry.ifa_addr, let address = NetworkAddress(socketAddress: raw) {
                found.append(address)
            }
        }
        return found
    }
}

extension NetworkAddress {
    /// The address in a socket address; nil for other families.
    init?(socketAddress: UnsafeMutablePointer<sockaddr>) {
        let raw = UnsafeRawPointer(socketAddress)
        switch Int32(socketAddress.pointee.sa_family) {
        case AF_INET:
            let address = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
            self.init(bytes: withUnsafeBytes(of: address) { Array($0) })
        case AF_INET6:
            let address = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            self.init(bytes: withUnsafeBytes(of: address) { Array($0) })
        default: return nil
        }
    }
}
