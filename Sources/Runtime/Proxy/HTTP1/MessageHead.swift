// The head of a message of HTTP/1, read where it lies: positions of what matters, and how its body is framed.
//
// Strict where a lenient reader could be made to see other message borders than the next one (request smuggling,
// RFC 9112 section 11.2): such a message is refused, never repaired.

/// What one reading of a head found.
struct MessageHead {
    /// How a body is delimited.
    enum Length: Equatable {
        case none
        case bytes(UInt64)
        case chunked
        /// To the end of the connection; responses only.
        case untilClose
    }

    /// How many bytes it takes, with the empty line.
    var size = 0
    /// The method of a request.
    var method = 0..<0
    /// The target of a request.
    var target = 0..<0
    /// The status of a response, 0 in a request.
    var status = 0
    /// Whether it is HTTP/1.0.
    var isOld = false
    /// The declared length, or nil.
    var contentLength: UInt64?
    var isChunked = false
    /// Whether there is a Transfer-Encoding at all.
    var hasTransferEncoding = false
    var saysClose = false
    var saysKeepAlive = false
    var saysUpgrade = false
    var expectsContinue = false
    var host: Range<Int>?
    var upgrade: Range<Int>?

    /// The most bytes that a head may take.
    static let limit = 65536
}

/// Reads heads.
struct HeadReader {
    private let bytes: UnsafeRawBufferPointer
    private let tokens = ByteClass.Tokens()
    private var head = MessageHead()

    /// Finds the end of a head that starts at 0; nil when it is not all there.
    ///
    /// Bytes before `from` were looked at before.
    static func end(
        of bytes: UnsafeRawBufferPointer,
        from: Int
    ) throws(MalformedMessage) -> Int? {
        var at = max(0, from)
        while at < bytes.count {
            guard let line = bytes.index(of: ByteClass.lineFeed, from: at) else { break }
            guard line > 0, bytes[line - 1] == ByteClass.carriageReturn else {
                throw MalformedMessage("a line of the head ends without a carriage return")
            }
            if line >= 3, bytes[line - 2] == ByteClass.lineFeed {
                try check(size: line + 1)
                return line + 1
            }
            if line == 1 { throw MalformedMessage("the head is empty") }
            at = line + 1
        }
        try check(size: bytes.count)
        return nil
    }

    private static func check(size: Int) throws(MalformedMessage) {
        guard size <= MessageHead.limit else {
            throw MalformedMessage(
                "the head is longer than \(MessageHead.limit) bytes",
                status: 431
            )
        }
    }

    /// Reads the head of a request, which must be there as a whole.
    static func request(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) -> MessageHead {
        var reader = HeadReader(bytes: bytes)
        let start = try reader.requestLine()
        try reader.fields(from: start)
        return reader.head
    }

    /// Reads the head of a response, which must be there as a whole.
    static func response(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) -> MessageHead {
        var reader = HeadReader(bytes: bytes)
        let start = try reader.statusLine()
        try reader.fields(from: start)
        return reader.head
    }

