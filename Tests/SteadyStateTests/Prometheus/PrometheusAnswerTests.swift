import ChaosModel
import FoundationEssentials
import Testing

@testable import ChaosSteadyState

@Suite
struct `Answers of Prometheus` {
    private func answer(_ body: String, status: Int = 200) throws(PrometheusTrouble)
        -> PrometheusAnswer
    {
        try PrometheusAnswer(status: status, body: Array(body.utf8))
    }

    private func trouble(_ body: String, status: Int = 200) -> String {
        do throws(PrometheusTrouble) {
            return "accepted: \(try answer(body, status: status))"
        } catch {
            return error.description
        }
    }

    private func success(_ type: String, _ result: String, more: String = "") -> String {
        #"{"status":"success","data":{"resultType":"\#(type)","result":\#(result)}\#(more)}"#
    }

    private func vector(_ values: String...) -> String {
        let series = values.enumerated().map { index, value in
            #"{"metric":{"__name__":"up","pod":"p\#(index)"},"value":[1.5,"\#(value)"]}"#
        }
        return success("vector", "[\(series.joined(separator: ","))]")
    }

    private func reading(
        _ body: String,
        healthy: Threshold? = nil,
        tolerated: Threshold? = nil,
        any: Bool = false
    ) throws -> Reading {
        let choice = SeriesChoice(healthy: healthy, tolerated: tolerated, any: any)
        return choice.reading(of: try answer(body))
    }

    @Test
    func `a scalar is a value`() throws {
        #expect(try reading(success("scalar", #"[1435781451.781,"1.0"]"#)) == .value(1))
    }

    @Test
    func `one series is a value`() throws {
        #expect(try reading(vector("0.25")) == .value(0.25))
    }

    @Test
    func `an empty vector is no data`() throws {
        #expect(try reading(vector()) == .noData("the query matches no series"))
    }

    @Test
    func `NaN is no data and infinities are values`() throws {
        let nan = Reading.noData("the value of up{pod=\"p0\"} is NaN")
        #expect(try reading(vector("NaN"), healthy: .below(0.01)) == nan)
        #expect(try reading(vector("NaN"), healthy: .above(0)) == nan)
        #expect(try reading(vector("+Inf")) == .value(.infinity))
        #expect(try reading(vector("-Inf")) == .value(-.infinity))
        #expect(try reading(vector("1e3")) == .value(1000))
    }

    @Test
    func `many series stand for their worst`() throws {
        let many = vector("3", "1", "2")
        let largest = Reading.value(3, note: "worst of 3 series: up{pod=\"p0\"}")
        let smallest = Reading.value(1, note: "worst of 3 series: up{pod=\"p1\"}")
        #expect(try reading(many, healthy: .below(9)) == largest)
        #expect(try reading(many, healthy: .above(0)) == smallest)
        #expect(try reading(many, tolerated: .between(-.infinity, 9)) == largest)
        #expect(try reading(many, healthy: .equals(2)).number != 2)
        #expect(try reading(many, healthy: .oneOf([1, 2])) == largest)
        #expect(try reading(vector("5", "-Inf"), healthy: .above(0)).number == -.infinity)
    }

    @Test
    func `what is not tolerated is worse than anything`() throws {
        let reading = try reading(
            vector("1", "10"),
            healthy: .above(2),
            tolerated: .between(-.infinity, 9)
        )
        #expect(reading.number == 10)
    }

    @Test
    func `with any the best series is judged`() throws {
        let many = vector("3", "NaN", "2")
        let best = Reading.value(2, note: "best of 3 series: up{pod=\"p2\"}")
        #expect(try reading(many, healthy: .below(2.5), any: true) == best)
        #expect(try reading(many, healthy: .below(2.5)).number == nil)
        #expect(try reading(vector("NaN", "NaN"), healthy: .below(1), any: true).number == nil)
    }

    @Test
    func `many series without a threshold are no data`() throws {
        #expect(
            try reading(vector("1", "2"))
                == .noData(
                    "the query gives 2 series, and without a threshold none is the worst: "
                        + "aggregate them in the query"
                )
        )
    }

    @Test
    func `warnings stand in the note`() throws {
        let body = success("scalar", #"[1,"1"]"#, more: #","warnings":["partial response"]"#)
        #expect(try reading(body) == .value(1, note: "warning: partial response"))
    }

    @Test(
        arguments: [
            (
                #"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, 200,
                "the query gives a matrix and not a scalar or an instant vector; take an instant "
                    + "value, such as rate(…[1m])"
            ),
            (
                #"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#, 200,
                "the query gives a string and not a scalar or an instant vector"
            ),
            (
                #"{"status":"error","errorType":"bad_data","error":"parse error: unclosed"}"#, 400,
                "prometheus answers HTTP 400: parse error: unclosed (bad_data)"
            ),
            (
                #"{"status":"error","errorType":"timeout","error":"query timed out"}"#, 503,
                "prometheus answers HTTP 503: query timed out (timeout)"
            ),
            (
                #"{"status":"error","error":"no"}"#, 200,
                "prometheus answers HTTP 200: no"
            ),
            ("<html>Bad Gateway</html>", 502, "HTTP 502, refused: \"<html>Bad Gateway</html>\""),
            (
                "<html>login</html>", 200,
                "HTTP 200, no answer of the Prometheus API: \"<html>login</html>\""
            ),
            ("", 500, "HTTP 500, refused"),
            (#"{"status":"success"}"#, 200, "prometheus answers without data"),
            (
                #"{"status":"success","data":{"resultType":"scalar","result":[1,"one"]}}"#, 200,
                "the value \"one\" is no number"
            ),
            (
                #"{"status":"success","data":{"resultType":"vector","result":"#
                    + #"[{"metric":{},"histogram":[1,{}]}]}}"#,
                200, "the query gives histograms; take a quantile or a count of them"
            ),
        ] as [(String, Int, String)]
    )
    func `what is no value says why`(body: String, status: Int, reason: String) {
        #expect(trouble(body, status: status) == reason)
    }

    @Test
    func `forms escape all but unreserved characters`() {
        #expect(
            FormEncoding.encode(#"min(up{pod=~"small.*"}) + 1 ü"#)
                == "min%28up%7Bpod%3D~%22small.%2A%22%7D%29%20%2B%201%20%C3%BC"
        )
    }

    @Test(arguments: [
        "http://p:9090", "http://p:9090/", "http://p:9090//", "http://p:9090/api/v1",
        "http://p:9090/api/v1/query/", "http://p:9090/api/v1/query_range",
    ])
    func `the endpoint is found with and without the API's path`(server: String) throws {
        let url = try #require(URL(string: server))
        #expect(PrometheusMetric.api(of: url) == "http://p:9090/api/v1")
    }

    @Test
    func `a prefix of the path is kept`() throws {
        let url = try #require(URL(string: "https://x/prometheus/"))
        #expect(PrometheusMetric.api(of: url) == "https://x/prometheus/api/v1")
    }
}
