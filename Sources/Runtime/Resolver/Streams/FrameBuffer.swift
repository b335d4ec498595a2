// Messages of the DNS in a stream of bytes: each after its length in two bytes (RFC 1035, 4.2.2).

import NIOCore

/// Collects bytes until they are whole messages.
struct FrameBuffer {
    private var collected = ByteBuffer()

    /// Adds bytes that have come.
    mutating func add(_ bytes: inout ByteBuffer) { collected.writeBuffer(&bytes) }

    /// The next whole message without its length; nil until there is one.
    mutating func next() -> ByteBuffer? {
        guard let length = collected.getInteger(at: collected.readerIndex, as: UInt16.self),
            collected.readableBytes >= 2 + Int(length)
        else {
            if collected.readableBytes == 0 {
                collected.clear()
            } else {
                collected.discardReadBytes()
            }
            return nil
        }
        collected.moveReaderIndex(forwardBy: 2)
        return collected.readSlice(length: Int(length))
    }

    /// A message with its length before it.
    static func frame(_ message: ByteBuffer) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.reserveCapacity(message.readableBytes + 2)
        frame.writeInteger(UInt16(truncatingIfNeeded: message.readableBytes))
        frame.writeImmutableBuffer(message)
        return frame
    }
}
