// `dns.spoof`: queries for addresses are answered with others.
//
// A and AAAA are both answered: a family without addresses is answered with none, and so is HTTPS, whose records carry
// addresses too, so that no program gets round the fault by asking otherwise.

package import ChaosModel

/// Answers queries with given addresses.
package struct DNSSpoof: NameTrafficFault {
    /// The most addresses of a family that fit into any answer.
    private static let limit = 8

    static let addresses = Parameter(
        required: "addresses",
        ParameterKind<[NetworkAddress]>.list(of: .singleAddress, atMost: 2 * limit),
        help:
            "What is answered: IPv4 for A, IPv6 for AAAA; a family without any is answered with none."
    )
    static let timeToLive = Parameter(
        "ttl",
        ParameterKind<Duration>.duration(to: .seconds(86400)),
        default: "0s",
        help: "How long clients may keep the answer; what they keep outlives the fault."
    )
    static let method = Parameter(
        "method",
        ParameterKind<String>.choice(["auto", "redirect", "resolv_conf", "hosts"]),
        default: "auto",
        help:
            "How lookups come to the fault: redirected by nft, or by an edit of resolv.conf or hosts."
    )

    package static let descriptor = FaultDescriptor.names(
        "dns.spoof",
        "Answers DNS queries for addresses with others.",
        [addresses.erased, timeToLive.erased] + NameTraffic.parameters(method)
    )

    package let traffic: NameTraffic
    package let action: NameAction
    package let summary: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        traffic = try NameTraffic(parameters, types: [.a, .aaaa, .https], method: Self.method)
        let addresses = try parameters.value(Self.addresses)
        let ttl = try parameters.value(Self.timeToLive)
        for isIPv6 in [false, true] {
            let count = addresses.count { $0.isIPv6 == isIPv6 }
            guard count <= Self.limit else {
                throw parameters.error(
                    "addresses must be at most \(Self.limit) of a family, got \(count)"
                )
            }
        }
        action = .spoof(addresses, ttlSeconds: UInt32(ttl.inSeconds))
        summary = "answers \(addresses.map(\.addressText).joined(separator: ", "))"
        guard traffic.method == .hosts else { return }
        let isPlain = traffic.names.allSatisfy { if case .one = $0 { true } else { false } }
        guard isPlain, traffic.except.isEmpty, traffic.share == 1 else {
            throw parameters.error(
                "method = \"hosts\" can only give whole names, always: no *, no except, no traffic below 100%"
            )
        }
    }
}

extension ParameterKind where Value == NetworkAddress {
    /// One address, and no network.
    fileprivate static var singleAddress: ParameterKind {
        let shape = ParameterShape(type: "address", json: "string", example: "\"192.0.2.7\"")
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value, let address = NetworkAddress(text),
                address.isSingle
            else {
                throw ParameterProblem("must be an IPv4 or IPv6 address, got \(value)")
            }
            return address
        }
    }
}
