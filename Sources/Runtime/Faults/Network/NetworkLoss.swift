// `network.loss`: packets disappear, one by one or in bursts. The burst models are those of tc-netem(8).

package import ChaosModel

/// Loses packets.
package struct NetworkLoss: ShapingFault {
    static let percent = Parameter(
        "percent",
        ParameterKind<Double>.percent,
        help: "The share of packets that is lost, each by itself."
    )
    static let correlation = Parameter(
        "correlation",
        ParameterKind<Double>.percent,
        default: "0%",
        help: "How far a packet follows the one before."
    )
    static let gilbertElliott = Parameter(
        "gilbert_elliott",
        ParameterKind<[Double]>.list(of: .percent, atMost: 4),
        help:
            "Bursts, instead of percent: the chances to turn bad and to turn good again, then the loss in bad "
            + "times (100%) and in good times (0%)."
    )
    static let state = Parameter(
        "state",
        ParameterKind<[Double]>.list(of: .percent, atMost: 5),
        help: "Bursts by the 4-state model, instead of percent: p13, p31, p32, p23, p14."
    )

    package static let descriptor = FaultDescriptor.shaping(
        "network.loss",
        "Loses packets between the target and the far ends named.",
        [percent.erased, correlation.erased, gilbertElliott.erased, state.erased]
    )

    package let traffic: ShapedTraffic
    package let impairment: Impairment
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try ShapedTraffic(parameters)
        let models = [Self.percent.name, Self.gilbertElliott.name, Self.state.name]
        guard models.filter(parameters.given.contains).count == 1 else {
            throw parameters.error("needs exactly one of percent, gilbert_elliott and state")
        }
        let loss: PacketLoss
        if let percent = parameters[Self.percent] {
            loss = .random(share: percent, correlation: try parameters.value(Self.correlation))
            summary = "loses \(MetricUnit.share.spelled(percent))"
        } else if let model = parameters[Self.gilbertElliott] {
            loss = try Self.gilbertElliott(model, parameters)
            summary = "loses packets in bursts (Gilbert–Elliott)"
        } else {
            loss = try Self.fourState(parameters[Self.state] ?? [], parameters)
            summary = "loses packets in bursts (4-state)"
        }
        impairment = Impairment(loss: loss)
    }

    private static func gilbertElliott(
        _ model: [Double],
        _ parameters: Parameters
    ) throws(DefinitionError) -> PacketLoss {
        guard model.count >= 2 else {
            throw parameters.error(
                "gilbert_elliott needs at least two shares, such as { \"1%\", \"20%\" }"
            )
        }
        return .gilbertElliott(
            bad: model[0],
            good: model[1],
            lossInBad: model.count > 2 ? model[2] : 1,
            lossInGood: model.count > 3 ? model[3] : 0
        )
    }

    private static func fourState(
        _ model: [Double],
        _ parameters: Parameters
    ) throws(DefinitionError) -> PacketLoss {
        guard model.count == 5 else {
            throw parameters.error(
                "state needs five shares (p13, p31, p32, p23, p14), got \(model.count)"
            )
        }
        return .fourState(p13: model[0], p31: model[1], p32: model[2], p23: model[3], p14: model[4])
    }
}
