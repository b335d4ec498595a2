// `metric.http`: our own requests, so that an experiment needs no monitoring system.

import ChaosModel
import FoundationEssentials
import NIOHTTP1

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

    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        let url = try request.parameters.value(Options.url)
        let isSecure = url.scheme?.lowercased() == "https"
        let host = (url.host ?? "").filter { !"[]".contains($0) }
        let address = ProbeAddress(host: host, port: url.port ?? (isSecure ? 443 : 80))
        let message = try message(request.parameters, url: url, host: host)
        let plan = try ProbePlan(request) { loop in
            try HTTPTransport(to: address, request: message, isSecure: isSecure, on: loop)
        }
        return ProbeSource(plan)
    }

    private static func message(
        _ parameters: Parameters,
        url: URL,
        host: String
    ) throws(DefinitionError) -> HTTPProbeRequest {
        let body = Array((parameters[Options.body] ?? "").utf8)
        let keepsAlive = try parameters.value(Options.keepAlive)
        var headers = HTTPHeaders()
        for (name, value) in (parameters[Options.headers] ?? [:]).sorted(by: { $0.key < $1.key }) {
            headers.add(name: name, value: value)
        }
        let name = host.contains(":") ? "[\(host)]" : host
        let defaults = [
            ("Host", url.port.map { "\(name):\($0)" } ?? name),
            ("User-Agent", "moonquake"), ("Accept", "*/*"),
        ]
        for (name, value) in defaults where !headers.contains(name: name) {
            headers.add(name: name, value: value)
        }
        headers.replaceOrAdd(name: "Connection", value: keepsAlive ? "keep-alive" : "close")
        headers.remove(name: "Transfer-Encoding")
        headers.remove(name: "Content-Length")
        if !body.isEmpty { headers.add(name: "Content-Length", value: String(body.count)) }
        let expected = parameters[Options.expectStatus].map(Set.init)
        let path = url.path(percentEncoded: true)
        let query = url.query(percentEncoded: true).map { "?\($0)" } ?? ""
        return HTTPProbeRequest(
            head: HTTPRequestHead(
                version: .http1_1,
                method: HTTPMethod(rawValue: try parameters.value(Options.method)),
                uri: (path.isEmpty ? "/" : path) + query,
                headers: headers
            ),
            body: body,
            isExpected: { expected?.contains($0) ?? (200..<400).contains($0) },
            keepsAlive: keepsAlive
        )
    }
}
