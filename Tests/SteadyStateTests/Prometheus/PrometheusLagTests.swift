// How old values are: what the server scrapes at, what a query takes as it stands, and what is too old to be a value.

import ChaosModel
import FoundationEssentials
import Synchronization
import Testing

@testable import ChaosSteadyState

@Suite
struct `The lag of Prometheus` {
    @Test(
        arguments: [
            ("up", ["up"]),
            (#"up{job="shop"} == 1"#, [#"up{job="shop"}"#]),
            (#"sum by (job) (up) / count(up)"#, ["up"]),
            (#"a{x="}"} + on(job) group_left(b) c"#, [#"a{x="}"}"#, "c"]),
            (#"{__name__=~"shop.*"}"#, [#"{__name__=~"shop.*"}"#]),
            ("rate(http_requests_total[1m])", []),
            ("histogram_quantile(0.99, sum(rate(x_bucket[5m])) by (le))", []),
            ("x offset 5m + y @ 1609746000", []),
            ("max_over_time(x[1h:5m]) > bool 3e5", []),
            ("1 + 2.5 * 5m", []), ("vector(1)", []), ("time() - inf", []),
            ("a and b or c unless d # e\n + f", ["a", "b", "c", "d", "f"]),
            ("job:x:rate5m", ["job:x:rate5m"]), ("sum(x) without(y)", ["x"]),
            ("x{", []), ("x{a=\"", []), ("", []), ("'x", []),
        ] as [(String, [String])]
    )
    func `the series that a query takes as they stand are found`(
        query: String,
        selectors: [String]
    ) {
        #expect(QuerySelectors.instant(in: query) == selectors)
    }

    @Test
    func `any query is read to its end`() {
        let pieces = [
            "x", "{", "}", "\"", "'", "`", "\\", "(", ")", "[", "]", "by", "offset", "@", "#", "\n",
            " ", "1", ".", "=~", "é",
        ]
        for _ in 0..<5000 {
            let query = (0..<Int.random(in: 0...20)).map { _ in pieces.randomElement() ?? "" }
                .joined()
            #expect(QuerySelectors.instant(in: query).count <= QuerySelectors.most, "\(query)")
        }
    }

    private static let targets = #"""
        {"status":"success","data":{"activeTargets":[
        {"labels":{"job":"shop"},"scrapePool":"shop","scrapeInterval":"1s"},
        {"labels":{"job":"node"},"scrapePool":"node","scrapeInterval":"1m30s"}]}}
        """#

    @Test
    func `the interval is that of the jobs that the query names, else the longest`() throws {
        let intervals = try #require(ScrapeIntervals(Array(Self.targets.utf8)))
        #expect(intervals.longest(for: #"up{job="shop"}"#).seconds == 1)
        #expect(intervals.longest(for: "up").seconds == 90)
        #expect(intervals.longest(for: #"up{job="other"}"#).seconds == 90)
        #expect(ScrapeIntervals(Array("<html>".utf8)) == nil)
        #expect(
            ScrapeIntervals(Array(#"{"status":"success","data":{"activeTargets":[{}]}}"#.utf8))
                == nil
        )
    }

    private func options(_ port: Int, _ more: [String: ParameterValue] = [:])
        -> [String: ParameterValue]
    {
        let base: [String: ParameterValue] = [
            "server": .string("http://127.0.0.1:\(port)"), "query": "x{job=\"shop\"}",
        ]
        return base.merging(more) { $1 }
    }

    private static func value(_ text: String) -> ScriptedReply {
        .http(
            "200 OK",
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"\#(text)"]}]}}"#
        )
    }

    @Test
    func `a sample older than twice the interval is no data`() async throws {
        let age = Mutex("1.5")
        let answer: @Sendable (String) -> ScriptedReply = { request in
            request.contains("timestamp") ? Self.value(age.withLock(\.self)) : Self.value("42")
        }
        try await ScriptedServer.run(answer) { _, port in
            try await withSource("prometheus", options(port, ["scrape_interval": "1s"])) { source in
                #expect(await source.readLag() == nil, "the script has said it")
                #expect(await source.sample() == .value(42))
                age.withLock { $0 = "2.5" }
                #expect(
                    await source.sample()
                        == .noData(
                            "the newest sample is 2.5s old, more than twice the scrape interval (2s)"
                        )
                )
            }
        }
    }

    @Test
    func `the interval is read from the server, and said to be a guess where it cannot be`()
        async throws
    {
        try await ScriptedServer.run({ _ in .http("200 OK", Self.targets) }) { server, port in
            try await withSource("prometheus", options(port)) { source in
                #expect(
                    await source.readLag() == .read(.seconds(1), from: "Prometheus, job shop")
                )
            }
            #expect(
                server.requests.withLock {
                    $0.first?.hasPrefix("GET /api/v1/targets?state=active ") == true
                }
            )
        }
        try await ScriptedServer.run({ _ in .http("404 Not Found", "") }) { _, port in
            try await withSource("prometheus", options(port)) { source in
                #expect(
                    await source.readLag()
                        == .assumed(
                            .seconds(15),
                            why: "the server does not tell its scrape intervals (HTTP 404)"
                        )
                )
            }
        }
        try await ScriptedServer.run({ _ in .hang }) { _, port in
            try await withSource("prometheus", options(port, ["timeout": "200ms"])) { source in
                #expect(
                    await source.readLag()
                        == .assumed(.seconds(15), why: "no answer within 200ms")
                )
            }
        }
    }

    @Test
    func `a range query gives one figure of its points`() async throws {
        let answer: @Sendable () -> String = {
            let now = Date().timeIntervalSince1970
            return """
                {"status":"success","data":{"resultType":"matrix","result":[
                {"metric":{"a":"1"},"values":[[\(now - 2),"1"],[\(now - 1),"NaN"],[\(now),"4"]]},
                {"metric":{"a":"ended"},"values":[[\(now - 50),"100"]]}]}}
                """
        }
        try await ScriptedServer.run({ _ in .http("200 OK", answer()) }) { server, port in
            for (measure, wanted) in [("value", 4.0), ("mean", 2.5), ("min", 1), ("max", 4)] {
                let more: [String: ParameterValue] = [
                    "step": "1s", "window": "30s", "scrape_interval": "1s",
                    "measure": .string(measure),
                ]
                try await withSource("prometheus", options(port, more)) { source in
                    #expect(await source.sample() == .value(wanted), "\(measure)")
                }
            }
            let request = try #require(server.requests.withLock { $0.first })
            #expect(request.hasPrefix("POST /api/v1/query_range HTTP/1.1"))
            #expect(request.contains("&step=1.0") && request.contains("&start="))
        }
    }

    @Test(
        arguments: [
            (["window": "1m"], "window is for queries with a step: write step = \"5s\" beside it"),
            (
                ["measure": "max"],
                "measure is for queries with a step: write step = \"5s\" beside it"
            ),
            (["step": "2m"], "step must not be more than the window, got 2m"),
            (["cert_file": "/x"], "cert_file and key_file belong together; got only cert_file"),
            (["ca_file": "/x"], "ca_file needs an https URL, got \"http://127.0.0.1:1\""),
        ] as [([String: ParameterValue], String)]
    )
    func `what does not go together is refused`(more: [String: ParameterValue], text: String) {
        let said: String
        do throws(DefinitionError) {
            _ = try MetricCatalogue().definition(
                name: "m",
                source: "prometheus",
                options: options(1, more)
            )
            said = "accepted"
        } catch {
            said = error.description
        }
        #expect(said == "metric.prometheus: \(text)")
    }
}
