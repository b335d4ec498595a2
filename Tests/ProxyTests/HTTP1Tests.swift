// What passes through unchanged.

import ChaosModel
import Foundation
import Synchronization
import Testing

@testable import ChaosProxy

@Suite
struct HTTP1Tests {
    @Test
    func `requests of one connection are answered in order, also when they come at once`()
        async throws
    {
        let upstream = try ScriptedUpstream.answering()
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let bodies = try await blocking {
                let wire = try Wire(to: port)
                try wire.write(
                    (0..<50).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
                )
                return try (0..<50).map { _ in try wire.response().body }
            }
            #expect(bodies == (0..<50).map { "</\($0)>" })
        }
    }

    @Test
    func `chunks, extensions and trailers pass byte by byte in both directions`() async throws {
        let request =
            "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
            + "5;name=value\r\nhello\r\n3\r\n\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"
        let response =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nX-Odd:  two  blanks \r\n\r\n"
            + "a\r\n0123456789\r\n0\r\nX-Done: yes\r\n\r\n"
        let seen = Mutex("")
        let upstream = try ScriptedUpstream { wire in
            let text = String(decoding: try wire.read(count: request.utf8.count), as: UTF8.self)
            seen.withLock { $0 = text }
            for byte in response.utf8 { try wire.write([byte]) }
            _ = try wire.some()
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let answer = try await blocking {
                let wire = try Wire(to: port)
                for byte in request.utf8 { try wire.write([byte]) }
                return String(decoding: try wire.read(count: response.utf8.count), as: UTF8.self)
            }
            #expect(answer == response)
            #expect(seen.withLock { $0 } == request)
        }
    }

    @Test
    func `who waits for 100-continue gets it, and then the answer`() async throws {
        let upstream = try ScriptedUpstream { wire in
            _ = try wire.read(to: "\r\n\r\n")
            try wire.write("HTTP/1.1 100 Continue\r\n\r\n")
            let body = String(decoding: try wire.read(count: 4), as: UTF8.self)
            try wire.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\(body)")
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let answer = try await blocking {
                let wire = try Wire(to: port)
                try wire.write(
                    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
                )
                let interim = try wire.read(to: "\r\n\r\n")
                try wire.write("body")
                return (interim, try wire.response().body)
            }
            #expect(answer.0 == "HTTP/1.1 100 Continue\r\n\r\n")
            #expect(answer.1 == "body")
        }
    }

    @Test(arguments: [
        (
            "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        ),
        (
            "CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n",
            "HTTP/1.1 200 Connected\r\n\r\n"
        ),
    ])
    func `after an upgrade or CONNECT all bytes pass`(request: String, response: String)
        async throws
    {
        let upstream = try ScriptedUpstream { wire in
            _ = try wire.read(to: "\r\n\r\n")
            try wire.write(response + "\u{1}first")
            while true {
                let bytes = try wire.some()
                if bytes.isEmpty { break }
                try wire.write(bytes.reversed())
            }
            try wire.write("the end")
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            try await blocking {
                let wire = try Wire(to: port)
                try wire.write(request)
                #expect(try wire.read(to: "\r\n\r\n") == response)
                #expect(try wire.read(count: 6) == [1] + Array("first".utf8))
                try wire.write([0, 255, 13, 10])
                #expect(try wire.read(count: 4) == [10, 13, 255, 0])
                wire.finish()
                #expect(try wire.readAll() == "the end")
            }
        }
    }

    @Test
    func `an answer without a length ends with its connection`() async throws {
        let upstream = try ScriptedUpstream { wire in
            _ = try wire.read(to: "\r\n\r\n")
            try wire.write("HTTP/1.0 200 OK\r\n\r\nall of it")
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let answer = try await proxy.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(answer == "HTTP/1.0 200 OK\r\n\r\nall of it")
        }
    }

    @Test
    func `TLS and what is no HTTP pass untouched and are counted`() async throws {
        let upstream = try ScriptedUpstream { wire in try wire.write(try wire.some() + [7]) }
        let rule = RequestRule.all(.error(status: 500, headers: [:], body: ""))
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let port = proxy.port
            try await blocking {
                for first: UInt8 in [0x16, 0x00] {
                    let wire = try Wire(to: port)
                    try wire.write([first, 3, 1, 2])
                    #expect(try wire.read(count: 5) == [first, 3, 1, 2, 7])
                }
            }
            let count = try #require(proxy.proxy.count("r"))
            #expect(count.tls == 1)
            #expect(count.other == 1)
            #expect(count.seen == 0)
        }
    }

    @Test
    func `a server that speaks first is heard`() async throws {
        let upstream = try ScriptedUpstream { wire in
            try wire.write("220 hello\r\n")
            _ = try wire.some()
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let greeting = try await blocking { try Wire(to: port).read(to: "\n") }
            #expect(greeting == "220 hello\r\n")
        }
    }

    @Test
    func `an upstream that is down is a failure of our own, marked and counted apart`() async throws
    {
        let closed = try ScriptedUpstream.closedPort()
        let rule = RequestRule.all(.latency(delayMs: 1, jitterMs: 0))
        try await ProxyUnderTest.with(upstream: closed, rules: [rule]) { proxy in
            let answer = try await proxy.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"), "\(answer)")
            #expect(
                answer.contains(
                    "x-moonquake-error: upstream 127.0.0.1:\(closed): Connection refused"
                )
            )
            #expect(proxy.proxy.count("r")?.ownFailures == 1)
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\u{0}b\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.7\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 70_000))\r\n\r\n",
    ])
    func `what others could read differently is refused and not passed on`(request: String)
        async throws
    {
        let seen = Mutex(0)
        let upstream = try ScriptedUpstream { wire in
            let count = try wire.some().count
            seen.withLock { $0 += count }
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let answer = try await proxy.exchange(request)
            let status = answer.split(separator: " ").dropFirst().first ?? ""
            #expect(["400", "431", "501", "505"].contains(status), "\(answer)")
            #expect(answer.contains("\r\nx-moonquake-error: "))
            #expect(proxy.proxy.ownFailures == 1)
            #expect(seen.withLock { $0 } == 0)
        }
    }

    @Test
    func `a gigabyte passes in constant memory, and waits for a slow reader`() async throws {
        let size = 1 << 30
        let upstream = try ScriptedUpstream { wire in
            _ = try wire.read(to: "\r\n\r\n")
            try wire.write("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            let block = [UInt8](repeating: 65, count: 1 << 20)
            for _ in 0..<1024 { try wire.write(block) }
            _ = try wire.some()
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let before = residentBytes()
            let (count, grown) = try await blocking {
                let wire = try Wire(to: port)
                try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try wire.read(to: "\r\n\r\n")
                Thread.sleep(forTimeInterval: 0.3)
                var grown = residentBytes() - before
                var count = try wire.some().count
                var buffer = [UInt8](repeating: 0, count: 1 << 20)
                while count < size {
                    let part = recv(wire.descriptor, &buffer, buffer.count, 0)
                    guard part > 0 else { break }
                    count += part
                    if count % 64 == 0 { grown = max(grown, residentBytes() - before) }
                }
                return (count, max(grown, residentBytes() - before))
            }
            #expect(count == size)
            #expect(grown < 48 << 20, "grew by \(grown >> 20) MiB")
        }
    }

    @Test
    func `a gigabyte that is sent passes in constant memory, and waits for a slow reader`()
        async throws
    {
        let size = 1 << 30
        let upstream = try ScriptedUpstream { wire in
            let head = try wire.read(to: "\r\n\r\n")
            guard head.hasPrefix("PUT") else { return }
            Thread.sleep(forTimeInterval: 0.3)
            var count = 0
            while count < size {
                let part = try wire.some().count
                guard part > 0 else { return }
                count += part
            }
            try wire.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await ProxyUnderTest.with(upstream: upstream.port) { proxy in
            let port = proxy.port
            let before = residentBytes()
            let (body, grown) = try await blocking {
                let wire = try Wire(to: port)
                try wire.write("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
                let block = [UInt8](repeating: 65, count: 1 << 20)
                var grown = 0
                for _ in 0..<1024 {
                    try wire.write(block)
                    grown = max(grown, residentBytes() - before)
                }
                return (try wire.response().body, grown)
            }
            #expect(body == "ok")
            #expect(grown < 48 << 20, "grew by \(grown >> 20) MiB")
        }
    }
}
