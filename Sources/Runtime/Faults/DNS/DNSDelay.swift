// `dns.delay`: queries go on to the real resolver late.

package import ChaosModel

/// Delays queries.
package struct DNSDelay: NameTrafficFault {
    static let delay = Parameter(
        required: "delay",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(60)),
        help: "How late queries go on."
    )
    static let jitter = Parameter(
        "jitter",
        ParameterKind<Duration>.duration(to: .seconds(60)),
        default: "0ms",
        help: "How far the delay varies around that, at most as far as the delay."
    )

    package static let descriptor = FaultDescriptor.names(
        "dns.delay",
        "Lets DNS queries go on to the real resolver late.",
        [delay.erased, jitter.erased, NameTraffic.types.erased] + NameTraffic.parameters()
    )

    package let traffic: NameTraffic
    package let action: NameAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try NameTraffic(parameters)
        let delay = try parameters.value(Self.delay)
        let jitter = try parameters.value(Self.jitter)
        guard jitter <= delay else {
            throw parameters.error(
                "jitter must be between 0 and the delay (\(delay.spelled)), got \(jitter.spelled)"
            )
        }
        action = .delay(delayMs: delay.inMilliseconds, jitterMs: jitter.inMilliseconds)
        summary = "delays by \(delay.spelled)" + (jitter > .zero ? " ± \(jitter.spelled)" : "")
    }
}
