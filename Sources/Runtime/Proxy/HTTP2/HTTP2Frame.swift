// Frames of HTTP/2 (RFC 9113, section 4) and header blocks that need no state to be read (RFC 7541).

import NIOCore
import NIOHPACK

/// The head of a frame.
struct HTTP2Frame {
    /// The types that a relay deals with; others are passed on.
    enum Kind {
        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let priority: UInt8 = 2
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let pushPromise: UInt8 = 5
        static let ping: UInt8 = 6
        static let goAway: UInt8 = 7
        static let windowUpdate: UInt8 = 8
        static let continuation: UInt8 = 9
    }

    enum Flag {
        /// END_STREAM; for settings and pings it is ACK.
        static let endStream: UInt8 = 1
        static let acknowledge: UInt8 = 1
        static let endHeaders: UInt8 = 4
        static let padded: UInt8 = 8
        static let priority: UInt8 = 32
    }

    /// The bytes of a frame's head.
    static let headSize = 9
    /// The size of frames that every peer takes.
    static let sureSize = 16384

    var length: Int
    var kind: UInt8
    var flags: UInt8
    var stream: UInt32

    /// Reads the head at the start of some bytes, without taking it; nil when it is not all there.
    init?(peek bytes: ByteBuffer) {
        let at = bytes.readerIndex
        guard let high: UInt16 = bytes.getInteger(at: at),
            let low: UInt8 = bytes.getInteger(at: at + 2),
            let kind: UInt8 = bytes.getInteger(at: at + 3),
            let flags: UInt8 = bytes.getInteger(at: at + 4),
            let stream: UInt32 = bytes.getInteger(at: at + 5)
        else { return nil }
        length = Int(high) << 8 | Int(low)
        self.kind = kind
        self.flags = flags
        self.stream = stream & 0x7fff_ffff
    }

    /// Makes the head of a frame.
    init(_ kind: UInt8, flags: UInt8 = 0, stream: UInt32, length: Int) {
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.length = length
    }

    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    /// Appends the head to some bytes.
    func write(to bytes: inout ByteBuffer) {
        bytes.writeInteger(UInt16(length >> 8))
        bytes.writeInteger(UInt8(length & 0xff))
        bytes.writeMultipleIntegers(kind, flags, stream)
    }

    /// A frame with a payload of one number.
    static func number(_ kind: UInt8, stream: UInt32, _ number: UInt32) -> ByteBuffer {
        var bytes = ByteBuffer()
        HTTP2Frame(kind, stream: stream, length: 4).write(to: &bytes)
        bytes.writeInteger(number)
        return bytes
    }

    /// A frame without payload, or with this one.
    static func whole(
        _ kind: UInt8,
        flags: UInt8 = 0,
        stream: UInt32 = 0,
        _ payload: ByteBuffer = ByteBuffer()
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        HTTP2Frame(kind, flags: flags, stream: stream, length: payload.readableBytes).write(
            to: &bytes
        )
        bytes.writeImmutableBuffer(payload)
        return bytes
    }

    /// GOAWAY with the last stream that is served.
    static func goAway(last: UInt32, code: UInt32, _ reason: String = "") -> ByteBuffer {
        var payload = ByteBuffer()
        payload.writeMultipleIntegers(last, code)
        payload.writeString(reason)
        return whole(Kind.goAway, payload)
    }
}

/// Header blocks that put nothing into the reader's table.
///
/// Blocks of streams that are answered here never reach the upstream, and late ones overtake others: with
/// tables, both would put reader and writer out of step. So every block is written anew, in literals only.
enum HeaderBlock {
    /// Frames for headers: HEADERS, and CONTINUATION as far as needed.
    static func frames(
        _ headers: HPACKHeaders,
        stream: UInt32,
        endsStream: Bool,
        isFirst: Bool = false,
        promise: UInt32? = nil
    ) -> ByteBuffer {
        var block = ByteBuffer()
        if let promise { block.writeInteger(promise) }
        // The reader's table is set to 0 once, which is within whatever it allows, now and later.
        if isFirst { block.writeInteger(UInt8(0x20)) }
        for (name, value, indexing) in headers {
            block.writeInteger(UInt8(indexing == .neverIndexed ? 0x10 : 0))
            literal(name, to: &block)
            literal(value, to: &block)
        }
        var frames = ByteBuffer()
        var kind = promise == nil ? HTTP2Frame.Kind.headers : HTTP2Frame.Kind.pushPromise
        var flags = endsStream ? HTTP2Frame.Flag.endStream : 0
        repeat {
            let size = min(block.readableBytes, HTTP2Frame.sureSize)
            if size == block.readableBytes { flags |= HTTP2Frame.Flag.endHeaders }
            HTTP2Frame(kind, flags: flags, stream: stream, length: size).write(to: &frames)
            if var part = block.readSlice(length: size) { frames.writeBuffer(&part) }
            kind = HTTP2Frame.Kind.continuation
            flags = 0
        } while block.readableBytes > 0
        return frames
    }

    private static func literal(_ text: String, to block: inout ByteBuffer) {
        var count = text.utf8.count
        if count < 127 {
            block.writeInteger(UInt8(count))
        } else {
            block.writeInteger(UInt8(127))
            count -= 127
            while count >= 128 {
                block.writeInteger(UInt8(count & 127 | 128))
                count >>= 7
            }
            block.writeInteger(UInt8(count))
        }
        block.writeString(text)
    }
}

/// What is wrong with a connection of HTTP/2; ends it.
struct MalformedFrame: Error {
    /// The error code (RFC 9113, section 7).
    var code: UInt32
    var reason: String

    init(_ reason: String, code: UInt32 = 1) {
        self.reason = reason
        self.code = code
    }
}
