import ChaosModel
import ChaosSteadyState
import FoundationEssentials
import Synchronization
import TestSupport
import Testing

@Suite
struct `The prometheus source` {
    private let one =
        #"{"status":"success","data":{"resultType":"scalar","result":[1,"1.0"]}}"#

    private func options(
        _ port: Int,
        _ more: [String: ParameterValue] = [:]
    ) -> [String: ParameterValue] {
        let base: [String: ParameterValue] = [
            "server": .string("http://127.0.0.1:\(port)/prefix/"), "timeout": "2s",
            "query": #"min(up{pod=~"small.*"}) + 1"#,
        ]
        return base.merging(more) { $1 }
    }

    @Test
    func `the query arrives as it was written`() async throws {
        try await ScriptedServer.run({ _ in .http("200 OK", one) }) { server, port in
            try await withSource("prometheus", options(port)) { source in
                #expect(await source.sample() == .value(1))
            }
            let request = try #require(server.asked.first)
            #expect(request.hasPrefix("POST /prefix/api/v1/query HTTP/1.1\r\n"))
            #expect(request.contains("application/x-www-form-urlencoded"))
            #expect(
                request.hasSuffix("\r\nquery=min%28up%7Bpod%3D~%22small.%2A%22%7D%29%20%2B%201")
            )
        }
    }

    @Test
    func `a proxy that refuses POST is asked by GET from then on`() async throws {
        try await ScriptedServer.run({ request in
            request.hasPrefix("GET") ? .http("200 OK", one) : .http("405 No", "")
        }) { server, port in
            try await withSource("prometheus", options(port)) { source in
                for _ in 1...2 {
                    let reading = await source.sample()
                    #expect(reading == .value(1))
                }
            }
            let verbs = server.asked.map { $0.prefix(4) }
            #expect(verbs == ["POST", "GET ", "GET "])
            let path = "GET /prefix/api/v1/query?query=min%28up%7Bpod%3D~%22small.%2A%22%7D%29"
            #expect(server.asked[1].hasPrefix(path))
        }
    }

    @Test
    func `credentials go into the header and into no message`() async throws {
        let basic: [String: ParameterValue] = ["username": "me", "password": "s3cret"]
        let bearer: [String: ParameterValue] = ["bearer_token": "t0ken"]
        try await ScriptedServer.run({ _ in .http("401 Unauthorized", "who?") }) { server, port in
            for (more, header) in [(basic, "Basic bWU6czNjcmV0"), (bearer, "Bearer t0ken")] {
                try await withSource("prometheus", options(port, more)) { source in
                    let reading = await source.sample()
                    #expect(reading == .noData("HTTP 401, refused: \"who?\""))
                }
                let last = server.requests.withLock { $0.last }
                #expect(last?.contains("\r\nAuthorization: \(header)\r\n") == true)
            }
        }
    }

    @Test(
        .rounds,
        arguments: [
            (ScriptedReply.hang, "no answer within 500ms"),
            (.reset, "connection reset"),
            (.text(""), "closed before the answer was complete"),
            (
                .http("302 Found", "", headers: "Location: /login\r\n"),
                "HTTP 302, redirected to \"/login\""
            ),
            (.http("200 OK", "<html>"), "HTTP 200, no answer of the Prometheus API: \"<html>\""),
            (
                .endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n"),
                "the answer is longer than 8MiB"
            ),
            (
                .text("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n"),
                "the answer is longer than 8MiB"
            ),
        ]
    )
    func `a hostile answer is no data with the reason`(
        reply: ScriptedReply,
        reason: String
    ) async throws {
        try await ScriptedServer.run({ _ in reply }) { _, port in
            let hasty: [String: ParameterValue] = [
                "timeout": reason.contains("500ms") ? "500ms" : "10s"
            ]
            try await withSource("prometheus", options(port, hasty)) { source in
                let begin = ContinuousClock.now
                #expect(await source.sample() == .noData(reason))
                #expect(ContinuousClock.now - begin < .seconds(9), .ofFigure)
            }
        }
    }

    @Test
    func `kept connections that the server has closed are no reason for no data`() async throws {
        try await ScriptedServer.run({ _ in .http("200 OK", one) }) { server, port in
            try await withSource("prometheus", options(port)) { source in
                // Each answer is closed after it without a word: the next two requests may meet that.
                for number in 1...200 {
                    let reading = await source.sample()
                    #expect(reading == .value(1), "sample \(number)")
                }
            }
            #expect(server.asked.count >= 200)
        }
    }

    @Test
    func `a server that is down is no data`() async throws {
        try await HeldPort.hold { port in
            try await withSource("prometheus", options(port)) { source in
                #expect(await source.sample() == .noData("connection refused"))
            }
        }
    }

    @Test
    func `it finds the server again after a restart`() async throws {
        let port = try ScriptedServer.freePort()
        let kept = ScriptedReply.keepOpen(
            "HTTP/1.1 200 OK\r\nContent-Length: \(one.utf8.count)\r\n\r\n\(one)"
        )
        try await withSource("prometheus", options(port)) { source in
            // Often, since what one sample leaves behind can meet the next only in a moment.
            for _ in 1...100 {
                try await ScriptedServer.run({ _ in kept }, on: port) { _, _ in
                    #expect(await source.sample() == .value(1))
                }
                #expect(await source.sample() == .noData("connection refused"))
            }
        }
    }

    @Test
    func `a real Prometheus that scrapes itself`() async throws {
        try await withFolder { folder in
            let port = try ScriptedServer.freePort()
            let configuration = """
                global: { scrape_interval: 200ms }
                scrape_configs:
                  - job_name: self
                    static_configs: [{ targets: ["127.0.0.1:\(port)"] }]
                """
            try Data(configuration.utf8).write(to: URL(filePath: folder + "/p.yml"))
            let arguments = [
                "--config.file=\(folder)/p.yml", "--storage.tsdb.path=\(folder)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--log.level=error",
            ]
            let server = ParameterValue.string("http://127.0.0.1:\(port)")
            try await withProgram("/usr/bin/prometheus", arguments) { _ in
                try await ask(server, #"min(up{job=~"se.*"}) + 0"#) { $0 == .value(1) }
                try await ask(server, #"up{job="nobody"}"#) {
                    $0 == .noData("the query matches no series")
                }
                try await ask(server, "0 / 0") { $0.text == "the value of the query is NaN" }
                try await ask(server, "vector(1) / 0") { $0 == .value(.infinity) }
                try await ask(
                    server,
                    "up",
                    more: ["step": "200ms", "window": "5s", "measure": "max"]
                ) {
                    $0 == .value(1)
                }
                try await ask(server, "up[1m]") { $0.text.contains("gives a matrix") }
                try await ask(server, "\"text\"") { $0.text.contains("gives a string") }
                try await ask(server, "up{") {
                    $0.text.contains("HTTP 400") && $0.text.contains("parse error")
                }
                try await ask(server, "prometheus_http_requests_total", below: "1e9") {
                    $0.number != nil && $0.text.contains("worst of")
                }
            }
        }
    }

    @Test
    func `an exporter that repeats an old sample is no data, though Prometheus shows it`()
        async throws
    {
        let page: @Sendable (String) -> ScriptedReply = { _ in
            let old = Int64((Date().timeIntervalSince1970 - 20) * 1000)
            return .http("200 OK", "stuck_seconds 1 \(old)\nfresh_seconds 2\n")
        }
        try await withFolder { folder in
            try await ScriptedServer.run(page) { _, exporter in
                let port = try ScriptedServer.freePort()
                let configuration = """
                    global: { scrape_interval: 1s, scrape_timeout: 1s }
                    scrape_configs:
                      - { job_name: old, static_configs: [ { targets: [ "127.0.0.1:\(exporter)" ] } ] }
                    """
                try Data(configuration.utf8).write(to: URL(filePath: folder + "/p.yml"))
                let arguments = [
                    "--config.file=\(folder)/p.yml", "--storage.tsdb.path=\(folder)/data",
                    "--web.listen-address=127.0.0.1:\(port)", "--log.level=error",
                ]
                let server = ParameterValue.string("http://127.0.0.1:\(port)")
                let known: [String: ParameterValue] = ["scrape_interval": "1s"]
                try await withProgram("/usr/bin/prometheus", arguments) { _ in
                    try await ask(server, "fresh_seconds", more: known) { $0 == .value(2) }
                    try await ask(server, "stuck_seconds", more: known) {
                        $0.number == nil
                            && $0.text.contains("more than twice the scrape interval (2s)")
                    }
                    try await ask(server, "stuck_seconds", more: ["scrape_interval": "30s"]) {
                        $0 == .value(1)
                    }
                }
            }
        }
    }

    private func ask(
        _ server: ParameterValue,
        _ query: String,
        below limit: String? = nil,
        more: [String: ParameterValue] = [:],
        _ isWanted: (Reading) -> Bool
    ) async throws {
        var options: [String: ParameterValue] = ["server": server, "query": .string(query)]
        if let limit { options["below"] = .string(limit) }
        options.merge(more) { $1 }
        try await withSource("prometheus", options) { source in
            let reading = try await source.reading(where: isWanted)
            #expect(isWanted(reading), "\(query): \(reading)")
        }
    }
}

extension ScriptedServer {
    /// The requests without those for the age of the samples.
    fileprivate var asked: [String] {
        requests.withLock { $0.filter { !$0.contains("timestamp") } }
    }
}
