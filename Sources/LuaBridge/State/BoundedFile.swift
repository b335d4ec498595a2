// A file of somebody else's, whose size they decide: read whole, or refused.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads files up to a size.
package enum BoundedFile {
    /// Why a file was not read.
    package enum Problem: Error, Sendable, Hashable {
        /// It is not there, or may not be read; the kernel's words.
        case unreadable(String)
        /// It has more bytes than it may.
        case tooLarge
    }

    /// The bytes of a file that has `mostBytes` at the most.
    package static func bytes(of path: String, atMost mostBytes: Int) throws(Problem) -> [UInt8] {
        guard let file = fopen(path, "rb") else { throw lastProblem }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= mostBytes {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        guard ferror(file) == 0 else { throw lastProblem }
        guard bytes.count <= mostBytes else { throw .tooLarge }
        return bytes
    }

    private static var lastProblem: Problem {
        .unreadable(String(cString: strerror(errno)))
    }
}
