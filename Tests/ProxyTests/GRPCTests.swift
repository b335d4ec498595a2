// Calls of gRPC through the proxy, between the real client and server of grpcio; and HTTP/2 between curl and nghttpd.

import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

@testable import ChaosProxy

/// A program that runs until the test ends.
final class Peer {
    private let process = Process()
    private let output = Pipe()

    init(_ arguments: [String]) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        // What outlives a crash of the tests must not keep their output open.
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit { kill(process.processIdentifier, SIGKILL) }

    /// The next line that it prints.
    func line() -> String {
        var bytes: [UInt8] = []
        while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Runs a program to its end, and returns what it printed.
    static func run(_ arguments: [String]) async throws -> String {
        try await blocking {
            let peer = try Peer(arguments)
            let data = try peer.output.fileHandleForReading.readToEnd() ?? Data()
            peer.process.waitUntilExit()
            return String(decoding: data, as: UTF8.self)
        }
    }
}

@Suite(
    .serialized,
    .enabled(
        if: FileManager.default.fileExists(atPath: "/usr/lib/python3/dist-packages/grpc"),
        "SKIPPED: needs python3-grpcio: run make setup"
    )
)
struct GRPCTests {
    private static let server = """
        import grpc, sys, time
        from concurrent import futures
        def unary(request, context):
            context.set_trailing_metadata((("x-sum", str(len(request))),))
            return request[::-1]
        def stream(request, context):
            for n in range(int(request)):
                yield b"x" * 1000
        def both(requests, context):
            for request in requests:
                yield request[::-1]
        def late(request, context):
            context.abort(grpc.StatusCode.NOT_FOUND, "not here: ü")
        handler = grpc.method_handlers_generic_handler("t.T", {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Stream": grpc.unary_stream_rpc_method_handler(stream),
            "Both": grpc.stream_stream_rpc_method_handler(both),
            "Late": grpc.unary_unary_rpc_method_handler(late),
        })
        server = grpc.server(futures.ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers((handler,))
        print(server.add_insecure_port("127.0.0.1:0"), flush=True)
        server.start()
        time.sleep(300)
        """

    /// Runs a client's code, in which `c` is a channel through the proxy.
    private func client(_ port: Int, _ code: String) async throws -> [String] {
        let head = """
            import grpc, time
            c = grpc.insecure_channel("127.0.0.1:\(port)")
            unary = c.unary_unary("/t.T/Unary")
            def status(call):
                try:
                    return call().decode()
                except grpc.RpcError as e:
                    return e.code().name + " " + e.details()

            """
        let text = try await Peer.run(["/usr/bin/python3", "-c", head + code])
        return text.split(separator: "\n").map(String.init)
    }

    private func with(
        _ rules: [RequestRule] = [],
        _ body: @Sendable (ProxyUnderTest) async throws -> Void
    ) async throws {
        let server = try Peer(["/usr/bin/python3", "-c", Self.server])
        let port = try #require(Int(server.line()))
        try await ProxyUnderTest.with(upstream: port, rules: rules, body)
    }

    @Test
    func `calls, streams, trailers and errors of the service pass as they are`() async throws {
        try await with { proxy in
            let lines = try await client(
                proxy.port,
                """
                answer, call = unary.with_call(b"hello")
                print(answer.decode(), dict(call.trailing_metadata())["x-sum"])
                print(sum(len(m) for m in c.unary_stream("/t.T/Stream")(b"3000")))
                print(b"".join(c.stream_stream("/t.T/Both")(iter([b"ab", b"cd"]))).decode())
                print(status(lambda: c.unary_unary("/t.T/Late")(b"")))
                big = b"0123456789" * 300000
                opts = [("grpc.max_receive_message_length", -1)]
                print(len(unary(big)) == len(big))
                calls = [unary.future(str(n).encode()) for n in range(200)]
                print(all(f.result() == str(n).encode()[::-1] for n, f in enumerate(calls)))
                """
            )
            #expect(
                lines == ["olleh 5", "3000000", "badc", "NOT_FOUND not here: ü", "True", "True"]
            )
            #expect(proxy.proxy.ownFailures == 0)
        }
    }

    @Test
    func `an error has code and message, and hits only its method`() async throws {
        let rule = RequestRule(
            name: "r",
            match: RequestMatch(path: "/t.T/Un*", grpcOnly: true),
            action: .grpcError(code: 8, message: "too much: 100 % ü")
        )
        try await with([rule]) { proxy in
            let lines = try await client(
                proxy.port,
                """
                print(status(lambda: unary(b"x" * 200000)))
                print(status(lambda: unary(b"y")))
                print(b"".join(c.stream_stream("/t.T/Both")(iter([b"ab", b"cd"]))).decode())
                """
            )
            let error = "RESOURCE_EXHAUSTED too much: 100 % ü"
            #expect(lines == [error, error, "badc"])
            #expect(proxy.proxy.count("r")?.hit == 2)
        }
    }

