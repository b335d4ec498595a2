// `http.error`: the proxy answers in place of the service.

package import ChaosModel

/// Answers requests with an error.
package struct HTTPError: RequestTrafficFault {
    private static let bodyLimit = 32768

    static let status = Parameter(
        "status",
        ParameterKind<Int>.integer(200...599, example: "503"),
        default: 503,
        help: "The status of the answer."
    )
    static let body = Parameter(
        "body",
        ParameterKind<String>.text(example: "\"try again later\""),
        help: "The body of the answer, at most 32 KiB; without it, none."
    )
    static let headers = Parameter(
        "headers",
        ParameterKind<[String: String]>.stringTable,
        help: "Headers of the answer; its length is added."
    )

    package static let descriptor = FaultDescriptor.requests(
        "http.error",
        "Answers HTTP requests with an error, without passing them on.",
        [status.erased, body.erased, headers.erased]
    )

    package let traffic: RequestTraffic
    package let action: RequestAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try RequestTraffic(parameters)
        let status = try parameters.value(Self.status)
        let body = parameters[Self.body] ?? ""
        let headers = parameters[Self.headers] ?? [:]
        guard body.utf8.count <= Self.bodyLimit else {
            throw parameters.error("body must be at most 32 KiB, got \(body.utf8.count) bytes")
        }
        try Self.check(headers, parameters)
        action = .error(status: status, headers: headers, body: body)
        summary = "answers \(status)"
    }

    /// Headers that would break the answer's borders, or that are none.
    private static func check(
        _ headers: [String: String],
        _ parameters: Parameters
    ) throws(DefinitionError) {
        let framing = ["content-length", "transfer-encoding", "connection", "upgrade"]
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            let isToken =
                !name.isEmpty
                && name.unicodeScalars.allSatisfy {
                    $0.isASCII && $0.value > 32 && $0.value != 127
                        && !"\"(),/:;<=>?@[\\]{}".unicodeScalars.contains($0)
                }
            let shown = name.escapedForDisplay
            guard isToken else {
                throw parameters.error("headers has \"\(shown)\", which is no name of a header")
            }
            guard value.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 }) else {
                throw parameters.error("headers has a control character in the value of \(shown)")
            }
            guard !framing.contains(name.lowercased()) else {
                throw parameters.error("headers cannot set \(shown): the proxy does")
            }
        }
    }
}
