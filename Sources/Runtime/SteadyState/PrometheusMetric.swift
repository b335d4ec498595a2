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
            Options.scrapeInterval.erased, Options.timeout.erased, Options.headers.erased,
            Options.username.erased, Options.password.erased, Options.bearerToken.erased,
        ],
        measures: [(name: "value", unit: .number)]
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
            default: "15s",
            help: "How often the server scrapes: how old a value may be when we see it."
        )
        static let timeout = Parameter(
            "timeout",
            ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(60)),
            default: "5s",
            help: "How long an answer may take; later is no data."
        )
        static let headers = Parameter(
            "headers",
            ParameterKind<[String: String]>.stringTable,
            help: "Headers of the request, such as the tenant's."
        )
        static let username = Parameter(
            "username",
            ParameterKind<String>.string(example: "\"moonquake\""),
            help: "The user of basic authentication."
        )
        static let password = Parameter(
            "password",
            ParameterKind<String>.string(example: "\"…\""),
            help: "The password of basic authentication."
        )
        static let bearerToken = Parameter(
            "bearer_token",
            ParameterKind<String>.string(example: "\"…\""),
            help: "The token of bearer authentication."
        )
    }

    static func check(_ parameters: Parameters) throws(DefinitionError) {
        let query = try parameters.value(Options.query)
        guard query.contains(where: { !$0.isWhitespace }) else {
            throw parameters.error("query must not be empty")
        }
        if let problem = HeaderSyntax.check(parameters[Options.headers] ?? [:]) {
            throw parameters.error(problem)
        }
        let server = try parameters.value(Options.server)
        guard server.query == nil, server.fragment == nil else {
            throw parameters.error("server must be a URL without ? and #, got \"\(server)\"")
        }
        let given = ["username", "password", "bearer_token"].filter(parameters.given.contains)
        guard given.isEmpty || given == ["username", "password"] || given == ["bearer_token"] else {
            throw parameters.error(
                "credentials are username and password, or bearer_token; got only "
                    + given.joined(separator: " and ")
            )
        }
    }

    static func lag(_ parameters: Parameters) throws(DefinitionError) -> Duration {
        try parameters.value(Options.scrapeInterval)
    }
}
