// `dns.drop`: queries are never answered.

package import ChaosModel

/// Drops queries.
package struct DNSDrop: NameTrafficFault {
    package static let descriptor = FaultDescriptor.names(
        "dns.drop",
        "Lets DNS queries go unanswered.",
        [NameTraffic.types.erased] + NameTraffic.parameters()
    )

    package let traffic: NameTraffic
    package let action = NameAction.drop
    package let summary = "drops"

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try NameTraffic(parameters)
    }
}
