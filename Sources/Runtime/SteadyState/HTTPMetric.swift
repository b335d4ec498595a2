// `metric.http`: our own requests, so that an experiment needs no monitoring system.

import ChaosModel
import FoundationEssentials

/// The kind `http`.
enum HTTPMetric: MetricKind {
    static let descriptor = MetricDescriptor(
        name: "http",
        summary:
            "Requests of our own to a URL: error rate, rate and latency over a sliding window.",
        parameters: [
            Options.url.erased, Options.method.erased, Options.headers.erased,
            Options.body.erased, Options.expectStatus.erased, Options.keepAlive.erased,
        ] + ProbeOptions.common,
        measures: ProbeOptions.measures
    )

    enum Options {
        static let url = Parameter(
            required: "url",
            ParameterKind<URL>.httpURL,
            help: "The URL to ask; redirects are not followed."
        )
        static let method = Parameter(
            "method",
            ParameterKind<String>.string(example: "\"GET\""),
            default: "GET",
            help: "The method of the request."
        )
        static let headers = Parameter(
            "headers",
            ParameterKind<[String: String]>.stringTable,
            help: "Headers of the request."
        )
        static let body = Parameter(
            "body",
            ParameterKind<String>.text(example: "\"{}\""),
            help: "The body of the request."
        )
        static let expectStatus = Parameter(
            "expect_status",
            ParameterKind<[Int]>.list(of: .integer(100...599, example: "200")),
            help: "The statuses of a good answer; 200 to 399 when left out."
        )
        static let keepAlive = Parameter(
            "keep_alive",
            ParameterKind<Bool>.boolean,
            default: false,
            help: "Reuse connections. Off by default: a partition may spare open connections, "
                + "and only a new one shows that nobody else gets in."
        )
    }

    static func check(_ parameters: Parameters) throws(DefinitionError) {
        let method = try parameters.value(Options.method)
        guard HeaderSyntax.isToken(method) else {
            throw parameters.error("method must be a word such as \"GET\", got \"\(method)\"")
        }
        if let problem = HeaderSyntax.check(parameters[Options.headers] ?? [:]) {
            throw parameters.error(problem)
        }
    }

    static func lag(_ parameters: Parameters) throws(DefinitionError) -> Duration {
        try ProbeOptions.lag(parameters)
    }
}
