// `network.bandwidth`: packets may not go faster than a rate. Burst and limit follow from the rate so that it is
// met: a burst of 10 ms (at least ten packets), and 200 ms of packets waiting, unless they are given.

package import ChaosModel

/// Limits how fast packets go.
package struct NetworkBandwidth: ShapingFault {
    static let rate = Parameter(
        required: "rate",
        ParameterKind<Double>.bitRate,
        help: "The most bits a second, in each direction."
    )
    private static let size = ParameterKind<Int>.size(from: "1500B", to: "1GiB", example: "64KiB")
    static let burst = Parameter(
        "burst",
        size,
        help:
            "How much may go at once after a pause; without it what goes in 10ms, at least ten full packets."
    )
    static let limit = Parameter(
        "limit",
        size,
        help:
            "How much may wait before the rest is lost; without it what goes in 200ms, at least the burst."
    )

    package static let descriptor = FaultDescriptor.shaping(
        "network.bandwidth",
        "Limits the rate between the target and the far ends named.",
        [rate.erased, burst.erased, limit.erased]
    )

    package let traffic: ShapedTraffic
    package let impairment: Impairment
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try ShapedTraffic(parameters)
        let rate = try parameters.value(Self.rate)
        let bytesPerSecond = rate / 8
        let burst = parameters[Self.burst] ?? max(15_140, Int(bytesPerSecond * 0.01))
        let limit = parameters[Self.limit] ?? max(burst, 30_280, Int(bytesPerSecond * 0.2))
        guard limit >= burst else {
            throw parameters.error("limit must be at least the burst (\(burst)B), got \(limit)B")
        }
        impairment = Impairment(
            rate: PacketRate(bitsPerSecond: rate, burstBytes: burst, limitBytes: limit)
        )
        summary = "limits to \(ParameterValue.shortest(rate)) bit/s"
    }
}

extension ParameterKind where Value == Double {
    /// Bits per second.
    static var bitRate: ParameterKind {
        let quantity = Quantity(
            "bit rate",
            noun: "a rate such as \"10mbit\"",
            example: "10mbit",
            units: ["bit", "mbit"],
            allowed: "between 1kbit and 100gbit",
            range: 1e3...1e11,
            read: Units.bitsPerSecond
        )
        return .quantity(quantity) { $0 }
    }
}
