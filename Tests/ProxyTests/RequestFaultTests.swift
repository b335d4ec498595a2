// What rules do to requests of HTTP/1.

import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

@testable import ChaosProxy

@Suite(.serialized)
struct RequestFaultTests {
    private static let ok = "HTTP/1.1 200 OK"

    @Test
    func `an error is answered as asked, and the connection lives on`() async throws {
        let upstream = try ScriptedUpstream.answering()
        let rule = RequestRule(
            name: "r",
            match: RequestMatch(methods: ["GET"], path: "/api/*"),
            action: .error(status: 503, headers: ["Retry-After": "3"], body: "sorry")
        )
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let port = proxy.port
            try await blocking {
                let wire = try Wire(to: port)
                for (target, body) in [("/api/x?y=/z", "sorry"), ("/other", "</other>")] {
                    try wire.write("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
                    let answer = try wire.response()
                    #expect(answer.body == body)
                    if body == "sorry" {
                        #expect(answer.head.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
                        #expect(answer.head.contains("Retry-After: 3\r\n"))
                        #expect(!answer.head.contains("moonquake"))
                    }
                }
            }
            let count = try #require(proxy.proxy.count("r"))
            #expect((count.seen, count.matched, count.hit) == (2, 1, 1))
            #expect(count.ownFailures == 0)
        }
    }

    @Test
    func `an error does not lose the border to the next request behind a body`() async throws {
        let upstream = try ScriptedUpstream.answering()
        let rule = RequestRule(
            name: "r",
            match: RequestMatch(methods: ["POST"]),
            action: .error(status: 500, headers: [:], body: "no")
        )
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let port = proxy.port
            let bodies = try await blocking {
                let wire = try Wire(to: port)
                try wire.write(
                    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\nGET /evil HTTP/1.1\r\n"
                )
                try wire.write("\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
                return [try wire.response().body, try wire.response().body]
            }
            #expect(bodies == ["no", "</b>"])
        }
    }

