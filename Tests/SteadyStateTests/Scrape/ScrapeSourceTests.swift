import ChaosModel
import ChaosSteadyState
import Synchronization
import TestSupport
import Testing

@Suite
struct `The scrape source` {
    private func options(
        _ port: Int,
        _ name: String,
        _ more: [String: ParameterValue] = [:]
    ) -> [String: ParameterValue] {
        let base: [String: ParameterValue] = [
            "url": .string("http://127.0.0.1:\(port)/metrics"), "name": .string(name),
        ]
        return base.merging(more) { $1 }
    }

    private static let page = """
        # TYPE queue_length gauge
        queue_length{queue="mail"} 3
        queue_length{queue="jobs"} 7

        """

    @Test
    func `a gauge is its value, and of several the worst`() async throws {
        try await ScriptedServer.run({ _ in .http("200 OK", Self.page) }) { server, port in
            try await withSource("scrape", options(port, "queue_length", ["below": 10])) {
                #expect(
                    await $0.sample()
                        == .value(7, note: "worst of 2 series: queue_length{queue=\"jobs\"}")
                )
            }
            let mail: [String: ParameterValue] = ["labels": .table(["queue": "mail"])]
            try await withSource("scrape", options(port, "queue_length", mail)) {
                #expect(await $0.sample() == .value(3))
            }
            let none: [String: ParameterValue] = ["labels": .table(["queue": "none"])]
            try await withSource("scrape", options(port, "queue_length", none)) {
                #expect(
                    await $0.sample()
                        == .noData("the page has no series queue_length with {queue=\"none\"}")
                )
            }
            let request = try #require(server.requests.withLock { $0.first })
            #expect(request.contains("Accept: text/plain;version=0.0.4"))
        }
    }

    @Test(.rounds)
    func `a counter is a rate, and a histogram its quantiles`() async throws {
        let begin = ContinuousClock.now
        let answer: @Sendable (String) -> ScriptedReply = { _ in
            // A counter that grows by 100 a second; nine of ten observations are below 0.1.
            let elapsed = (ContinuousClock.now - begin).inSeconds
            let count = Int(elapsed * 100)
            return .http(
                "200 OK",
                """
                requests_total{code="200"} \(count)
                requests_total{code="500"} 0
                seconds_bucket{le="0.1"} \(count * 9 / 10)
                seconds_bucket{le="1"} \(count)
                seconds_bucket{le="+Inf"} \(count)
                seconds_sum \(Double(count) * 0.2)
                seconds_count \(count)

                """
            )
        }
        try await ScriptedServer.run(answer) { _, port in
            try await withSource("scrape", options(port, "requests_total", ["measure": "rate"])) {
                #expect(await $0.sample() == .noData("a rate needs pages at least 1s apart"))
                let rate = try #require(try await $0.value())
                #expect((80...120).contains(rate), .ofFigure("\(rate)"))
            }
            try await withSource("scrape", options(port, "seconds", ["measure": "p99"])) {
                let p99 = try #require(try await $0.value())
                #expect((0.8...1).contains(p99), "\(p99)")
            }
            try await withSource("scrape", options(port, "seconds", ["measure": "mean"])) {
                let mean = try #require(try await $0.value())
                #expect(abs(mean - 0.2) < 0.01, .ofFigure("\(mean)"))
            }
        }
    }

    @Test(
        .rounds,
        arguments: [
            (ScriptedReply.hang, "no answer within 500ms"),
            (.reset, "connection reset"),
            (.http("503 Service Unavailable", "up 1\n"), "HTTP 503"),
            (.http("302 Found", "", headers: "Location: /x\r\n"), "HTTP 302, redirected to \"/x\""),
            (.http("200 OK", "<html>"), "the page has no series up"),
            (
                .http("200 OK", "up ???\n"),
                "line 1 of the page: the value of up is \"???\", no number"
            ),
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
    func `a hostile page is no data with the reason`(reply: ScriptedReply, reason: String)
        async throws
    {
        try await ScriptedServer.run({ _ in reply }) { _, port in
            let limit = ParameterValue.string(reason.contains("500ms") ? "500ms" : "10s")
            try await withSource("scrape", options(port, "up", ["timeout": limit])) {
                let begin = ContinuousClock.now
                #expect(await $0.sample() == .noData(reason))
                #expect(ContinuousClock.now - begin < .seconds(9), .ofFigure)
            }
        }
    }

    @Test
    func `a name that is a query is refused`() {
        let refusal: String
        do throws(DefinitionError) {
            _ = try MetricCatalogue().definition(
                name: "m",
                source: "scrape",
                options: ["url": "http://x/metrics", "name": "up{job=\"x\"}"]
            )
            refusal = "accepted"
        } catch {
            refusal = error.description
        }
        #expect(
            refusal
                == "metric.scrape: name must be the name of a metric (letters, digits, _ and :; "
                + "labels go into `labels`), got \"up{job=\"x\"}\""
        )
    }
}
