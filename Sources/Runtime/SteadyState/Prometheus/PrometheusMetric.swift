// `metric.prometheus`: an instant query, sent as it is written.

import ChaosModel
import FoundationEssentials

/// The kind `prometheus`.
enum PrometheusMetric: MetricKind {
    static let descriptor = MetricDescriptor(
        name: "prometheus",
        summary: "The value of a PromQL query, asked of a Prometheus server at each sample.",
        parameters: [
            Options.server.erased, Options.query.erased, Options.any.erased,
            Options.scrapeInterval.erased, Options.step.erased, Options.window.erased,
        ] + ServerOptions.common,
        measures: RangeReduction.Figure.allCases.map { (name: $0.rawValue, unit: .number) }
    )

    enum Options {
        static let server = Parameter(
            required: "server",
            ParameterKind<URL>.httpURL,
            help: "The URL of the server, with its path prefix where it has one."
        )
        static let query = Parameter(
            required: "query",
            ParameterKind<String>.text(example: "[[rate(http_requests_total[1m])]]"),
            help: "The query, sent as it is written; it must give a scalar or an instant vector."
        )
        static let any = Parameter(
            "any",
            ParameterKind<Bool>.boolean,
            default: false,
            help:
                "With several series: judge the best one. Otherwise the worst, so that all must hold."
        )
        static let scrapeInterval = Parameter(
            "scrape_interval",
            ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(3600)),
            help:
                "How often the server scrapes: how old a value may be when we see it. Asked of the server when left out."
        )
        static let step = Parameter(
            "step",
            ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(3600)),
            help:
                "Ask for the points of the last `window`, this far apart, and judge their `measure`."
        )
        static let window = Parameter(
            "window",
            ParameterKind<Duration>.duration(from: .seconds(1), to: .seconds(86_400)),
            help: "The span of a query with `step`; 1m when left out."
        )
    }

    /// What a scrape interval is taken to be that the server does not tell: the default of Prometheus' own examples.
    static let assumedInterval = Duration.seconds(15)

    static func check(_ parameters: Parameters) throws(DefinitionError) {
        let query = try parameters.value(Options.query)
        guard query.contains(where: { !$0.isWhitespace }) else {
            throw parameters.error("query must not be empty")
        }
        let server = try parameters.value(Options.server)
        guard server.query == nil, server.fragment == nil else {
            throw parameters.error("server must be a URL without ? and #, got \"\(server)\"")
        }
        try ServerOptions.check(parameters, of: server)
        let isRange = parameters.given.contains("step")
        for name in ["window", "measure"] where parameters.given.contains(name) && !isRange {
            if name == "measure", figure(in: parameters) == .value { continue }
            throw parameters.error(
                "\(name) is for queries with a step: write step = \"5s\" beside it"
            )
        }
        if let step = parameters[Options.step], step > (parameters[Options.window] ?? .seconds(60))
        {
            throw parameters.error("step must not be more than the window, got \(step.spelled)")
        }
    }

    private static func figure(in parameters: Parameters) -> RangeReduction.Figure? {
        RangeReduction.Figure(rawValue: descriptor.measure(in: parameters).name)
    }

    static func lag(_ parameters: Parameters) throws(DefinitionError) -> Duration {
        parameters[Options.scrapeInterval] ?? assumedInterval
    }

    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        let parameters = request.parameters
        let text = try parameters.value(Options.query)
        let range = parameters[Options.step].map { step in
            PrometheusSource.Range(
                step: step,
                window: parameters[Options.window] ?? .seconds(60),
                figure: RangeReduction.Figure(rawValue: request.measure) ?? .value
            )
        }
        let query = PrometheusSource.Query(
            api: api(of: try parameters.value(Options.server)),
            text: text,
            range: range,
            declaredLag: parameters[Options.scrapeInterval],
            choice: SeriesChoice(
                healthy: request.definition.healthy,
                tolerated: request.definition.tolerated,
                any: try parameters.value(Options.any)
            )
        )
        return PrometheusSource(
            query,
            client: try ServerClient(parameters),
            ageClient: try ServerClient(parameters),
            time: request.context.kernel.time
        )
    }

    /// The API below a server's URL, with its prefix, with a trailing slash or without, and also when somebody gave
    /// the path of the API already.
    static func api(of server: URL) -> String {
        var text = server.absoluteString[...]
        func trimSlashes() { while text.hasSuffix("/") { text.removeLast() } }
        trimSlashes()
        for ending in ["/api/v1/query_range", "/api/v1/query", "/api/v1"]
        where text.hasSuffix(ending) {
            text.removeLast(ending.count)
        }
        trimSlashes()
        return text + "/api/v1"
    }
}

/// The encoding of form values; everything but RFC 3986's unreserved bytes is escaped, `+` among them.
enum FormEncoding {
    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return encoded
    }
}
