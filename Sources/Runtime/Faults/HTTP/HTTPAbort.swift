// `http.abort`: the connection of a request is reset, or its stream.

package import ChaosModel

/// Resets requests.
package struct HTTPAbort: RequestTrafficFault {
    package static let descriptor = FaultDescriptor.requests(
        "http.abort",
        "Resets the connection of HTTP requests (HTTP/2: the stream), without passing them on.",
        []
    )

    package let traffic: RequestTraffic
    package let action = RequestAction.abort
    package let summary = "resets"

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try RequestTraffic(parameters)
    }
}
