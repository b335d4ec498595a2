// `network.latency`: packets arrive late, each by about the same time.

package import ChaosModel

/// Delays packets.
package struct NetworkLatency: ShapingFault {
    static let delay = Parameter(
        required: "delay",
        ParameterKind<Duration>.duration(from: .microseconds(1), to: .seconds(60)),
        help: "How late packets are."
    )
    static let jitter = Parameter(
        "jitter",
        ParameterKind<Duration>.duration(to: .seconds(60)),
        default: "0ms",
        help: "How far the delay varies around that, at most as far as the delay."
    )
    static let correlation = Parameter(
        "correlation",
        ParameterKind<Double>.percent,
        default: "0%",
        help: "How far a packet's delay follows the one before."
    )
    static let distribution = Parameter(
        "distribution",
        ParameterKind<String>.choice(PacketDelay.Distribution.allCases.map(\.rawValue)),
        default: "uniform",
        help:
            "How the delay varies: within the jitter (uniform), or with the jitter as its deviation."
    )
    static let preserveOrder = Parameter(
        "preserve_order",
        ParameterKind<Bool>.boolean,
        default: false,
        help: "Keep packets in order although their delays differ; jitter alone reorders them."
    )

    package static let descriptor = FaultDescriptor.shaping(
        "network.latency",
        "Delays packets between the target and the far ends named.",
        [
            delay.erased, jitter.erased, correlation.erased, distribution.erased,
            preserveOrder.erased,
        ]
    )

    package let traffic: ShapedTraffic
    package let impairment: Impairment
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try ShapedTraffic(parameters)
        let delay = try parameters.value(Self.delay)
        let jitter = try parameters.value(Self.jitter)
        guard jitter <= delay else {
            throw parameters.error(
                "jitter must be between 0 and the delay (\(delay.spelled)), got \(jitter.spelled)"
            )
        }
        impairment = Impairment(
            delay: PacketDelay(
                delayMs: delay.inMilliseconds,
                jitterMs: jitter.inMilliseconds,
                correlation: try parameters.value(Self.correlation),
                distribution: PacketDelay.Distribution(
                    rawValue: try parameters.value(Self.distribution)
                )
                    ?? .uniform,
                preserveOrder: try parameters.value(Self.preserveOrder)
            )
        )
        summary = "delays by \(delay.spelled)" + (jitter > .zero ? " ± \(jitter.spelled)" : "")
    }
}
