// `grpc.latency`: answers to calls of gRPC begin late.

package import ChaosModel

/// Delays the answers to calls of gRPC.
package struct GRPCLatency: RequestTrafficFault {
    package static let descriptor = FaultDescriptor.requests(
        "grpc.latency",
        "Delays the answers to gRPC calls; a stream's messages then come as fast as ever.",
        [HTTPLatency.delay.erased, HTTPLatency.jitter.erased],
        isGRPC: true
    )

    package let traffic: RequestTraffic
    package let action: RequestAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try RequestTraffic(parameters, isGRPC: true)
        (action, summary) = try HTTPLatency.latency(parameters)
    }
}