    @Test
    func `a share of the calls is hit on one connection, and latency adds up`() async throws {
        let rules = [
            RequestRule.all(.grpcError(code: 14, message: "no"), "e", share: 0.2),
            RequestRule.all(.latency(delayMs: 50, jitterMs: 0), "l"),
            RequestRule.all(.latency(delayMs: 50, jitterMs: 0), "m"),
        ]
        try await with(rules) { proxy in
            let lines = try await client(
                proxy.port,
                """
                grpc.channel_ready_future(c).result(timeout=10)
                start = time.monotonic()
                calls = [unary.future(b"ab") for n in range(300)]
                print(sum(1 for f in calls if f.exception()))
                took = time.monotonic() - start
                # All at once, not one after the other.
                print(0.1 <= took < 2)
                """
            )
            let errors = try #require(lines.first.flatMap { Int($0) })
            #expect((35...90).contains(errors), "\(errors) of 300")
            #expect(lines.last == "True")
            #expect(proxy.proxy.count("e")?.hit == UInt64(errors))
        }
    }

    @Test
    func `an abort resets the call, and a rate makes it slow`() async throws {
        let rules = [
            RequestRule(name: "a", match: RequestMatch(path: "/t.T/Unary"), action: .abort),
            RequestRule(
                name: "b",
                match: RequestMatch(path: "/t.T/Stream"),
                action: .bandwidth(bytesPerSecond: 100_000, scope: .aggregate, direction: .response)
            ),
        ]
        try await with(rules) { proxy in
            let lines = try await client(
                proxy.port,
                """
                print(status(lambda: unary(b"x")).split()[0])
                start = time.monotonic()
                print(sum(len(m) for m in c.unary_stream("/t.T/Stream")(b"100")))
                print(0.8 < time.monotonic() - start < 3)
                """
            )
            #expect(lines == ["CANCELLED", "100000", "True"])
        }
    }

    @Test
    func `an upstream that is down is UNAVAILABLE, marked and counted apart`() async throws {
        let closed = try ScriptedUpstream.closedPort()
        try await ProxyUnderTest.with(upstream: closed) { proxy in
            let lines = try await client(
                proxy.port,
                """
                try:
                    unary(b"x")
                except grpc.RpcError as e:
                    print(e.code().name, "x-moonquake-error" in dict(e.trailing_metadata()))
                """
            )
            #expect(lines == ["UNAVAILABLE True"])
            #expect(proxy.proxy.ownFailures == 1)
        }
    }
}

@Suite(
    .serialized,
    .enabled(
        if: FileManager.default.fileExists(atPath: "/usr/sbin/nghttpd"),
        "SKIPPED: needs nghttp2-server: run make setup"
    )
)
struct HTTP2Tests {
    private static let curl = [
        "curl", "-s", "-m", "10", "--http2-prior-knowledge", "-w", "%{http_code} %{http_version}",
    ]

    private func with(
        _ rules: [RequestRule] = [],
        _ body: @Sendable (ProxyUnderTest) async throws -> Void
    ) async throws {
        let folder = try TestFolder()
        try Data(repeating: 65, count: 5_000_000).write(to: folder["big"])
        try folder.write("ok", as: "small")
        // Without blocks: it takes no room.
        let huge = open(folder["huge"].path, O_CREAT | O_WRONLY, 0o600)
        ftruncate(huge, 1 << 30)
        close(huge)
        let port = try ScriptedUpstream.closedPort()
        let server = try Peer([
            "/usr/sbin/nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", folder.path, "\(port)",
        ])
        defer { withExtendedLifetime((server, folder)) {} }
        for _ in 0..<500 where (try? Wire(to: port)) == nil {
            try await Task.sleep(for: .milliseconds(10))
        }
        try await ProxyUnderTest.with(upstream: port, rules: rules, body)
    }

    @Test
    func `small and large bodies pass`() async throws {
        try await with { proxy in
            let base = "http://127.0.0.1:\(proxy.port)/"
            let small = try await Peer.run(Self.curl + [base + "small"])
            #expect(small == "ok200 2")
            let big = try await Peer.run(Self.curl + ["-o", "/dev/null", base + "big"])
            #expect(big == "200 2")
            let length = try await Peer.run(
                Self.curl + [
                    "-o", "/dev/null", "-w", "%{size_download}", base + "big", base + "big",
                ]
            )
            #expect(length.contains("5000000"))
        }
    }

