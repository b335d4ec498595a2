// /proc/net/tcp and its siblings as values: which sockets listen on a port, by inode, and where sockets are.

import ChaosModel

/// Lines of /proc/net/{tcp,tcp6,udp,udp6}.
enum SocketTable {
    /// The files, each with the state of a socket that waits for whoever comes.
    ///
    /// 0A is TCP_LISTEN. A UDP socket has no such state; 07 is one that is bound and not connected to one peer.
    static let files = [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")]

    /// The inodes of the sockets on `port` in `state`.
    static func inodes(in table: [UInt8], port: Int, state: String) -> [UInt64] {
        let state = Array(state.utf8)
        return table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 10)
            guard fields.count > 9, fields[3].elementsEqual(state), Self.port(of: fields[1]) == port
            else { return nil }
            return UInt64(String(decoding: fields[9], as: UTF8.self))
        }
    }

    /// Both ends of the sockets in `state`; the remote one has port 0 where there is none.
    static func ends(in table: [UInt8], state: String) -> [(local: SocketEnd, remote: SocketEnd)] {
        let state = Array(state.utf8)
        return table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 4)
            guard fields.count > 3, fields[3].elementsEqual(state), let local = end(fields[1]),
                let remote = end(fields[2])
            else { return nil }
            return (local, remote)
        }
    }

    /// `0100007F:1F90`: words of 32 bits in the machine's order, so that each is turned around; and the port.
    private static func end(_ text: ArraySlice<UInt8>) -> SocketEnd? {
        let parts = String(decoding: text, as: UTF8.self).split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1], radix: 16), parts[0].count % 8 == 0 else {
            return nil
        }
        var bytes: [UInt8] = []
        var rest = parts[0]
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            withUnsafeBytes(of: word) { bytes += $0 }
            rest = rest.dropFirst(8)
        }
        let isMapped =
            bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 255
            && bytes[11] == 255
        let address = NetworkAddress(bytes: isMapped ? Array(bytes[12...]) : bytes)
        return address.map { SocketEnd($0, port: port) }
    }

    /// The inode of `socket:[4711]`; nil for other links.
    static func inode(ofLink link: String) -> UInt64? {
        guard link.hasPrefix("socket:["), link.hasSuffix("]") else { return nil }
        return UInt64(link.dropFirst("socket:[".count).dropLast())
    }

    private static func port(of address: ArraySlice<UInt8>) -> Int? {
        guard let colon = address.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        return Int(String(decoding: address[(colon + 1)...], as: UTF8.self), radix: 16)
    }
}
