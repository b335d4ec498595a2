// Ends of connections as the calls of sockets take and give them: both families keep the port at the same place.

import ChaosModel
import Glibc

extension SocketEnd {
    /// Gives the end to a call such as bind(2), connect(2) or sendto(2).
    func withAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { bytes in
            let family = sa_family_t(address.isIPv6 ? AF_INET6 : AF_INET)
            bytes.storeBytes(of: family, as: sa_family_t.self)
            bytes[2] = UInt8(port >> 8)
            bytes[3] = UInt8(port & 0xff)
            let start = address.isIPv6 ? 8 : 4
            for (index, byte) in address.bytes.enumerated() { bytes[start + index] = byte }
        }
        let size = address.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        return withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(size)) }
        }
    }

    /// The port that a socket is bound to.
    static func port(of number: Int32, _ operation: String) throws(KernelError) -> Int {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(number, $0, &length)
            }
        }
        guard code == 0 else { throw .system(errno, operation) }
        return withUnsafeBytes(of: storage) { Int($0[2]) << 8 | Int($0[3]) }
    }
}
