// An impairment as the options of netem (linux/pkt_sched.h): struct tc_netem_qopt, then attributes. Times are in
// nanoseconds, shares in parts of 2³².

import ChaosModel

/// The options of one netem.
struct NetemOptions: Equatable {
    let impairment: Impairment
    let seed: UInt64

    private enum Attribute {
        static let correlation: UInt16 = 1
        static let distribution: UInt16 = 2
        static let reorder: UInt16 = 3
        static let corrupt: UInt16 = 4
        static let loss: UInt16 = 5
        static let rate: UInt16 = 6
        static let rate64: UInt16 = 8
        static let latency64: UInt16 = 10
        static let jitter64: UInt16 = 11
        static let seed: UInt16 = 14
        // Within loss.
        static let fourState: UInt16 = 1
        static let gilbertElliott: UInt16 = 2
    }

    /// With a rate, netem counts each packet's delay from the packet before and so keeps the order; at 10 Tbit/s
    /// that is all a rate does.
    private static let rateForOrder: UInt64 = 1_250_000_000_000
    private static let mostPackets = 200_000.0
    private static let packetsPerSecond = 200_000.0
    private static let packetBytes = 1514.0

    /// The longest delay: netem holds it as a signed number of nanoseconds, the table of jitters multiplies it.
    static let longestMs = 3_600_000.0

    /// How many packets may wait: what 200,000 a second make during the delay, and what the rate's limit holds.
    var limit: UInt32 {
        let delaySeconds =
            ((impairment.delay?.delayMs ?? 0) + 4 * (impairment.delay?.jitterMs ?? 0)) / 1000
        guard let rate = impairment.rate else {
            return UInt32(min(max(delaySeconds * Self.packetsPerSecond, 1000), Self.mostPackets))
        }
        let waiting = Double(rate.limitBytes) + rate.bitsPerSecond / 8 * delaySeconds
        return UInt32(min(max((waiting / Self.packetBytes).rounded(.up), 2), Self.mostPackets))
    }

    /// What goes into TCA_OPTIONS; without the seed for kernels before 6.6.
    func bytes(withSeed: Bool = true) -> NetlinkBytes {
        var bytes = fixed
        addDelay(to: &bytes)
        addLoss(to: &bytes)
        if let reorder = impairment.reorder {
            bytes.attribute(Attribute.reorder, Self.pair(reorder))
        }
        if let corrupt = impairment.corrupt {
            bytes.attribute(Attribute.corrupt, Self.pair(corrupt))
        }
        addRate(to: &bytes)
        if withSeed { bytes.attribute(Attribute.seed, NetlinkBytes(seed)) }
        return bytes
    }

    private var fixed: NetlinkBytes {
        var loss: UInt32 = 0
        if case .random(let share, _) = impairment.loss { loss = Self.share(share) }
        return NetlinkBytes(
            // In ticks of 64 ns; the attributes in nanoseconds count where the kernel knows them.
            UInt32(clamping: delayNs >> 6),
            limit,
            loss,
            // 1: the share to reorder holds for each packet.
            impairment.reorder == nil ? 0 : 1,
            Self.share(impairment.duplicate?.share ?? 0),
            UInt32(clamping: jitterNs >> 6)
        )
    }

    private var delayNs: Int64 { Self.nanoseconds(impairment.delay?.delayMs) }
    private var jitterNs: Int64 { Self.nanoseconds(impairment.delay?.jitterMs) }

    private func addDelay(to bytes: inout NetlinkBytes) {
        var lossCorrelation = 0.0
        if case .random(_, let correlation) = impairment.loss { lossCorrelation = correlation }
        let correlations = [
            impairment.delay?.correlation ?? 0, lossCorrelation,
            impairment.duplicate?.correlation ?? 0,
        ]
        if correlations.contains(where: { $0 > 0 }) {
            var content = NetlinkBytes()
            for correlation in correlations { content.number(Self.share(correlation)) }
            bytes.attribute(Attribute.correlation, content)
        }
        guard let delay = impairment.delay else { return }
        bytes.attribute(Attribute.latency64, NetlinkBytes(delayNs))
        guard jitterNs > 0 else { return }
        bytes.attribute(Attribute.jitter64, NetlinkBytes(jitterNs))
        let table: [Int16]
        switch delay.distribution {
        case .uniform: return
        case .normal: table = NetemTables.normal
        case .pareto: table = NetemTables.pareto
        }
        var content = NetlinkBytes()
        for value in table { content.number(value) }
        bytes.attribute(Attribute.distribution, content)
    }

    private func addLoss(to bytes: inout NetlinkBytes) {
        switch impairment.loss {
        case nil, .random: return
        case .gilbertElliott(let bad, let good, let lossInBad, let lossInGood):
            bytes.nest(Attribute.loss) {
                $0.attribute(
                    Attribute.gilbertElliott,
                    // The third is the chance to get through in bad times.
                    NetlinkBytes(
                        Self.share(bad),
                        Self.share(good),
                        Self.share(1 - lossInBad),
                        Self.share(lossInGood)
                    )
                )
            }
        case .fourState(let p13, let p31, let p32, let p23, let p14):
            bytes.nest(Attribute.loss) {
                $0.attribute(
                    Attribute.fourState,
                    NetlinkBytes(
                        Self.share(p13),
                        Self.share(p31),
                        Self.share(p32),
                        Self.share(p14),
                        Self.share(p23)
                    )
                )
            }
        }
    }

    private func addRate(to bytes: inout NetlinkBytes) {
        let keepsOrder = impairment.delay?.preserveOrder == true && jitterNs > 0
        let asked = impairment.rate.map { UInt64(max(($0.bitsPerSecond / 8).rounded(), 1)) }
        guard let rate = asked ?? (keepsOrder ? Self.rateForOrder : nil) else { return }
        bytes.attribute(Attribute.rate, NetlinkBytes(UInt32(clamping: rate), 0, 0, 0))
        if rate >= UInt32.max { bytes.attribute(Attribute.rate64, NetlinkBytes(rate)) }
    }

    private static func pair(_ share: PacketShare) -> NetlinkBytes {
        NetlinkBytes(Self.share(share.share), Self.share(share.correlation))
    }

    static func share(_ value: Double) -> UInt32 {
        UInt32(min(max(value, 0), 1) * Double(UInt32.max))
    }

    private static func nanoseconds(_ milliseconds: Double?) -> Int64 {
        Int64((min(max(milliseconds ?? 0, 0), longestMs) * 1_000_000).rounded())
    }
}
