// `network.duplicate`: packets arrive twice.

package import ChaosModel

/// Sends packets twice.
package struct NetworkDuplicate: ShapingFault {
    package static let descriptor = FaultDescriptor.shaping(
        "network.duplicate",
        "Sends packets between the target and the far ends named twice.",
        SharedPercent.parameters
    )

    package let traffic: ShapedTraffic
    package let impairment: Impairment
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try ShapedTraffic(parameters)
        let share = try SharedPercent.value(parameters)
        impairment = Impairment(duplicate: share)
        summary = "duplicates \(MetricUnit.share.spelled(share.share))"
    }
}

/// The options of faults that happen to a share of packets.
enum SharedPercent {
    static let percent = Parameter(
        required: "percent",
        ParameterKind<Double>.percent,
        help: "The share of packets that it happens to."
    )
    static let correlation = Parameter(
        "correlation",
        ParameterKind<Double>.percent,
        default: "0%",
        help: "How far a packet follows the one before."
    )
    static let parameters = [percent.erased, correlation.erased]

    static func value(_ parameters: Parameters) throws(DefinitionError) -> PacketShare {
        PacketShare(
            share: try parameters.value(percent),
            correlation: try parameters.value(correlation)
        )
    }
}
