// Messages of netlink as bytes: a header, a fixed part, attributes. Numbers are in the machine's order
// (linux/netlink.h, linux/rtnetlink.h).

/// A request that is being put together.
struct NetlinkMessage: Equatable {
    /// Flags of a request.
    struct Flags: OptionSet, Equatable {
        let rawValue: UInt16
        static let request = Flags(rawValue: 0x1)
        static let acknowledge = Flags(rawValue: 0x4)
        /// The answer to a question about one queue comes only to who asks for an echo.
        static let echo = Flags(rawValue: 0x8)
        static let dump = Flags(rawValue: 0x300)
        static let exclusive = Flags(rawValue: 0x200)
        static let create = Flags(rawValue: 0x400)
    }

    static let headerSize = 16

    let type: UInt16
    let flags: Flags
    private(set) var body = NetlinkBytes()

    /// Begins a request with its fixed part.
    init(_ type: UInt16, _ flags: Flags, fixed: NetlinkBytes) {
        self.type = type
        self.flags = flags.union(.request)
        body.bytes = fixed.bytes
    }

    /// Adds an attribute.
    mutating func add(_ attribute: UInt16, _ content: NetlinkBytes) {
        body.attribute(attribute, content)
    }

    /// The bytes to send.
    func bytes(sequence: UInt32) -> [UInt8] {
        var header = NetlinkBytes()
        header.number(UInt32(Self.headerSize + body.bytes.count))
        header.number(type)
        header.number(flags.rawValue)
        header.number(sequence)
        header.number(UInt32(0))
        return header.bytes + body.bytes
    }
}

/// Bytes of a message that grow.
struct NetlinkBytes: Equatable {
    var bytes: [UInt8] = []

    /// No bytes.
    init() {}

    /// Numbers one after the other.
    init<Number: FixedWidthInteger>(_ numbers: Number...) {
        for value in numbers { number(value) }
    }

    /// A text with the zero that ends it.
    init(text: String) { bytes = Array(text.utf8) + [0] }

    mutating func number(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value) { bytes += Array($0) }
    }

    /// An attribute: its length, its type, its content, filled up to four bytes.
    mutating func attribute(_ type: UInt16, _ content: NetlinkBytes) {
        number(UInt16(4 + content.bytes.count))
        number(type)
        bytes += content.bytes
        bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    /// An attribute that holds others.
    mutating func nest(_ type: UInt16, _ fill: (inout NetlinkBytes) -> Void) {
        var inner = NetlinkBytes()
        fill(&inner)
        attribute(type, inner)
    }
}

/// Attributes that the kernel sent, by their types.
struct NetlinkAttributes {
    private var contents: [UInt16: [UInt8]] = [:]

    /// Reads what follows a fixed part; what is cut off is left out.
    init(_ bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        while rest.count >= 4 {
            let length = Int(Self.number(Array(rest.prefix(2)), as: UInt16.self))
            guard length >= 4, length <= rest.count else { return }
            // The upper two bits say how the content is written.
            let type = Self.number(Array(rest.dropFirst(2).prefix(2)), as: UInt16.self) & 0x3fff
            contents[type] = Array(rest.dropFirst(4).prefix(length - 4))
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }

    func text(_ type: UInt16) -> String? {
        contents[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    func number<Number: FixedWidthInteger>(_ type: UInt16, at offset: Int = 0) -> Number? {
        guard let content = contents[type], content.count >= offset + MemoryLayout<Number>.size
        else { return nil }
        return Self.number(Array(content.dropFirst(offset)), as: Number.self)
    }

    func bytes(_ type: UInt16) -> [UInt8]? { contents[type] }

    func nested(_ type: UInt16) -> NetlinkAttributes? {
        contents[type].map { NetlinkAttributes($0) }
    }

    func has(_ type: UInt16) -> Bool { contents[type] != nil }

    /// The number at the start of some bytes, which are at least as many as it has.
    static func number<Number: FixedWidthInteger>(
        _ bytes: [UInt8],
        as type: Number.Type
    ) -> Number {
        bytes.withUnsafeBytes { $0.loadUnaligned(as: type) }
    }
}
