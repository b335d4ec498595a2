// Malformed messages without end: nothing crashes, nothing is kept.

import ChaosModel
import ChaosSimulation
import Foundation
import NIOCore
import Testing

@testable import ChaosProxy

@Suite
struct FuzzTests {
    private static let seeds: [[UInt8]] = [
        Array("GET /a?b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".utf8),
        Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".utf8),
        Array(
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n"
                .utf8
        ),
        Array("GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n".utf8),
        Array("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n".utf8),
        Opening.preface + [
            0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100,  // SETTINGS
            0, 0, 5, 1, 4, 0, 0, 0, 1, 0x82, 0x84, 0x86, 0x41, 0x00,  // HEADERS
            0, 0, 3, 0, 1, 0, 0, 0, 1, 1, 2, 3,  // DATA
            0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0,  // WINDOW_UPDATE
            0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,  // PING
            0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8,  // RST_STREAM
        ],
    ]
    private static let answers: [[UInt8]] = [
        Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8),
        Array("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n".utf8),
        Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".utf8),
        Array("HTTP/1.1 101 Go\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n".utf8),
        [
            0, 0, 0, 4, 0, 0, 0, 0, 0,  // SETTINGS
            0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88,  // HEADERS
            0, 0, 2, 0, 1, 0, 0, 0, 1, 1, 2,  // DATA
        ],
    ]

    /// A message with some bytes changed, taken out, put in or doubled; most often behind the preface of HTTP/2, without
    /// which no frame is read.
    private static func broken(_ message: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        let start = Opening.preface
        guard !message.starts(with: start) || Int.random(in: 0..<8, using: &random) == 0 else {
            return start + broken(frames: Array(message.dropFirst(start.count)), &random)
        }
        return random.broken(message)
    }

    /// Frames in another order, some of them twice, with other types, flags, streams and lengths, or with other bytes.
    private static func broken(frames bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var frames: [[UInt8]] = []
        var rest = bytes[...]
        while rest.count >= 9 {
            let size = 9 + rest.prefix(3).reduce(0) { $0 << 8 | Int($1) }
            frames.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) where !frames.isEmpty {
            let at = Int.random(in: 0..<frames.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: frames.append(frames[at])
            case 1: frames.swapAt(at, frames.count - 1)
            case 2: frames[at][3] = .random(in: 0...10, using: &random)
            case 3: frames[at][4] = .random(in: 0...255, using: &random)
            case 4: frames[at][8] = .random(in: 0...5, using: &random)
            default: frames[at] = random.broken(frames[at])
            }
            // Nothing is left of a frame that was cut to its beginning.
            if frames[at].count < 9 { frames.remove(at: at) }
        }
        return frames.flatMap(\.self)
    }

    /// What stands for a socket: it takes everything.
    private final class Taker: RelayStream {
        private(set) var isClosed = false
        let isWritable = true

        func write(_ bytes: ByteBuffer) {}
        func flush() {}
        func read() {}
        func finish() {}
        func close(reset: Bool) { isClosed = true }
    }

    /// One connection that says something broken, and its upstream too.
    private func connection(_ host: RelayHost, _ random: inout SeededGenerator) -> Relay {
        let (client, server) = (Taker(), Taker())
        let relay = Relay(host: host, client: RawAddress())
        let isUp = Int.random(in: 0..<8, using: &random) > 0
        relay.started(client)
        if isUp {
            relay.connects(server)
            relay.connected()
        } else {
            relay.failed("10.0.0.2:80: down")
        }
        let index = Int.random(in: 0..<Self.seeds.count, using: &random)
        let request = Self.broken(Self.seeds[index], &random)
        let cut = Int.random(in: 0...request.count, using: &random)
        for part in [request[..<cut], request[cut...]] where !part.isEmpty {
            relay.received(ByteBuffer(bytes: part), from: .client)
        }
        if isUp, !server.isClosed {
            let answer = Self.answers[Int.random(in: 0..<Self.answers.count, using: &random)]
            relay.received(ByteBuffer(bytes: random.broken(answer)), from: .server)
        }
        relay.ended(.client)
        if Bool.random(using: &random) { relay.broke(.client) } else { relay.ended(.server) }
        return relay
    }

    @Test(.timeLimit(.minutes(3)))
    func `100,000 malformed messages: no crash, no leak, bounded memory`() throws {
        var now = NIODeadline.uptimeNanoseconds(1)
        let host = RelayHost(
            counters: ProxyCounters(),
            upstream: .original(nil),
            mark: nil,
            set: SocketSet(-1),
            timers: Timers { now }
        )
        host.book = RuleBook([
            CompiledRule(.all(.latency(delayMs: 5, jitterMs: 5), "a", share: 0.3)),
            CompiledRule(
                .all(.error(status: 500, headers: ["a": "b"], body: "x"), "b", share: 0.2)
            ),
            CompiledRule(
                .all(
                    .bandwidth(bytesPerSecond: 9, scope: .aggregate, direction: .both),
                    "c",
                    share: 0.2
                )
            ),
        ])
        var random = SeededGenerator(seed: 20_260)
        var before = 0
        weak var last: Relay?
        for number in 0..<100_000 {
            last = connection(host, &random)
            if number % 64 == 0 {
                now = now + .seconds(20)
                _ = host.timers.runDue()
            }
            if number == 20_000 { before = residentBytes() }
        }
        for _ in 0..<20 {
            now = now + .seconds(20)
            _ = host.timers.runDue()
        }
        host.closeAll()
        #expect(host.count == 0, "all connections are gone")
        #expect(last == nil, "the last relay is freed")
        let grown = residentBytes() - before
        print("memory grew by \(grown >> 10) KiB over 80,000 malformed messages")
        #expect(grown < 32 << 20)
        #expect(host.counters.ownFailures.load(ordering: .relaxed) > 1000)
    }
}
