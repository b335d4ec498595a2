// `metric.scrape`: a /metrics page read by ourselves, so that a service with metrics needs no Prometheus server.

import ChaosModel
import FoundationEssentials

/// The kind `scrape`.
enum ScrapeMetric: MetricKind {
    static let descriptor = MetricDescriptor(
        name: "scrape",
        summary: "A metric of a /metrics page, read at each sample without a Prometheus server.",
        parameters: [
            Options.url.erased, Options.name.erased, Options.labels.erased, Options.any.erased,
            CommonOptions.window.erased,
        ] + ServerOptions.common,
        measures: ScrapeMeasure.all.map { (name: $0.name, unit: $0.measure.unit) }
    )

    enum Options {
        static let url = Parameter(
            required: "url",
            ParameterKind<URL>.httpURL,
            help: "The URL of the page: \"http://10.9.0.2:9100/metrics\"."
        )
        static let name = Parameter(
            required: "name",
            ParameterKind<String>.string(example: "\"http_requests_total\""),
            help: "The name of the metric; of a histogram or summary without _bucket, _sum, _count."
        )
        static let labels = Parameter(
            "labels",
            ParameterKind<[String: String]>.stringTable,
            help: "Only series that have these labels with these values."
        )
        static let any = Parameter(
            "any",
            ParameterKind<Bool>.boolean,
            default: false,
            help:
                "For `value` with several series: judge the best one. Otherwise the worst, so that all must hold."
        )
    }

    static func check(_ parameters: Parameters) throws(DefinitionError) {
        try ServerOptions.check(parameters, of: try parameters.value(Options.url))
        let name = try parameters.value(Options.name)
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        guard isName, !name.isEmpty, name.utf8.count <= 500, !(name.first?.isNumber ?? true) else {
            throw parameters.error(
                "name must be the name of a metric (letters, digits, _ and :; labels go into `labels`), "
                    + "got \"\(name.escapedForDisplay)\""
            )
        }
    }

    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        let parameters = request.parameters
        let measure = ScrapeMeasure.all.first { $0.name == request.measure }?.measure ?? .value
        return ScrapeSource(
            url: try parameters.value(Options.url).absoluteString,
            name: try parameters.value(Options.name),
            labels: parameters[Options.labels] ?? [:],
            measure: measure,
            choice: SeriesChoice(
                healthy: request.definition.healthy,
                tolerated: request.definition.tolerated,
                any: try parameters.value(Options.any),
                subject: "the page"
            ),
            history: ScrapeHistory(window: try parameters.value(CommonOptions.window)),
            client: try ServerClient(parameters),
            time: request.context.kernel.time
        )
    }
}

/// What is made of the series of a page.
enum ScrapeMeasure: Sendable, Hashable {
    /// The value as it stands.
    case value
    /// The growth of a counter.
    case rate
    /// The mean of a histogram or summary.
    case mean
    /// A quantile of a histogram.
    case quantile(Double)

    static let all: [(name: String, measure: ScrapeMeasure)] = [
        ("value", .value), ("rate", .rate), ("mean", .mean), ("p50", .quantile(0.5)),
        ("p90", .quantile(0.9)), ("p95", .quantile(0.95)), ("p99", .quantile(0.99)),
        ("p99.9", .quantile(0.999)),
    ]

    /// Pages do not tell their units, but a rate has one.
    var unit: MetricUnit { self == .rate ? .perSecond : .number }
}
