// Addresses, networks and host names as they appear in definitions.
//
// Everything that later stands in a rule for the kernel is parsed into these types first, so that no text of
// a user ever reaches a rule.

/// An IPv4 or IPv6 address or network; a single address is a network of full length.
package struct NetworkAddress: Sendable, Hashable, Codable, CustomStringConvertible {
    /// 4 or 16 bytes, in network order.
    package let bytes: [UInt8]
    /// The length of the prefix: 0…32 or 0…128.
    package let prefixLength: Int

    /// Whether it is of the IPv6 family.
    package var isIPv6: Bool { bytes.count == 16 }

    /// Whether it is one address and not a network.
    package var isSingle: Bool { prefixLength == bytes.count * 8 }

    /// Reads `10.9.0.2`, `10.9.0.0/24`, `fd00::1` or `fd00::/64`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first else { return nil }
        let parsed = first.contains(":") ? Self.ipv6(first) : Self.ipv4(first)
        guard let bytes = parsed else { return nil }
        var length = bytes.count * 8
        if parts.count == 2 {
            let digits = parts[1]
            guard digits.allSatisfy({ ("0"..."9").contains($0) }), let given = Int(digits),
                given <= length
            else { return nil }
            length = given
        }
        self.init(bytes: bytes, prefixLength: length)
    }

    /// Makes an address from bytes in network order; bits past the prefix are cleared.
    package init?(bytes: [UInt8], prefixLength: Int? = nil) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        let length = prefixLength ?? bytes.count * 8
        guard (0...bytes.count * 8).contains(length) else { return nil }
        self.bytes = bytes.enumerated().map { index, byte in
            let kept = max(0, min(8, length - index * 8))
            return kept == 0 ? 0 : byte & (0xff << (8 - UInt8(kept)))
        }
        self.prefixLength = length
    }

    /// The address that a host has for itself: 127.0.0.1 or ::1.
    package static func loopback(isIPv6: Bool) -> NetworkAddress {
        NetworkAddress(whole: isIPv6 ? [UInt8](repeating: 0, count: 15) + [1] : [127, 0, 0, 1])
    }

    private init(whole bytes: [UInt8]) {
        self.bytes = bytes
        prefixLength = bytes.count * 8
    }

    /// The usual text; IPv6 without `::` compression, which every tool reads.
    package var description: String { isSingle ? addressText : "\(addressText)/\(prefixLength)" }

    /// The address without its prefix length.
    package var addressText: String {
        guard isIPv6 else { return bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }
        return groups.joined(separator: ":")
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = NetworkAddress(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not an address: \(text)"
            )
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    private static func ipv4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part -> UInt8? in
            let isPlain =
                part.allSatisfy { ("0"..."9").contains($0) }
                && (part == "0" || !part.hasPrefix("0"))
            return isPlain ? UInt8(part) : nil
        }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    private static func ipv6(_ text: Substring) -> [UInt8]? {
        guard let gap = text.firstRange(of: "::") else {
            let groups = groups(text)
            return groups?.count == 16 ? groups : nil
        }
        let tail = text[gap.upperBound...]
        guard !tail.contains("::"),
            let left = gap.lowerBound == text.startIndex ? [] : groups(text[..<gap.lowerBound]),
            let right = tail.isEmpty ? [] : groups(tail),
            left.count + right.count <= 14
        else { return nil }
        return left + [UInt8](repeating: 0, count: 16 - left.count - right.count) + right
    }

    private static func groups(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(".") {
                guard let mapped = ipv4(part) else { return nil }
                bytes += mapped
                continue
            }
            guard (1...4).contains(part.count), part.allSatisfy(\.isHexDigit),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 0xff)]
        }
        return bytes
    }
}

/// One side of a connection: an address, network or host name, and perhaps a port.
package struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// What stands before the port.
    package enum Host: Sendable, Hashable {
        case address(NetworkAddress)
        case name(String)
    }

    /// The address, network or name.
    package let host: Host
    /// The port, or nil for all.
    package let port: Int?

    /// Reads `10.9.0.3`, `10.9.0.3:5432`, `10.9.0.0/24`, `[fd00::1]:5432`, `db.example:5432`; nil otherwise.
    package init?(_ text: String) {
        if let address = NetworkAddress(text) {
            self.init(host: .address(address), port: nil)
            return
        }
        let bracketed = text.hasPrefix("[")
        let end = bracketed ? text.firstIndex(of: "]") : text.lastIndex(of: ":") ?? text.endIndex
        guard let end else { return nil }
        let start = bracketed ? text.index(after: text.startIndex) : text.startIndex
        let name = String(text[start..<end])
        var rest = text[end...]
        if bracketed { rest = rest.dropFirst() }
        var port: Int?
        if !rest.isEmpty {
            let digits = rest.dropFirst()
            guard rest.hasPrefix(":"), digits.allSatisfy({ ("0"..."9").contains($0) }),
                let number = Int(digits), (1...65535).contains(number)
            else { return nil }
            port = number
        }
        if let address = NetworkAddress(name) {
            guard bracketed == address.isIPv6 else { return nil }
            self.init(host: .address(address), port: port)
        } else {
            guard !bracketed, Self.isHostName(name) else { return nil }
            self.init(host: .name(name), port: port)
        }
    }

    private init(host: Host, port: Int?) {
        self.host = host
        self.port = port
    }

    package var description: String {
        let host =
            switch host {
            case .address(let address):
                address.isIPv6 && port != nil ? "[\(address)]" : address.description
            case .name(let name): name
            }
        return port.map { "\(host):\($0)" } ?? host
    }

    /// Whether the text is a host name by RFC 1123: letters, digits and inner hyphens, labels up to 63.
    static func isHostName(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let plain = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { byte in
                    let scalar = Character(UnicodeScalar(byte))
                    return scalar.isASCII
                        && (scalar.isLetter || scalar.isNumber || scalar == "-" || scalar == "_")
                }
        }
        let allDigits = text.allSatisfy { $0.isNumber || $0 == "." }
        return text.utf8.count <= 253 && plain && !allDigits
    }
}

extension ParameterKind where Value == Endpoint {
    /// An address, network or host name with an optional port.
    package static var endpoint: ParameterKind {
        let shape = ParameterShape(
            type: "endpoint",
            json: "string",
            example: "\"10.9.0.3:5432\"",
            allowed: "an address, a network or a host name, with a port or without"
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value, let endpoint = Endpoint(text) else {
                throw ParameterProblem(
                    "must be an address, a network or a host name, with a port or without, such as "
                        + "\"10.9.0.3:5432\", \"10.9.0.0/24\" or \"[fd00::1]:5432\", got \(value)"
                )
            }
            return endpoint
        }
    }
}
