import ChaosModel
import ChaosSteadyState
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite
struct `The http probe` {
    private let fine = ScriptedReply.http("200 OK", "ok")

    private func options(
        _ port: Int,
        _ more: [String: ParameterValue] = [:]
    ) -> [String: ParameterValue] {
        let base: [String: ParameterValue] = [
            "url": .string("http://127.0.0.1:\(port)/health?a=b+c"), "rate": "100/s",
            // Patient, since what is measured is not this machine's load.
            "timeout": "20s",
        ]
        return base.merging(more) { $1 }
    }

    @Test(.rounds)
    func `an ordinary server is healthy`() async throws {
        try await withNginx { port, _ in
            try await withSource("http", options(port)) { source in
                let seen = try await source.value { $0 == 0 }
                #expect(seen == 0)
            }
            try await withSource("http", options(port, ["measure": "rate"])) { source in
                let rate = try await source.value { $0 > 80 && $0 < 120 }
                #expect((80...120).contains(rate ?? 0), .ofFigure)
            }
            try await withSource("http", options(port, ["measure": "p99"])) { source in
                let latency = try #require(try await source.value())
                #expect(latency > 0 && latency < 0.5, .ofFigure)
            }
        }
    }

    @Test
    func `there is no data before the first answer and after the end`() async throws {
        let answer: @Sendable (String) -> ScriptedReply = { _ in .hang }
        try await ScriptedServer.run(answer) { _, port in
            let catalogue = MetricCatalogue()
            let definition = try catalogue.definition(
                name: "m",
                source: "http",
                options: options(port, ["timeout": "60s"])
            )
            let source = try catalogue.source(for: definition, in: .stub())
            #expect(await source.sample() == .noData("not started"))
            await source.start()
            #expect(await source.sample() == .noData("no answer in the last 10s"))
            await source.stop()
            await source.stop()
            #expect(await source.sample() == .noData("stopped"))
        }
    }

    @Test
    func `the request is as asked`() async throws {
        let more: [String: ParameterValue] = [
            "method": "POST", "body": "{\"a\":1}", "headers": ["X-Tenant": "shop"],
        ]
        try await ScriptedServer.run({ _ in fine }) { server, port in
            try await withSource("http", options(port, more)) { source in
                let seen2 = try await source.value()
                #expect(seen2 == 0)
            }
            let request = try #require(server.requests.withLock { $0.first })
            #expect(request.hasPrefix("POST /health?a=b+c HTTP/1.1\r\n"))
            #expect(request.contains("\r\nHost: 127.0.0.1:\(port)\r\n"))
            #expect(request.contains("\r\nX-Tenant: shop\r\n"))
            #expect(request.contains("\r\nConnection: close\r\n"))
            #expect(request.contains("\r\nContent-Length: 7\r\n"))
            #expect(request.hasSuffix("\r\n\r\n{\"a\":1}"))
        }
    }

    @Test
    func `statuses are judged as one of a list, not as a range`() async throws {
        let answer: @Sendable (String) -> ScriptedReply = { _ in .http("203 Maybe", "") }
        try await ScriptedServer.run(answer) { _, port in
            try await withSource("http", options(port)) { source in
                let seen3 = try await source.value()
                #expect(seen3 == 0)
            }
            let strict = options(port, ["expect_status": [200, 204]])
            try await withSource("http", strict) { source in
                let reading = try await source.reading { $0.number == 1 }
                #expect(reading.number == 1)
                #expect(reading.text.contains("status 203"))
            }
        }
    }

    @Test
    func `redirects are answers and not followed`() async throws {
        let answer: @Sendable (String) -> ScriptedReply = { _ in
            .http("302 Found", "", headers: "Location: /elsewhere\r\n")
        }
        try await ScriptedServer.run(answer) { server, port in
            try await withSource("http", options(port)) { source in
                let seen4 = try await source.value()
                #expect(seen4 == 0)
            }
            #expect(server.requests.withLock { $0.allSatisfy { $0.contains("/health") } })
        }
    }

    @Test
    func `a refused connection is an error without a latency`() async throws {
        try await HeldPort.hold { port in
            try await withSource("http", options(port)) { source in
                let reading = try await source.reading { $0.number == 1 }
                #expect(reading.number == 1)
                #expect(reading.text.contains("connection refused"))
            }
            try await withSource("http", options(port, ["measure": "p99"])) { source in
                let reading = try await source.reading { $0.text.contains("refused") }
                #expect(reading.number == nil)
            }
        }
    }

