// An open file that is closed exactly once, when its owner goes out of scope.

import ChaosModel
import Glibc

/// A file descriptor with one owner.
struct Descriptor: ~Copyable, Sendable {
    /// Its number; -1 once it was given away.
    private(set) var number: Int32

    /// Takes over an open descriptor.
    init(_ number: Int32) { self.number = number }

    /// Takes over what a CLinux function returned: a descriptor or a negated errno.
    init(_ result: Int32, _ operation: String, needs: String? = nil) throws(KernelError) {
        guard result >= 0 else { throw .system(-result, operation, needs: needs) }
        number = result
    }

    deinit {
        if number >= 0 { close(number) }
    }

    /// Gives the descriptor away: from now on closing it is the caller's duty.
    mutating func release() -> Int32 {
        defer { number = -1 }
        return number
    }

    /// All bytes from the current position on, `limit` at most.
    func readAll(_ operation: String, limit: Int) throws(KernelError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= limit {
            let count = read(number, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 {
                return bytes
            } else if errno != EINTR {
                throw .system(errno, operation)
            }
        }
        throw KernelError(.failed, operation, "longer than \(limit) bytes")
    }

    /// Writes all bytes.
    func writeAll(_ bytes: [UInt8], _ operation: String) throws(KernelError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(number, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw .system(errno, operation)
            }
        }
    }
}
