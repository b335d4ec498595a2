// `network.reorder`: a share of packets goes at once while the others wait, and so overtakes them. Without a
// delay there is nothing to overtake, so there is always one.

package import ChaosModel

/// Lets packets overtake others.
package struct NetworkReorder: ShapingFault {
    static let delay = Parameter(
        "delay",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(60)),
        default: "10ms",
        help: "How long the packets wait that are overtaken."
    )

    package static let descriptor = FaultDescriptor.shaping(
        "network.reorder",
        "Lets packets between the target and the far ends named overtake others.",
        SharedPercent.parameters + [delay.erased]
    )

    package let traffic: ShapedTraffic
    package let impairment: Impairment
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try ShapedTraffic(parameters)
        let share = try SharedPercent.value(parameters)
        let delay = try parameters.value(Self.delay)
        impairment = Impairment(delay: PacketDelay(delayMs: delay.inMilliseconds), reorder: share)
        summary =
            "reorders \(MetricUnit.share.spelled(share.share)), the others \(delay.spelled) late"
    }
}