    @Test
    func `errors, delays and rates are made`() async throws {
        let rules = [
            RequestRule(
                name: "e",
                match: RequestMatch(path: "/small", host: "127.0.0.1"),
                action: .error(status: 503, headers: ["X-A": "b"], body: "sorry")
            ),
            RequestRule.all(.latency(delayMs: 100, jitterMs: 0), "l"),
        ]
        try await with(rules) { proxy in
            let base = "http://127.0.0.1:\(proxy.port)/"
            let start = ContinuousClock.now
            let small = try await Peer.run(Self.curl + ["-i", base + "small"])
            #expect(ContinuousClock.now - start >= .milliseconds(100))
            #expect(small.contains("HTTP/2 503") && small.contains("x-a: b"), "\(small)")
            #expect(small.hasSuffix("sorry503 2"))
            let big = try await Peer.run(Self.curl + ["-o", "/dev/null", base + "big"])
            #expect(big == "200 2")
        }
    }

    @Test
    func `what a delay keeps back of a stream goes on when it ends`() async throws {
        try await with([.all(.latency(delayMs: 60_000, jitterMs: 0))]) { proxy in
            async let answer = Peer.run(Self.curl + ["http://127.0.0.1:\(proxy.port)/small"])
            while proxy.proxy.count("r")?.hit == 0 { await Task.yield() }
            try await Task.sleep(for: .milliseconds(100))
            proxy.proxy.remove("r")
            #expect(try await answer == "ok200 2")
        }
    }

    @Test(arguments: [
        (RequestMatch(methods: ["GET"], path: "/sm*", host: "127.*"), true),
        (RequestMatch(headers: ["x-user": "b*b"]), true),
        (RequestMatch(clients: [NetworkAddress("127.0.0.0/8")].compactMap(\.self)), true),
        (RequestMatch(methods: ["POST"]), false), (RequestMatch(path: "/sma"), false),
        (RequestMatch(host: "localhost"), false), (RequestMatch(headers: ["x-user": "b"]), false),
        (RequestMatch(clients: [NetworkAddress("10.0.0.0/8")].compactMap(\.self)), false),
        (RequestMatch(grpcOnly: true), false),
    ])
    func `a match is by method, path, host, header and client`(match: RequestMatch, hits: Bool)
        async throws
    {
        let rule = RequestRule(
            name: "r",
            match: match,
            action: .error(status: 500, headers: [:], body: "")
        )
        try await with([rule]) { proxy in
            let url = "http://127.0.0.1:\(proxy.port)/small?q"
            let answer = try await Peer.run(Self.curl + ["-H", "X-User: bob", url])
            #expect(answer == (hits ? "500 2" : "ok200 2"))
        }
    }

    @Test
    func `a gigabyte passes in constant memory`() async throws {
        try await with { proxy in
            let size = 1 << 30
            let before = residentBytes()
            async let length = Peer.run(
                Self.curl + [
                    "-m", "100", "-o", "/dev/null", "-w", "%{size_download}",
                    "http://127.0.0.1:\(proxy.port)/huge",
                ]
            )
            var grown = 0
            while proxy.proxy.openConnections == 0 { await Task.yield() }
            while proxy.proxy.openConnections > 0 {
                grown = max(grown, residentBytes() - before)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try await length == "\(size)")
            print("a gigabyte of HTTP/2: \(grown >> 20) MiB more")
            #expect(grown < 48 << 20)
        }
    }

    @Test
    func `after an upgrade its streams are judged too`() async throws {
        // The upstream answers the upgrade, and then each stream with 200.
        let upstream = try ScriptedUpstream { wire in
            _ = try wire.read(to: "\r\n\r\n")
            try wire.write(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            )
            try wire.write([0, 0, 0, 4, 0, 0, 0, 0, 0])
            try wire.write([0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88])
            while !(try wire.some().isEmpty) {}
        }
        let rule = RequestRule(
            name: "r",
            match: RequestMatch(path: "/hit"),
            action: .error(status: 404, headers: [:], body: "")
        )
        try await ProxyUnderTest.with(upstream: upstream.port, rules: [rule]) { proxy in
            let port = proxy.port
            try await blocking {
                let wire = try Wire(to: port)
                try wire.write(
                    "GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                        + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
                )
                #expect(try wire.read(to: "\r\n\r\n").hasPrefix("HTTP/1.1 101"))
                #expect(try wire.read(count: 9) == [0, 0, 0, 4, 0, 0, 0, 0, 0])
                let answer = try wire.read(count: 9)
                #expect(answer[3] == 1 && answer[8] == 1, "HEADERS of stream 1: \(answer)")
                _ = try wire.read(count: Int(answer[2]))
                try wire.write(Opening.preface + [0, 0, 0, 4, 0, 0, 0, 0, 0])
                let path: [UInt8] = [0x82, 0x86, 0x04, 0x04] + Array("/hit".utf8)
                try wire.write([0, 0, UInt8(path.count), 1, 5, 0, 0, 0, 3] + path)
                let hit = try wire.read(count: 9)
                #expect(hit[3] == 1 && hit[8] == 3, "HEADERS of stream 3: \(hit)")
                let block = try wire.read(count: Int(hit[2]))
                #expect(block.firstIndex(ofSequence: Array("404".utf8)) != nil)
            }
            #expect(proxy.proxy.count("r")?.hit == 1)
        }
    }
}
