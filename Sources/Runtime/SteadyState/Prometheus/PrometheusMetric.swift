// `metric.prometheus`: an instant query, sent as it is written.

import ChaosModel
import FoundationEssentials
import NIOHTTP1

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

    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        let parameters = request.parameters
        let query = PrometheusSource.Query(
            endpoint: endpoint(of: try parameters.value(Options.server)),
            form: "query=" + FormEncoding.encode(try parameters.value(Options.query)),
            headers: headers(parameters),
            timeout: try parameters.value(Options.timeout),
            choice: SeriesChoice(
                healthy: request.definition.healthy,
                tolerated: request.definition.tolerated,
                any: try parameters.value(Options.any)
            )
        )
        return PrometheusSource(query)
    }

    /// The query endpoint below a server's URL, with its prefix, with a trailing slash or without, and also when
    /// somebody gave the path of the API already.
    static func endpoint(of server: URL) -> String {
        var text = server.absoluteString[...]
        func trimSlashes() { while text.hasSuffix("/") { text.removeLast() } }
        trimSlashes()
        for ending in ["/api/v1/query", "/api/v1"] where text.hasSuffix(ending) {
            text.removeLast(ending.count)
        }
        trimSlashes()
        return text + "/api/v1/query"
    }

    private static func headers(_ parameters: Parameters) -> HTTPHeaders {
        var headers = HTTPHeaders((parameters[Options.headers] ?? [:]).sorted { $0.key < $1.key })
        if !headers.contains(name: "User-Agent") {
            headers.add(name: "User-Agent", value: "moonquake")
        }
        if let token = parameters[Options.bearerToken] {
            headers.replaceOrAdd(name: "Authorization", value: "Bearer \(token)")
        }
        if let user = parameters[Options.username], let secret = parameters[Options.password] {
            let pair = Data("\(user):\(secret)".utf8).base64EncodedString()
            headers.replaceOrAdd(name: "Authorization", value: "Basic \(pair)")
        }
        return headers
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
