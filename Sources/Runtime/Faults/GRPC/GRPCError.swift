// `grpc.error`: the proxy answers a call with a status of gRPC.

package import ChaosModel

/// Answers calls of gRPC with an error.
package struct GRPCError: RequestTrafficFault {
    /// The codes by number (grpc.io, "Status codes and their use in gRPC").
    static let codes = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
        "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
        "UNAUTHENTICATED",
    ]
    static let code = Parameter(
        "code",
        ParameterKind<String>.choice(codes),
        default: "UNAVAILABLE",
        help: "The status of the call."
    )
    static let message = Parameter(
        "message",
        ParameterKind<String>.string(example: "\"try again later\""),
        default: "injected by moonquake",
        help: "The message of the status."
    )

    package static let descriptor = FaultDescriptor.requests(
        "grpc.error",
        "Answers gRPC calls with a status, without passing them on.",
        [code.erased, message.erased],
        isGRPC: true
    )

    package let traffic: RequestTraffic
    package let action: RequestAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try RequestTraffic(parameters, isGRPC: true)
        let code = try parameters.value(Self.code)
        action = .grpcError(
            code: Self.codes.firstIndex(of: code) ?? 2,
            message: try parameters.value(Self.message)
        )
        summary = "answers \(code)"
    }
}
