import ChaosModel
import TestSupport
import Testing

@testable import ChaosSteadyState

@Suite
struct `Pages in the Prometheus text format` {
    private func samples(_ page: String, _ names: String...) throws(ExpositionTrouble)
        -> [ExposedSample]
    {
        try ExpositionParser(names: Set(names)).samples(of: Array(page.utf8))
    }

    private func trouble(_ page: String) -> String {
        do throws(ExpositionTrouble) {
            return "accepted: \(try samples(page, "up"))"
        } catch {
            return error.description
        }
    }

    @Test
    func `the example of the format's own document is read`() throws {
        let page = #"""
            # HELP http_requests_total The total number of HTTP requests.
            # TYPE http_requests_total counter
            http_requests_total{method="post",code="200"} 1027 1395066363000
            http_requests_total{method="post",code="400"}    3 1395066363000

            # Escaping in label values:
            msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
            metric_without_timestamp_and_labels 12.47
            something_weird{problem="division by zero"} +Inf -3982045
            http_request_duration_seconds_bucket{le="0.05"} 24054
            http_request_duration_seconds_bucket{le="+Inf"} 144320
            """#
        let requests = try samples(page, "http_requests_total")
        #expect(requests.map(\.value) == [1027, 3])
        #expect(requests[1].labels == ["method": "post", "code": "400"])
        let file = try #require(try samples(page, "msdos_file_access_time_seconds").first)
        #expect(file.labels["path"] == #"C:\DIR\FILE.TXT"#)
        #expect(file.labels["error"] == "Cannot find file:\n\"FILE.TXT\"")
        #expect(try samples(page, "metric_without_timestamp_and_labels").map(\.value) == [12.47])
        #expect(try samples(page, "something_weird").map(\.value) == [.infinity])
        #expect(try samples(page, "http_request_duration_seconds").isEmpty, "a prefix is no name")
    }

    @Test(arguments: [
        "up 1", "up 1\n", "up\t1", "up  1  ", "up{} 1", "up { a = \"b\" , } 1", "up{a=\"}\"} 1\r\n",
        "up 1 # {trace_id=\"x\"} 0.5\n# EOF\n", "junk {{{\n\nup 1", "\u{0}\nup 1", "up 0x1p0",
    ])
    func `what others write differently is read alike`(page: String) throws {
        #expect(try samples(page, "up").map(\.value) == [1])
    }

    @Test
    func `NaN and infinities come as they are`() throws {
        let values = try samples("up NaN\nup +Inf\nup Inf\nup -Inf", "up").map(\.value)
        #expect(values[0].isNaN)
        #expect(values[1...] == [.infinity, .infinity, -.infinity])
    }

    @Test(arguments: [
        ("a 1\nup one", "line 2 of the page: the value of up is \"one\", no number"),
        ("up ", "line 1 of the page: the value of up is \"\", no number"),
        ("up{a=\"b} 1", "line 1 of the page: the value of a label does not end"),
        ("up{a=b} 1", "line 1 of the page: the value of a label is not in quotes"),
        ("up{=\"b\"} 1", "line 1 of the page: a label has no name or no ="),
        ("up{a=\"b\" c=\"d\"} 1", "line 1 of the page: the labels do not end"),
        ("up{a=\"b\"", "line 1 of the page: the labels do not end"),
    ])
    func `a line of ours that cannot be read is told with its number`(page: String, text: String) {
        #expect(trouble(page) == text)
    }

    @Test
    func `any bytes are read to their end, in time`() {
        var dice = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: .min ... .max, using: &dice)
        var chance = SeededGenerator(seed: seed)
        let pieces = [
            "up", "{", "}", "a=", "\"", "\\", "\n", " ", ",", "1", "NaN", "#", "\t", "\u{0}", "é",
            "le=\"+Inf\"", "1e999", "-",
        ]
        for _ in 0..<5000 {
            let page = (0..<Int.random(in: 0...40, using: &chance)).flatMap { _ -> [UInt8] in
                Bool.random(using: &chance)
                    ? Array(pieces.randomElement(using: &chance)?.utf8 ?? "".utf8)
                    : [UInt8.random(in: 0...255, using: &chance)]
            }
            // What counts is that it ends: with samples or with a reason.
            let found = try? ExpositionParser(names: ["up"]).samples(of: page)
            #expect((found?.count ?? 0) <= page.count, "seed \(seed)")
        }
    }

    @Test(.rounds)
    func `two megabytes of others' series are passed over in time`() throws {
        let line = Array("other_metric{label=\"value\"} 123456.789\n".utf8)
        var page: [UInt8] = []
        while page.count < 2 << 20 { page += line }
        page += Array("up 1\n".utf8)
        let begin = ContinuousClock.now
        #expect(try ExpositionParser(names: ["up"]).samples(of: page).count == 1)
        #expect(ContinuousClock.now - begin < .seconds(20), .ofFigure)
    }
}

@Suite
struct `Pages of a window` {
    private func page(_ second: Double, _ values: [(String, [String: String], Double)])
        -> ScrapedPage
    {
        ScrapedPage(
            at: Instant(nanoseconds: Int64(second * 1e9)),
            samples: values.map { ExposedSample(name: $0.0, labels: $0.1, value: $0.2) }
        )
    }

    @Test
    func `a counter's growth survives a reset, and series that come and go`() {
        var history = ScrapeHistory(window: .seconds(10))
        history.add(page(0, [("c", ["a": "1"], 100)]))
        #expect(history.span == nil, "one page tells no rate")
        history.add(page(1, [("c", ["a": "1"], 110), ("c", ["a": "2"], 5)]))
        #expect(history.growth(of: "c") == 15, "a new series began at zero")
        history.add(page(2, [("c", ["a": "1"], 3), ("c", ["a": "2"], 6)]))
        #expect(history.growth(of: "c") == 19, "a restarted one began again at zero")
        #expect(history.span == .seconds(2))
    }

    @Test
    func `what is older than the window is forgotten`() {
        var history = ScrapeHistory(window: .seconds(2))
        for second in 0...10 {
            history.add(page(Double(second), [("c", [:], Double(second * second))]))
        }
        #expect(history.span == .seconds(2))
        #expect(history.growth(of: "c") == 100 - 64)
    }

    @Test
    func `a series that one page lacks has not begun anew`() {
        var history = ScrapeHistory(window: .seconds(2))
        let both: [(String, [String: String], Double)] = [("c", ["a": "1"], 1000), ("c", [:], 1)]
        history.add(page(0, both))
        history.add(page(1, both))
        history.add(page(2, [("c", [:], 1)]))
        history.add(page(3, both))
        history.add(page(4, both))
        #expect(history.growth(of: "c") == 0)
    }

    @Test
    func `quantiles are those of histogram_quantile`() {
        let buckets: [Double: Double] = [0.1: 10, 0.2: 30, 0.5: 40, .infinity: 40]
        // Computed by Prometheus 2.42: histogram_quantile over the same buckets.
        #expect(BucketQuantile.value(0.5, of: buckets).map { abs($0 - 0.15) < 1e-12 } == true)
        #expect(abs((BucketQuantile.value(0.9, of: buckets) ?? 0) - 0.38) < 1e-12)
        #expect(BucketQuantile.value(0.1, of: buckets).map { abs($0 - 0.04) < 1e-12 } == true)
        #expect(BucketQuantile.value(0.99, of: [1: 5, .infinity: 10]) == 1, "the last known bound")
        #expect(BucketQuantile.value(0.5, of: [1: 0, .infinity: 0]) == nil)
        #expect(BucketQuantile.value(0.5, of: [1: 1]) == nil, "no bucket without bound")
        #expect(BucketQuantile.value(0.5, of: [:]) == nil)
    }
}
