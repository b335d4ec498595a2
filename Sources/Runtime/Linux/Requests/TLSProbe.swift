// Whether a port speaks TLS: it is sent the first message of a handshake, and answers by the second, or by an alert.
// Whoever speaks something else answers something else, or closes.

import ChaosModel
import Glibc

/// Asks ports for TLS, all at once, in bounded time.
enum TLSProbe {
    /// One end that is asked.
    private struct Asked {
        var end: SocketEnd
        var descriptor: Int32
        var isConnected = false
    }

    /// The ends that speak TLS; who has not answered within the limit is none.
    static func speakers(
        of ends: [SocketEnd],
        in namespace: NetworkNamespace,
        within limit: Duration
    ) throws(KernelError) -> [SocketEnd] {
        let sockets = try NamespaceSockets(namespace)
        // One that cannot even be tried does not speak it. Marked as ours, so that no redirect of ours meets it.
        var open = ends.compactMap { end in
            (try? sockets.connected(.tcp, to: end)).map { Asked(end: end, descriptor: $0) }
        }
        defer { for asked in open { close(asked.descriptor) } }
        var found: [SocketEnd] = []
        let until = ContinuousClock.now + limit
        while !open.isEmpty {
            let left = Int32(((until - ContinuousClock.now) / .milliseconds(1)).rounded(.up))
            guard left > 0 else { break }
            var entries = open.map { asked in
                let events = asked.isConnected ? POLLIN : POLLOUT
                return pollfd(fd: asked.descriptor, events: Int16(events), revents: 0)
            }
            let count = poll(&entries, nfds_t(entries.count), left)
            guard count > 0 || count < 0 && errno == EINTR else { break }
            for (index, entry) in entries.enumerated().reversed() where entry.revents != 0 {
                if !open[index].isConnected, greet(open[index].descriptor) {
                    open[index].isConnected = true
                    continue
                }
                if open[index].isConnected, answersInTLS(open[index].descriptor) {
                    found.append(open[index].end)
                }
                close(open.remove(at: index).descriptor)
            }
        }
        return ends.filter(found.contains)
    }

    /// Says the first message; false when the connection does not stand.
    private static func greet(_ descriptor: Int32) -> Bool {
        let message = ClientHello.record()
        return send(descriptor, message, message.count, Int32(MSG_NOSIGNAL))
            == message.count
    }

    /// Whether what came is a record of a handshake or an alert (RFC 8446, section 5.1).
    private static func answersInTLS(_ descriptor: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count >= 2 && (bytes[0] == 22 || bytes[0] == 21) && bytes[1] == 3
    }
}

/// The first message of a client (RFC 8446, section 4.1.2), which servers of TLS 1.2 and 1.3 answer.
enum ClientHello {
    private static let suites: [UInt16] = [
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
        0x009c, 0x009d, 0x002f, 0x0035,
    ]
    private static let groups: [UInt16] = [0x001d, 0x0017, 0x0018]
    private static let signatures: [UInt16] = [
        0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0807,
    ]

    /// The message in its record, with other random bytes each time.
    static func record() -> [UInt8] {
        let extensions =
            named(10, sized(words(groups))) + named(11, [1, 0])
            + named(13, sized(words(signatures))) + named(43, [4, 3, 4, 3, 3])
            + named(51, sized([0, 0x1d] + sized(random(32))))
        let body =
            [3, 3] + random(32) + [32] + random(32) + sized(words(suites)) + [1, 0]
            + sized(extensions)
        return [22, 3, 1] + sized([1, 0] + sized(body))
    }

    private static func random(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max) }
    }

    private static func words(_ values: [UInt16]) -> [UInt8] {
        values.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
    }

    private static func sized(_ bytes: [UInt8]) -> [UInt8] { words([UInt16(bytes.count)]) + bytes }

    private static func named(_ type: UInt16, _ bytes: [UInt8]) -> [UInt8] {
        words([type]) + sized(bytes)
    }
}
