// Where a body ends. It looks at the bytes of chunk lines and trailers and steps over all others.

/// The borders of one body.
struct BodyFraming {
    private enum State: Equatable {
        case done
        case counted
        case untilClose
        case chunkSize, chunkExtension, chunkSizeFeed
        case chunkData, chunkReturn, chunkFeed
        case trailerStart, trailer, trailerFeed, lastFeed
    }

    /// The most bytes of one chunk's extensions, and of all trailers.
    private static let extensionLimit = 4096
    private static let trailerLimit = 16384

    private var state: State
    private var remaining: UInt64 = 0
    private var digits = 0
    private var others = 0

    /// Makes the framing of a body.
    init(_ length: MessageHead.Length) {
        switch length {
        case .none: state = .done
        case .bytes(let count):
            remaining = count
            state = count == 0 ? .done : .counted
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
    }

    /// Whether the body has ended.
    var isDone: Bool { state == .done }

    /// Whether only the end of the connection ends it.
    var endsWithConnection: Bool { state == .untilClose }

    /// How many of the bytes from `start` on belong to the body.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer,
        from start: Int
    ) throws(MalformedMessage) -> Int {
        var at = start
        while at < bytes.count {
            switch state {
            case .done: return at - start
            case .untilClose: return bytes.count - start
            case .counted, .chunkData:
                let step = min(remaining, UInt64(bytes.count - at))
                remaining -= step
                at += Int(step)
                if remaining == 0 { state = state == .counted ? .done : .chunkReturn }
            default:
                try step(bytes[at])
                at += 1
            }
        }
        return at - start
    }

    private mutating func step(_ byte: UInt8) throws(MalformedMessage) {
        switch state {
        case .chunkSize: try sizeDigit(byte)
        case .chunkExtension: try extensionByte(byte)
        case .chunkSizeFeed:
            try expect(byte, ByteClass.lineFeed)
            others = 0
            digits = 0
            state = remaining == 0 ? .trailerStart : .chunkData
        case .chunkReturn: try expect(byte, ByteClass.carriageReturn, then: .chunkFeed)
        case .chunkFeed: try expect(byte, ByteClass.lineFeed, then: .chunkSize)
        case .trailerStart where byte == ByteClass.carriageReturn: state = .lastFeed
        case .trailerStart, .trailer: try trailerByte(byte)
        case .trailerFeed: try expect(byte, ByteClass.lineFeed, then: .trailerStart)
        case .lastFeed: try expect(byte, ByteClass.lineFeed, then: .done)
        case .done, .counted, .untilClose, .chunkData: break
        }
    }

    private mutating func sizeDigit(_ byte: UInt8) throws(MalformedMessage) {
        if let digit = Self.hexDigit(byte) {
            digits += 1
            guard digits <= 15 else { throw MalformedMessage("a chunk's size is too large") }
            remaining = remaining << 4 | UInt64(digit)
            return
        }
        guard digits > 0 else { throw MalformedMessage("a chunk has no size") }
        switch byte {
        case ByteClass.carriageReturn: state = .chunkSizeFeed
        case 59, ByteClass.space, ByteClass.tab: state = .chunkExtension
        default: throw MalformedMessage("a chunk's size is no number")
        }
    }

    private mutating func extensionByte(_ byte: UInt8) throws(MalformedMessage) {
        if byte == ByteClass.carriageReturn {
            state = .chunkSizeFeed
            return
        }
        others += 1
        guard ByteClass.isText(byte), others <= Self.extensionLimit else {
            throw MalformedMessage("a chunk's extension is malformed or too long")
        }
    }

    private mutating func trailerByte(_ byte: UInt8) throws(MalformedMessage) {
        others += 1
        guard others <= Self.trailerLimit else { throw MalformedMessage("trailers are too long") }
        if state == .trailer, byte == ByteClass.carriageReturn {
            state = .trailerFeed
            return
        }
        guard ByteClass.isText(byte) else {
            throw MalformedMessage("a trailer has a control character")
        }
        state = .trailer
    }

    private mutating func expect(
        _ byte: UInt8,
        _ expected: UInt8,
        then next: State? = nil
    ) throws(MalformedMessage) {
        guard byte == expected else { throw MalformedMessage("a line of a chunk is malformed") }
        if let next { state = next }
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}

extension MessageHead {
    /// How the body of a request is delimited (RFC 9112, section 6.3).
    var requestBody: Length {
        if isChunked { return .chunked }
        return contentLength.map { .bytes($0) } ?? .none
    }

    /// How the body of a final response is delimited.
    func responseBody(toHead: Bool) -> Length {
        if toHead || status == 204 || status == 304 { return .none }
        if isChunked { return .chunked }
        return contentLength.map { .bytes($0) } ?? .untilClose
    }

    /// Whether the connection ends after this message.
    var endsConnection: Bool { saysClose || isOld && !saysKeepAlive }
}
