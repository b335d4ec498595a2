// Netlink messages of nf_tables as bytes (linux/netlink.h, linux/netfilter/nf_tables.h): a length, a type and a value,
// padded to four bytes, nested.

/// Attributes of a netlink message.
struct NfnetlinkBytes {
    private(set) var bytes: [UInt8] = []

    /// Appends an attribute.
    mutating func put(_ type: UInt16, _ value: [UInt8]) {
        bytes += (UInt16(value.count + 4).inHostOrder + type.inHostOrder + value)
        bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    /// Appends a text, which ends with a NUL.
    mutating func put(_ type: UInt16, _ text: String) { put(type, Array(text.utf8) + [0]) }

    /// Appends a number in network order.
    mutating func put(_ type: UInt16, _ number: UInt32) { put(type, number.inNetworkOrder) }

    /// Appends attributes below one.
    mutating func nest(_ type: UInt16, _ body: (inout NfnetlinkBytes) -> Void) {
        var inner = NfnetlinkBytes()
        body(&inner)
        put(type | 0x8000, inner.bytes)
    }

    /// Appends an expression of a rule.
    mutating func expression(_ name: String, _ body: (inout NfnetlinkBytes) -> Void = { _ in }) {
        nest(1) { element in
            element.put(1, name)
            element.nest(2, body)
        }
    }
}

/// A message, and batches of them.
enum NfnetlinkMessage {
    static let request: UInt16 = 0x1
    static let acknowledge: UInt16 = 0x4
    static let exclusive: UInt16 = 0x200
    static let create: UInt16 = 0x400
    static let append: UInt16 = 0x800

    private static let tables: UInt16 = 10
    private static let batchBegin: UInt16 = 16
    private static let batchEnd: UInt16 = 17

    /// One message to nf_tables, family inet.
    static func bytes(
        _ type: UInt16,
        flags: UInt16,
        sequence: UInt32,
        _ body: (inout NfnetlinkBytes) -> Void
    ) -> [UInt8] {
        var attributes = NfnetlinkBytes()
        body(&attributes)
        return message(
            tables << 8 | type,
            flags,
            sequence,
            family: 1,
            resource: 0,
            attributes.bytes
        )
    }

    /// Messages as one transaction.
    static func batch(_ messages: [UInt8]) -> [UInt8] {
        message(batchBegin, request, 0, family: 0, resource: tables, [])
            + messages + message(batchEnd, request, 0, family: 0, resource: tables, [])
    }

    private static func message(
        _ type: UInt16,
        _ flags: UInt16,
        _ sequence: UInt32,
        family: UInt8,
        resource: UInt16,
        _ body: [UInt8]
    ) -> [UInt8] {
        let length = UInt32(20 + body.count)
        return length.inHostOrder + type.inHostOrder + flags.inHostOrder + sequence.inHostOrder
            + UInt32(0).inHostOrder + [family, 0] + resource.inNetworkOrder + body
    }
}

extension FixedWidthInteger {
    /// The bytes as this machine stores them.
    var inHostOrder: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }

    /// The bytes with the highest first.
    var inNetworkOrder: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}
