// The first bytes of a connection decide what it speaks.

import NIOCore

/// Waits for the first bytes, and hands over.
final class Opening: Dialogue {
    /// The start of a connection of HTTP/2 (RFC 9113, section 3.4).
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private unowned let relay: Relay
    private var stash: ByteBuffer?
    private var greeting: ByteBuffer?
    private var failure: String?

    init(_ relay: Relay) { self.relay = relay }

    var isIdle: Bool { stash == nil }

    func receive(_ bytes: ByteBuffer, from side: Side) {
        guard side == .client else {
            if Self.looksLikeSettings(bytes) {
                // A server of HTTP/2 may speak first; what it is, the client's preface will tell.
                greeting = bytes
                relay.hold(.server, .answer)
                return
            }
            // Who speaks first otherwise does not speak HTTP.
            relay.host.counters.other.add(1, ordering: .relaxed)
            become(Tunnel(relay), bytes, from: .server)
            return
        }
        var all = bytes
        if var stashed = stash {
            stash = nil
            var more = bytes
            stashed.writeBuffer(&more)
            all = stashed
        }
        decide(all)
    }

    func ended(_ side: Side) {
        if side == .client, let stash {
            become(HTTP1Dialogue(relay), stash, from: .client)
            relay.dialogueEnded(.client)
        } else {
            relay.close()
        }
    }

    func resumed(_ side: Side) {}

    func upstreamFailed(_ reason: String) { failure = reason }

    private func decide(_ bytes: ByteBuffer) {
        let view = bytes.readableBytesView
        guard let first = view.first else { return }
        if first == 0x16 {
            relay.host.counters.tls.add(1, ordering: .relaxed)
            become(Tunnel(relay), bytes, from: .client)
        } else if first == Self.preface[0], view.starts(with: Self.preface) {
            become(HTTP2Dialogue(relay), bytes, from: .client)
        } else if first == Self.preface[0], Self.preface.starts(with: view) {
            stash = bytes
        } else if !ByteClass.Tokens().contains(first), first != ByteClass.carriageReturn {
            relay.host.counters.other.add(1, ordering: .relaxed)
            become(Tunnel(relay), bytes, from: .client)
        } else {
            become(HTTP1Dialogue(relay), bytes, from: .client)
        }
    }

    private func become(_ next: any Dialogue, _ bytes: ByteBuffer, from side: Side) {
        relay.become(next)
        if let failure { next.upstreamFailed(failure) }
        next.receive(bytes, from: side)
        if let greeting { next.receive(greeting, from: .server) }
        relay.release(.server, .answer)
    }

    /// Whether bytes begin as a SETTINGS frame does, as far as they go.
    private static func looksLikeSettings(_ bytes: ByteBuffer) -> Bool {
        let start = Array(bytes.readableBytesView.prefix(9))
        let isOther = zip(start, [0, nil, nil, 4, 0, 0, 0, 0, 0] as [UInt8?]).contains {
            byte,
            expected in
            expected.map { $0 != byte } ?? false
        }
        return !isOther
    }
}

/// Passes bytes on, in both directions, as they are.
final class Tunnel: Dialogue {
    private unowned let relay: Relay

    init(_ relay: Relay) { self.relay = relay }

    /// It cannot be told when nothing is under way.
    var isIdle: Bool { false }

    func receive(_ bytes: ByteBuffer, from side: Side) { relay.write(bytes, to: side.other) }

    func ended(_ side: Side) {
        if relay.hasEnded(side.other) { relay.close() } else { relay.finish(side.other) }
    }

    func resumed(_ side: Side) {}

    func upstreamFailed(_ reason: String) {
        relay.host.counters.ownFailures.add(1, ordering: .relaxed)
        relay.close(reset: true)
    }
}

/// Hears nothing more, until the connection is closed.
final class Deaf: Dialogue {
    private unowned let relay: Relay

    init(_ relay: Relay) { self.relay = relay }

    var isIdle: Bool { true }

    func receive(_ bytes: ByteBuffer, from side: Side) {}
    func ended(_ side: Side) { if side == .client { relay.close() } }
    func resumed(_ side: Side) {}
    func upstreamFailed(_ reason: String) {}
}