    private init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        head.size = bytes.count
    }

    private mutating func requestLine() throws(MalformedMessage) -> Int {
        let end = lineEnd(from: 0)
        var at = 0
        while at < end, tokens.contains(bytes[at]) { at += 1 }
        guard at > 0, at < end, bytes[at] == ByteClass.space else {
            throw MalformedMessage("the request line has no method")
        }
        head.method = 0..<at
        at += 1
        let target = at
        while at < end, bytes[at] > 32, bytes[at] != 127 { at += 1 }
        guard at > target, at < end, bytes[at] == ByteClass.space else {
            throw MalformedMessage("the request line has no target")
        }
        head.target = target..<at
        try version(at + 1, end: end)
        guard end == at + 9 else { throw MalformedMessage("the request line has a wrong version") }
        return end + 2
    }

    private mutating func statusLine() throws(MalformedMessage) -> Int {
        let end = lineEnd(from: 0)
        try version(0, end: end)
        guard end >= 12, bytes[8] == ByteClass.space, end == 12 || bytes[12] == ByteClass.space
        else { throw MalformedMessage("the status line has no status") }
        for at in 9..<12 {
            guard bytes[at] >= 48, bytes[at] <= 57 else {
                throw MalformedMessage("the status line has no status")
            }
            head.status = head.status * 10 + Int(bytes[at] - 48)
        }
        guard head.status >= 100 else { throw MalformedMessage("the status is below 100") }
        for at in 12..<end where !ByteClass.isText(bytes[at]) {
            throw MalformedMessage("the status line has a control character")
        }
        return end + 2
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    private mutating func version(_ at: Int, end: Int) throws(MalformedMessage) {
        let isRight =
            end >= at + 8 && bytes.matches("http/1.", at: at)
            && (at..<at + 4).allSatisfy { bytes[$0] < 97 }
        guard isRight, bytes[at + 7] == 48 || bytes[at + 7] == 49 else {
            throw MalformedMessage("the version is not HTTP/1.0 or HTTP/1.1", status: 505)
        }
        head.isOld = bytes[at + 7] == 48
    }

    private func lineEnd(from start: Int) -> Int {
        // The head ends with a line feed and every one has its carriage return: `end(of:)` saw to it.
        (bytes.index(of: ByteClass.lineFeed, from: start) ?? bytes.count) - 1
    }

    private mutating func fields(from start: Int) throws(MalformedMessage) {
        var at = start
        while at < bytes.count - 2 {
            let name = at
            while at < bytes.count, tokens.contains(bytes[at]) { at += 1 }
            guard at > name, bytes[at] == ByteClass.colon else {
                throw MalformedMessage("a header has no name, or its name is no token")
            }
            let nameEnd = at
            at += 1
            while bytes[at] == ByteClass.space || bytes[at] == ByteClass.tab { at += 1 }
            let value = at
            while ByteClass.isText(bytes[at]) { at += 1 }
            guard bytes[at] == ByteClass.carriageReturn, bytes[at + 1] == ByteClass.lineFeed else {
                throw MalformedMessage("a header's value has a control character")
            }
            var end = at
            while end > value, bytes[end - 1] == ByteClass.space || bytes[end - 1] == ByteClass.tab
            {
                end -= 1
            }
            try field(name..<nameEnd, value..<end)
            at += 2
        }
        if head.hasTransferEncoding, head.contentLength != nil {
            throw MalformedMessage("it has both Content-Length and Transfer-Encoding")
        }
        if head.hasTransferEncoding, head.isOld {
            throw MalformedMessage("HTTP/1.0 has no Transfer-Encoding")
        }
    }

    /// Notes the headers that matter for the way of a message.
    private mutating func field(_ name: Range<Int>, _ value: Range<Int>) throws(MalformedMessage) {
        switch name.count {
        case 4 where bytes.matches("host", at: name.lowerBound):
            guard head.host == nil else { throw MalformedMessage("it has two Hosts") }
            head.host = value
        case 6 where bytes.matches("expect", at: name.lowerBound):
            head.expectsContinue = bytes.isWord("100-continue", value)
        case 7 where bytes.matches("upgrade", at: name.lowerBound):
            head.upgrade = value
        case 10 where bytes.matches("connection", at: name.lowerBound):
            connection(value)
        case 14 where bytes.matches("content-length", at: name.lowerBound):
            guard head.contentLength == nil else {
                throw MalformedMessage("it has two Content-Lengths")
            }
            head.contentLength = try length(value)
        case 17 where bytes.matches("transfer-encoding", at: name.lowerBound):
            guard !head.hasTransferEncoding else {
                throw MalformedMessage("it has two Transfer-Encodings")
            }
            head.hasTransferEncoding = true
            try transferEncoding(value)
        default: break
        }
    }

    private func length(_ value: Range<Int>) throws(MalformedMessage) -> UInt64 {
        guard (1...18).contains(value.count) else {
            throw MalformedMessage("Content-Length is no number, or too large")
        }
        var length: UInt64 = 0
        for at in value {
            guard bytes[at] >= 48, bytes[at] <= 57 else {
                throw MalformedMessage("Content-Length is no number, or too large")
            }
            length = length * 10 + UInt64(bytes[at] - 48)
        }
        return length
    }

    /// `chunked` must be the last coding, and stand there once.
    private mutating func transferEncoding(_ value: Range<Int>) throws(MalformedMessage) {
        let codings = bytes.words(value)
        let isChunked = codings.map { bytes.isWord("chunked", $0) }
        guard let last = isChunked.last, last, isChunked.filter({ $0 }).count == 1 else {
            throw MalformedMessage("Transfer-Encoding does not end in one `chunked`", status: 501)
        }
        head.isChunked = true
    }

    private mutating func connection(_ value: Range<Int>) {
        for word in bytes.words(value) {
            if bytes.isWord("close", word) { head.saysClose = true }
            if bytes.isWord("keep-alive", word) { head.saysKeepAlive = true }
            if bytes.isWord("upgrade", word) { head.saysUpgrade = true }
        }
    }
}
