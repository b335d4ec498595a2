// `dns.error`: queries are answered with an error.

package import ChaosModel

/// Answers queries with an error.
package struct DNSError: NameTrafficFault {
    static let answer = Parameter(
        "answer",
        ParameterKind<String>.choice(NameError.allCases.map(\.rawValue)),
        default: "NXDOMAIN",
        help: "The error: the name is not there, the server failed, or it refused."
    )

    package static let descriptor = FaultDescriptor.names(
        "dns.error",
        "Answers DNS queries with an error.",
        [answer.erased, NameTraffic.types.erased] + NameTraffic.parameters()
    )

    package let traffic: NameTraffic
    package let action: NameAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try NameTraffic(parameters)
        let answer = NameError(rawValue: try parameters.value(Self.answer)) ?? .nxdomain
        action = .error(answer)
        summary = "answers \(answer.rawValue)"
    }
}
