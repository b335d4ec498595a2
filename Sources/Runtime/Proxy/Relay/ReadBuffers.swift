// Buffers for reading: small at rest, larger while much comes, none kept by an idle connection.

import NIOCore

/// Hands out buffers by how much came lately.
///
/// It names no next size, so that NIO does not pool: a pool per channel would keep buffers while idle.
struct ReadBuffers: RecvByteBufferAllocator {
    private static let smallest = 4096
    private static let largest = 262_144
    private var size = smallest

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: size) }

    mutating func record(actualReadBytes: Int) -> Bool {
        if actualReadBytes >= size, size < Self.largest {
            size *= 4
            return true
        }
        if actualReadBytes < size / 8, size > Self.smallest { size /= 4 }
        return false
    }
}
