// `http.bandwidth`: bodies come no faster than a rate. Nothing is lost: who sends has to wait.

package import ChaosModel

/// Limits how fast requests or answers go.
package struct HTTPBandwidth: RequestTrafficFault {
    static let rate = Parameter(
        required: "rate",
        ParameterKind<Double>.bitRate,
        help: "The most bits a second."
    )
    static let scope = Parameter(
        "scope",
        ParameterKind<String>.choice(BandwidthScope.allCases.map(\.rawValue)),
        default: .string(BandwidthScope.connection.rawValue),
        help:
            "Whether each request has the rate for itself, or all that are hit share it (aggregate)."
    )
    static let of = Parameter(
        "of",
        ParameterKind<String>.choice(BandwidthDirection.allCases.map(\.rawValue)),
        default: .string(BandwidthDirection.response.rawValue),
        help: "Whose bytes are limited: of answers, of the bodies of requests, or both."
    )

    package static let descriptor = FaultDescriptor.requests(
        "http.bandwidth",
        "Limits the rate of HTTP answers or requests.",
        [rate.erased, scope.erased, of.erased]
    )

    package let traffic: RequestTraffic
    package let action: RequestAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try RequestTraffic(parameters)
        let rate = try parameters.value(Self.rate)
        let scope = try parameters.value(Self.scope)
        let of = try parameters.value(Self.of)
        action = .bandwidth(
            bytesPerSecond: rate / 8,
            scope: BandwidthScope(rawValue: scope) ?? .connection,
            direction: BandwidthDirection(rawValue: of) ?? .response
        )
        summary =
            "limits to \(ParameterValue.shortest(rate)) bits a second"
            + (scope == "aggregate" ? " together" : " each")
    }
}
