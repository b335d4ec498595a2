// Buffers for reading: small at first, larger while much comes, none kept by an idle connection but the first.

import NIOCore

/// Hands out buffers by how much came lately.
///
/// NIO keeps the first buffer of a channel as long as the channel, and reuses it unless it is told that the next one
/// may be larger; those after it are freed. So the first is small, and every answer is that the next may grow.
struct ReadBuffers: RecvByteBufferAllocator {
    private static let first = 512
    private static let smallest = 4096
    private static let largest = 262_144
    private var size = first

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: size) }

    mutating func record(actualReadBytes: Int) -> Bool {
        if size < Self.smallest {
            size = Self.smallest
        } else if actualReadBytes >= size, size < Self.largest {
            size *= 4
        } else if actualReadBytes < size / 8, size > Self.smallest {
            size /= 4
        }
        return true
    }
}
