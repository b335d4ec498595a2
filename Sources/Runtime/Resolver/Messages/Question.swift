// The header and the question of a DNS message (RFC 1035, 4.1): all that rules look at. Whatever cannot be read here
// is passed on as it is, so nothing is refused that the real resolver would take.

/// The name of a question in lower case, in wire format, with its hash; memory for one, used again and again.
final class QuestionName {
    /// The longest name: 255 bytes with the root's zero.
    static let limit = 255

    /// The name's bytes, and room for more.
    let bytes: UnsafeMutableBufferPointer<UInt8>
    /// How many of the bytes are the name's, the root's zero among them.
    fileprivate(set) var count = 0
    /// A hash of the name (FNV-1a, 64 bits).
    fileprivate(set) var hash: UInt64 = QuestionName.basis

    fileprivate static let basis: UInt64 = 0xcbf2_9ce4_8422_2325
    fileprivate static let prime: UInt64 = 0x100_0000_01b3

    /// Makes room for a name.
    init() {
        bytes = .allocate(capacity: Self.limit + 1)
        bytes.initialize(repeating: 0)
    }

    deinit { bytes.deallocate() }

    /// The name as text, without the dot at the end: unusual bytes as `\DDD`.
    var text: String { Self.text(Array(bytes[..<count])) }

    static func text(_ wire: some Collection<UInt8>) -> String {
        var text = ""
        var rest = Array(wire)[...]
        while let length = rest.popFirst(), length > 0, rest.count >= Int(length) {
            if !text.isEmpty { text += "." }
            for byte in rest.prefix(Int(length)) {
                let isPlain = byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: ".")
                let digits = String(byte)
                let padding = String(repeating: "0", count: 3 - digits.count)
                text += isPlain ? String(UnicodeScalar(byte)) : "\\\(padding)\(digits)"
            }
            rest = rest.dropFirst(Int(length))
        }
        return text.isEmpty ? "." : text
    }
}

/// What was read of a message.
struct Question {
    static let headerSize = 12

    /// The id and the flags of the header.
    var id: UInt16
    var flags: UInt16
    /// The type and the class that are asked for.
    var type: UInt16
    var recordClass: UInt16
    /// Where the question ends.
    var end: Int
    /// What tells it from other questions: name, type and class.
    var check: UInt32

    /// Whether it is a query (and no answer) of the ordinary kind.
    var isQuery: Bool { flags & 0xf800 == 0 }

    /// Reads a message with exactly one question; nil for anything else.
    init?(_ message: RawSpan, name: QuestionName) {
        guard message.byteCount > Self.headerSize, message.number(at: 4) == 1 else { return nil }
        guard let nameEnd = Self.read(message, into: name), nameEnd + 4 <= message.byteCount else {
            return nil
        }
        id = message.number(at: 0)
        flags = message.number(at: 2)
        type = message.number(at: nameEnd)
        recordClass = message.number(at: nameEnd + 2)
        end = nameEnd + 4
        let kind = UInt64(type) << 16 | UInt64(recordClass)
        let mixed = (name.hash ^ kind) &* 0x9e37_79b9_7f4a_7c15
        check = UInt32(truncatingIfNeeded: mixed >> 32)
    }

    /// Reads the name of the question and returns where it ends; nil when it is none.
    private static func read(_ message: RawSpan, into name: QuestionName) -> Int? {
        var at = headerSize
        var count = 0
        var hash = QuestionName.basis
        let bytes = name.bytes
        while at < message.byteCount {
            let length = Int(message.byte(at: at))
            // A pointer has nothing to point at yet. The whole label has room, here and there.
            guard length < 64, count + length + 1 <= QuestionName.limit,
                at + 1 + length <= message.byteCount
            else { return nil }
            for index in at...(at + length) {
                let byte = message.byte(at: index).lowercased
                bytes[count] = byte
                count += 1
                hash = (hash ^ UInt64(byte)) &* QuestionName.prime
            }
            at += length + 1
            guard length == 0 else { continue }
            name.count = count
            name.hash = hash
            return at
        }
        return nil
    }
}

extension RawSpan {
    /// A byte; checked.
    func byte(at offset: Int) -> UInt8 { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }

    /// A number of two bytes in network order; checked.
    func number(at offset: Int) -> UInt16 {
        UInt16(byte(at: offset)) << 8 | UInt16(byte(at: offset + 1))
    }
}

extension UInt8 {
    /// A letter of ASCII in lower case; anything else as it is.
    fileprivate var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}