    @Test(arguments: [
        (RequestMatch(host: "*.test"), true), (RequestMatch(host: "other"), false),
        (RequestMatch(headers: ["x-user": "b*b"]), true),
        (RequestMatch(headers: ["x-user": "b"]), false),
        (RequestMatch(headers: ["x-none": "*"]), false),
        (RequestMatch(clients: [NetworkAddress("127.0.0.0/8")].compactMap(\.self)), true),
        (RequestMatch(clients: [NetworkAddress("10.0.0.0/8")].compactMap(\.self)), false),
        (RequestMatch(path: "/a/*/c"), true), (RequestMatch(path: "/a"), false),
        (RequestMatch(methods: ["POST"]), false), (RequestMatch(grpcOnly: true), false),
    ])
    func `a match is by method, path, host, header and client`(match: RequestMatch, hits: Bool)
        async throws
    {
        let upstream = try ScriptedUpstream.answering()
        let rule = RequestRule(
            name: "r",
            match: match,
            action: .error(status: 500, headers: [:], body: "")
        )
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let answer = try await proxy.get("/a/b/c?q", headers: "X-User: bob\r\n")
            #expect(answer.head.hasPrefix("HTTP/1.1 500") == hits)
        }
    }

    @Test
    func `5 % of 10,000 requests is 5 ± 1 %, the same with the same seed; 0 % none, 100 % all`() {
        func hits(_ share: Double, seed: UInt64) -> [Bool] {
            let rule = CompiledRule(
                RequestRule(name: "r", share: share, seed: seed, action: .abort)
            )
            let facts = RequestFacts(.fields([:]), client: nil)
            return (0..<10_000).map { _ in rule.draw(facts) != nil }
        }
        for seed in 0..<20 as Range<UInt64> {
            let count = hits(0.05, seed: seed).filter { $0 }.count
            #expect((400...600).contains(count), "\(count) with seed \(seed)")
        }
        #expect(hits(0.05, seed: 3) == hits(0.05, seed: 3))
        #expect(hits(0.05, seed: 3) != hits(0.05, seed: 4))
        #expect(!hits(0, seed: 1).contains(true))
        #expect(!hits(1, seed: 1).contains(false))
    }

    @Test
    func `through the wire 5 % of 10,000 requests are hit, and counted`() async throws {
        let upstream = try ScriptedUpstream.answering { _ in "" }
        let rule = RequestRule.all(.error(status: 500, headers: [:], body: ""), share: 0.05)
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let port = proxy.port
            let errors = try await blocking {
                let wire = try Wire(to: port)
                var errors = 0
                for _ in 0..<100 {
                    try wire.write(
                        String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 100)
                    )
                    for _ in 0..<100 where try wire.response().head.hasPrefix("HTTP/1.1 500") {
                        errors += 1
                    }
                }
                return errors
            }
            #expect((400...600).contains(errors))
            let count = try #require(proxy.proxy.count("r"))
            #expect((count.matched, count.hit) == (10_000, UInt64(errors)))
        }
    }

    @Test
    func `100 % hits the next request of every connection that is open, and none after the end`()
        async throws
    {
        let upstream = try ScriptedUpstream.answering()
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let wires = try await blocking {
                try (0..<50).map { _ in
                    let wire = try Wire(to: port)
                    try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    #expect(try wire.response().head.hasPrefix(Self.ok))
                    return wire
                }
            }
            func statuses() async throws -> Set<String> {
                try await blocking {
                    Set(
                        try wires.map { wire in
                            try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                            return String(try wire.response().head.prefix(12))
                        }
                    )
                }
            }
            proxy.proxy.add(.all(.error(status: 500, headers: [:], body: "")))
            #expect(try await statuses() == ["HTTP/1.1 500"])
            proxy.proxy.remove("r")
            #expect(try await statuses() == ["HTTP/1.1 200"])
        }
    }

    @Test(.rounds)
    func `delays of two faults add up`() async throws {
        let upstream = try ScriptedUpstream.answering()
        let rules = ["one", "two"].map { RequestRule.all(.latency(delayMs: 100, jitterMs: 0), $0) }
        try await ProxyUnderTest.with(upstream: upstream.port, rules: rules) { proxy in
            let port = proxy.port
            let times = try await blocking {
                let wire = try Wire(to: port)
                return try (0..<10).map { _ in
                    let start = ContinuousClock.now
                    try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    _ = try wire.response()
                    return (ContinuousClock.now - start) / .milliseconds(1)
                }.sorted()
            }
            print("100 + 100 ms: \(times)")
            #expect(times[0] >= 200)
            #expect(times[5] <= 205, .ofFigure("\(times)"))
        }
    }

    @Test(.rounds)
    func `what a fault keeps back goes on when it ends, and another's delay stays`() async throws {
        let upstream = try ScriptedUpstream.answering { _ in String(repeating: "x", count: 20_000) }
        let rules = [
            RequestRule.all(.latency(delayMs: 60_000, jitterMs: 0), "long"),
            RequestRule.all(.latency(delayMs: 700, jitterMs: 0), "short"),
            RequestRule.all(
                .bandwidth(bytesPerSecond: 1_000, scope: .aggregate, direction: .response),
                "slow"
            ),
        ]
        try await ProxyUnderTest.with(upstream: upstream.port, rules: rules) { proxy in
            let start = ContinuousClock.now
            async let answer = proxy.get()
            while proxy.proxy.count("slow")?.hit == 0 { await Task.yield() }
            try await Task.sleep(for: .milliseconds(100))
            proxy.proxy.remove("long")
            proxy.proxy.remove("slow")
            let body = try await answer.body
            let took = ContinuousClock.now - start
            #expect(body.utf8.count == 20_000)
            #expect(took >= .milliseconds(700) && took < .seconds(2), .ofFigure("\(took)"))
        }
    }

    @Test(.rounds)
    func `a body that a rate holds up comes at once when the rate ends`() async throws {
        let upstream = try ScriptedUpstream.answering { _ in String(repeating: "x", count: 50_000) }
        let rule = RequestRule.all(
            .bandwidth(bytesPerSecond: 1_000, scope: .connection, direction: .response)
        )
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let port = proxy.port
            let wire = try await blocking {
                let wire = try Wire(to: port)
                try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try wire.read(to: "\r\n\r\n")
                return wire
            }
            let start = ContinuousClock.now
            proxy.proxy.remove("r")
            let count = try await blocking { try wire.read(count: 50_000).count }
            #expect(count == 50_000)
            #expect(ContinuousClock.now - start < .seconds(2), .ofFigure)
        }
    }

    @Test(.rounds)
    func `a delay does not cap throughput`() async throws {
        let size = 100 << 20
        let upstream = try ScriptedUpstream { wire in
            while try wire.read(to: "\r\n\r\n").hasSuffix("\r\n\r\n") {
                try wire.write("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                let block = [UInt8](repeating: 65, count: 1 << 20)
                for _ in 0..<100 { try wire.write(block) }
            }
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            func seconds() async throws -> Double {
                try await blocking {
                    let wire = try Wire(to: port)
                    try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    _ = try wire.read(to: "\r\n\r\n")
                    let start = ContinuousClock.now
                    var buffer = [UInt8](repeating: 0, count: 1 << 20)
                    var count = try wire.some().count
                    while count < size {
                        let part = recv(wire.descriptor, &buffer, buffer.count, 0)
                        guard part > 0 else { break }
                        count += part
                    }
                    return (ContinuousClock.now - start) / .seconds(1)
                }
            }
            let plain = try await min(seconds(), seconds(), seconds())
            proxy.proxy.add(.all(.latency(delayMs: 200, jitterMs: 0)))
            let delayed = try await min(seconds(), seconds(), seconds())
            print("100 MiB: \(plain) s, after a delay \(delayed) s")
            #expect(delayed <= plain / 0.8 + 0.02, .ofFigure)
        }
    }

    @Test
    func `an abort resets the connection`() async throws {
        let upstream = try ScriptedUpstream.answering()
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [.all(.abort)]) { proxy in
            do {
                let answer = try await proxy.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                Issue.record("answered \(answer)")
            } catch let error as WireError {
                #expect(error.code == ECONNRESET)
            }
        }
    }

    @Test(.rounds, arguments: [BandwidthScope.connection, .aggregate])
    func `a rate is for each connection, or for all together`(scope: BandwidthScope) async throws {
        let upstream = try ScriptedUpstream.answering { _ in String(repeating: "x", count: 50_000) }
        let rule = RequestRule.all(
            .bandwidth(bytesPerSecond: 100_000, scope: scope, direction: .response)
        )
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let answer = try await proxy.get()
                        #expect(answer.body.utf8.count == 50_000)
                    }
                }
                try await group.waitForAll()
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            print("4 × 50 kB at 100 kB/s, \(scope): \(seconds) s")
            let expected = scope == .connection ? 0.45 : 1.95
            #expect(seconds > expected - 0.05)
            #expect(seconds < expected + 0.5, .ofFigure)
        }
    }

    @Test
    func `draining lets what is under way end, closes the idle, and takes nothing new`()
        async throws
    {
        let upstream = try ScriptedUpstream { wire in
            while try wire.read(to: "\r\n\r\n").hasSuffix("\r\n\r\n") {
                Thread.sleep(forTimeInterval: 0.3)
                try wire.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
            }
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let idle = try await blocking {
                let wire = try Wire(to: port)
                try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try wire.response()
                return wire
            }
            async let slow = proxy.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while proxy.proxy.openConnections < 2 { await Task.yield() }
            try await Task.sleep(for: .milliseconds(50))
            let cut = await proxy.proxy.drain(within: .seconds(5))
            #expect(cut == 0)
            #expect(try await slow.hasSuffix("done"))
            #expect(try await blocking { try idle.readAll() } == "")
            await #expect(throws: WireError.self) { try await proxy.get() }
        }
    }
    @Test
    func `a WebSocket passes frames as they are until the end, and is cut when its time is over`()
        async throws
    {
        let upstream = try ScriptedUpstream { wire in
            guard try wire.read(to: "\r\n\r\n").contains("Upgrade: websocket") else { return }
            try wire.write(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            )
            while true {
                let frame = try wire.some()
                if frame.isEmpty { return }
                try wire.write(frame)
            }
        }
        let rule = RequestRule.all(.error(status: 500, headers: [:], body: ""), share: 0)
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let port = proxy.port
            // A text frame with a mask (RFC 6455, section 5.2), as a client sends it.
            let frame: [UInt8] = [0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6b]
            let wire = try await blocking {
                let wire = try Wire(to: port)
                try wire.write(
                    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                )
                #expect(try wire.read(to: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
                try wire.write(frame)
                #expect(try wire.read(count: frame.count) == frame)
                return wire
            }
            async let drained = proxy.proxy.drain(within: .milliseconds(400))
            try await blocking {
                // What is open goes on while it drains.
                try wire.write(frame)
                #expect(try wire.read(count: frame.count) == frame)
            }
            #expect(await drained == 1)
            await #expect(throws: WireError(code: ECONNRESET)) {
                try await blocking { try wire.some() }
            }
            #expect(proxy.proxy.count("r")?.seen == 1, "its request was judged as any other")
        }
    }
}
