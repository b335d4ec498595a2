// `http.latency`: answers begin late.

package import ChaosModel

/// Delays the answers to requests.
package struct HTTPLatency: RequestTrafficFault {
    static let delay = Parameter(
        required: "delay",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(600)),
        help: "How much later an answer begins; its bytes then come as fast as ever."
    )
    static let jitter = Parameter(
        "jitter",
        ParameterKind<Duration>.duration(to: .seconds(600)),
        default: "0ms",
        help: "How far the delay varies around that, evenly, at most as far as the delay."
    )

    package static let descriptor = FaultDescriptor.requests(
        "http.latency",
        "Delays the answers to HTTP requests.",
        [delay.erased, jitter.erased]
    )

    package let traffic: RequestTraffic
    package let action: RequestAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try RequestTraffic(parameters)
        (action, summary) = try Self.latency(parameters)
    }

    /// The action of a latency, for requests of any kind.
    static func latency(
        _ parameters: Parameters
    ) throws(DefinitionError) -> (RequestAction, String) {
        let delay = try parameters.value(delay)
        let jitter = try parameters.value(jitter)
        guard jitter <= delay else {
            throw parameters.error(
                "jitter must be between 0 and the delay (\(delay.spelled)), got \(jitter.spelled)"
            )
        }
        return (
            .latency(delayMs: delay.inMilliseconds, jitterMs: jitter.inMilliseconds),
            "delays by \(delay.spelled)" + (jitter > .zero ? " ± \(jitter.spelled)" : "")
        )
    }
}
