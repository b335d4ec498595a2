// Malformed messages without end: nothing crashes, nothing is kept.

import ChaosModel
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

    /// A message with some bytes changed, taken out, put in or doubled.
    private static func broken(_ message: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = message
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
            case 3: bytes.insert(contentsOf: [13, 10], at: at)
            case 4: bytes.removeLast(bytes.count - at)
            default:
                let end = Int.random(in: at..<bytes.count, using: &random)
                bytes.insert(contentsOf: bytes[at...end], at: at)
            }
        }
        return bytes
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
            relay.received(ByteBuffer(bytes: Self.broken(answer, &random)), from: .server)
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
            upstream: .original,
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
