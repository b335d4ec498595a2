// The list of faults. A test compares it with the folder, so that none is forgotten.

package import ChaosModel

extension FaultCatalogue {
    /// Every fault that Moonquake has, in the order of the docs.
    package static let all = FaultCatalogue(
        [
            FaultType(NetworkLatency.self),
            FaultType(NetworkLoss.self),
            FaultType(NetworkDuplicate.self),
            FaultType(NetworkCorrupt.self),
            FaultType(NetworkReorder.self),
            FaultType(NetworkBandwidth.self),
            FaultType(NetworkPartition.self),
            FaultType(DNSError.self),
            FaultType(DNSSpoof.self),
            FaultType(DNSDelay.self),
            FaultType(DNSDrop.self),
            FaultType(HTTPLatency.self),
            FaultType(HTTPError.self),
            FaultType(HTTPAbort.self),
            FaultType(HTTPBandwidth.self),
            FaultType(GRPCError.self),
            FaultType(GRPCLatency.self),
            FaultType(ProcessPause.self),
            FaultType(ProcessKill.self),
            FaultType(CPULimit.self),
            FaultType(MemoryLimit.self),
            FaultType(FDExhaust.self),
            FaultType(PIDExhaust.self),
            FaultType(ClockSkew.self),
            FaultType(CPUStress.self),
            FaultType(MemoryPressure.self),
            FaultType(DiskFill.self),
            FaultType(DiskIO.self),
            FaultType(Noop.self),
        ],
        shadows: [
            FaultType(Shadowed<NetworkLatency>.self),
            FaultType(Shadowed<NetworkLoss>.self),
            FaultType(Shadowed<NetworkDuplicate>.self),
            FaultType(Shadowed<NetworkCorrupt>.self),
            FaultType(Shadowed<NetworkReorder>.self),
            FaultType(Shadowed<NetworkBandwidth>.self),
            FaultType(Shadowed<NetworkPartition>.self),
            FaultType(Shadowed<DNSError>.self),
            FaultType(Shadowed<DNSSpoof>.self),
            FaultType(Shadowed<DNSDelay>.self),
            FaultType(Shadowed<DNSDrop>.self),
        ]
    )
}
