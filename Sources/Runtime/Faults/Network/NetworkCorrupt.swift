// `network.corrupt`: one bit of a packet is flipped on its way, so that checksums fail, or worse, do not.

package import ChaosModel

/// Flips a bit of packets.
package struct NetworkCorrupt: ShapingFault {
    package static let descriptor = FaultDescriptor.shaping(
        "network.corrupt",
        "Flips a bit of packets between the target and the far ends named.",
        SharedPercent.parameters
    )

    package let traffic: ShapedTraffic
    package let impairment: Impairment
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try ShapedTraffic(parameters)
        let share = try SharedPercent.value(parameters)
        impairment = Impairment(corrupt: share)
        summary = "corrupts \(MetricUnit.share.spelled(share.share))"
    }
}