    @Test(arguments: [
        (ScriptedReply.reset, "connection reset"),
        (.text(""), "closed before the answer was complete"),
        (.text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "closed before"),
        (.text("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "no HTTP: "),
        (.http("500 Broken", "no"), "status 500"),
    ])
    func `a broken answer is an error that says what`(
        reply: ScriptedReply,
        reason: String
    ) async throws {
        try await ScriptedServer.run({ _ in reply }) { _, port in
            try await withSource("http", options(port)) { source in
                let reading = try await source.reading { $0.number == 1 }
                #expect(reading.number == 1)
                #expect(reading.text.contains(reason), "\(reading)")
            }
        }
    }

    @Test(.rounds)
    func `a server that hangs gives time-outs with their latency`() async throws {
        try await ScriptedServer.run({ _ in .hang }) { _, port in
            let patient: [String: ParameterValue] = ["timeout": "200ms", "measure": "p50"]
            try await withSource("http", options(port, patient)) { source in
                let reading = try await source.reading { $0.number != nil }
                #expect(abs((reading.number ?? 0) - 0.2) < 0.003, .ofFigure)
                #expect(reading.text.contains("timed out"))
            }
        }
    }

    @Test(.rounds)
    func `a stall shows in every request that fell into it`() async throws {
        let isStalled = Atomic(false)
        try await ScriptedServer.run({ _ in
            isStalled.load(ordering: .relaxed) ? .hang : .http("200 OK", "ok")
        }) { server, port in
            let more: [String: ParameterValue] = [
                "timeout": "500ms", "measure": "p90", "window": "1s",
            ]
            try await withSource("http", options(port, more)) { source in
                let seen5 = try await source.value { $0 < 0.1 } ?? 1
                #expect(seen5 < 0.1, .ofFigure)
                let before = server.requests.withLock { $0.count }
                isStalled.store(true, ordering: .relaxed)
                // Closed-loop, one client would have sent one request into the stall, and p90 would stay low.
                #expect(await comes { server.requests.withLock { $0.count } - before > 40 })
                let stalled = try await source.value { $0 > 0.49 } ?? 0
                #expect(stalled > 0.49)
            }
        }
    }

    @Test(.rounds)
    func `latency counts from the time a request was due`() async throws {
        try await ScriptedServer.run({ _ in .late(.milliseconds(120), .okText) }) { _, port in
            let more: [String: ParameterValue] = ["measure": "p50", "timeout": "10s"]
            try await withSource("http", options(port, more)) { source in
                let latency = try await source.value() ?? 0
                #expect(latency >= 0.119 && latency < 9, .ofFigure)
            }
        }
    }

    @Test
    func `an endless body costs bounded time and memory`() async throws {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n"
        try await ScriptedServer.run({ _ in .endless(head) }) { _, port in
            let before = residentBytes()
            try await withSource("http", options(port, ["rate": "20/s"])) { source in
                let seen6 = try await source.value { $0 == 0 }
                #expect(seen6 == 0)
                // Wait for some more, so that what is not dropped would add up.
                for _ in 0..<40 {
                    _ = await source.sample()
                    try await Task.sleep(for: .milliseconds(10))
                }
                let seen7 = try await source.value()
                #expect(seen7 == 0)
            }
            // Other tests of this process take memory meanwhile; a body that is kept grows without end.
            #expect(residentBytes() - before < 256 << 20)
        }
    }

    @Test(.rounds)
    func `by default every request connects anew and keep_alive reuses`() async throws {
        let keepOpen = ScriptedReply.keepOpen(.okText)
        try await ScriptedServer.run({ _ in keepOpen }) { server, port in
            try await withSource("http", options(port)) { source in
                _ = try await source.value()
                #expect(await comes { server.requests.withLock { $0.count } >= 10 })
            }
            let pair = (server.connections.withLock(\.self), server.requests.withLock(\.count))
            #expect(pair.0 >= pair.1)
        }
        try await ScriptedServer.run({ _ in keepOpen }) { server, port in
            try await withSource("http", options(port, ["keep_alive": true])) { source in
                _ = try await source.value()
                #expect(await comes { server.requests.withLock { $0.count } >= 100 })
                #expect(await source.sample().number == 0)
            }
            let pair = (server.connections.withLock(\.self), server.requests.withLock(\.count))
            #expect(pair.0 < pair.1 / 2, .ofFigure("\(pair)"))
        }
    }

    @Test
    func `an idle connection that the server closed is no error`() async throws {
        // The server says that it keeps the connection, and closes it.
        try await ScriptedServer.run({ _ in .text(.okText) }) { server, port in
            let more: [String: ParameterValue] = ["keep_alive": true]
            try await withSource("http", options(port, more)) { source in
                #expect(await comes { server.requests.withLock { $0.count } >= 30 })
                // That a request has come does not mean that its answer is counted already.
                let reading = try await source.reading { $0.number != nil }
                #expect(reading.number == 0, "\(reading)")
            }
        }
    }

    @Test
    func `it recovers when the server does`() async throws {
        let isBroken = Atomic(true)
        try await ScriptedServer.run({ _ in
            isBroken.load(ordering: .relaxed) ? .reset : .http("200 OK", "ok")
        }) { _, port in
            try await withSource("http", options(port, ["window": "1s"])) { source in
                let seen8 = try await source.value { $0 == 1 }
                #expect(seen8 == 1)
                isBroken.store(false, ordering: .relaxed)
                let seen9 = try await source.value { $0 == 0 }
                #expect(seen9 == 0)
            }
        }
    }

    @Test
    func `a host name is looked up`() async throws {
        try await ScriptedServer.run({ _ in .http("200 OK", "ok") }) { _, port in
            let url: [String: ParameterValue] = [
                "url": .string("http://localhost:\(port)/"), "rate": "100/s", "timeout": "20s",
            ]
            try await withSource("http", url) { source in
                let seen10 = try await source.value { $0 == 0 }
                #expect(seen10 == 0)
            }
            let unknown: [String: ParameterValue] = [
                "url": "http://nobody.invalid/", "rate": "50/s",
            ]
            try await withSource("http", unknown) { source in
                let reading = try await source.reading { $0.number == 1 }
                #expect(reading.number == 1)
                #expect(
                    reading.text.contains("cannot resolve nobody.invalid")
                        || reading.text.contains("timed out")
                )
            }
        }
    }

    @Test
    func `a namespace that cannot be entered is no data with the reason`() async throws {
        try await withSource("http", options(1, ["netns": "shop"])) { source in
            let reason = "cannot enter the network namespace shop: no namespace shop"
            #expect(await source.sample() == .noData(reason))
        }
    }

    @Test
    func `its sockets are made in the namespace`() async throws {
        let denied = Mutex<Int32>(0)
        let context = SourceContext.stub(enterNamespace: { _ in
            // An empty namespace, whose loopback is down; only this thread enters it.
            guard enterEmptyNamespace() == 0 else {
                denied.withLock { $0 = errno }
                return
            }
        })
        try await ScriptedServer.run({ _ in .http("200 OK", "ok") }) { server, port in
            for host in ["127.0.0.1", "localhost"] {
                let more: [String: ParameterValue] = [
                    "netns": "empty", "url": .string("http://\(host):\(port)/"),
                ]
                try await withSource("http", options(port, more), in: context) { source in
                    let reading = try await source.reading { $0.number != nil }
                    guard denied.withLock({ $0 }) == 0 else {
                        print("SKIPPED: unshare(CLONE_NEWNET) needs CAP_SYS_ADMIN")
                        return
                    }
                    #expect(reading.number == 1, "\(host): \(reading)")
                    #expect(reading.text.contains("network unreachable"), "\(host): \(reading)")
                    #expect(server.requests.withLock { $0.isEmpty })
                }
            }
            try await withSource("http", options(port)) { source in
                let seen11 = try await source.value { $0 == 0 }
                #expect(seen11 == 0)
            }
        }
    }
}

extension String {
    /// A whole small answer.
    fileprivate static let okText = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
}

/// Moves the calling thread into a new network namespace: unshare(2), which Glibc's module leaves out.
private func enterEmptyNamespace() -> Int32 {
    guard let symbol = dlsym(nil, "unshare") else { return -1 }
    // SAFETY: unshare(2) takes one int, CLONE_NEWNET, and returns one.
    let unshare = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
    return unshare(0x4000_0000)
}

/// The resident memory of this process.
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return 0 }
    let text = String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
}
