// /proc/net/tcp and its siblings as values: which sockets listen on a port, by inode.

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
