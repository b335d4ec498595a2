// Traffic that should come to a listener of ours instead of where it was sent, as values.
//
// What the rules do, and why so, is in docs/decisions/0020-redirects-in-an-owner-table.md.

package import ChaosModel
import Glibc

/// Traffic of one kind and the local port that takes it over.
package struct Redirect: Sendable, Hashable, Codable {
    /// TCP or UDP.
    package var transport: PacketProtocol
    /// The ports that it is sent to.
    package var ports: [Int]
    /// The addresses that it is sent to, of one family; empty means any of both families.
    package var destinations: [NetworkAddress]
    /// The port of our listener, which must be open already.
    ///
    /// On 127.0.0.1 and ::1 for traffic made in the namespace, on every address for traffic that comes in.
    package var listener: Int

    /// Makes a redirect.
    package init(
        _ transport: PacketProtocol,
        ports: [Int],
        destinations: [NetworkAddress] = [],
        to listener: Int
    ) {
        self.transport = transport
        self.ports = ports
        self.destinations = destinations
        self.listener = listener
    }
}

/// Whose traffic is meant, of what is made in the namespace; empty lists mean everybody's.
package struct RedirectSenders: Sendable, Hashable, Codable {
    /// Users, by id.
    package var users: [UInt32]
    /// Control groups (v2) with all below them, as in /proc/PID/cgroup: `/system.slice/shop.service`.
    package var groups: [String]

    /// Makes a choice of senders.
    package init(users: [UInt32] = [], groups: [String] = []) {
        self.users = users
        self.groups = groups
    }

    /// Whether it is anybody.
    package var isAnybody: Bool { users.isEmpty && groups.isEmpty }
}

/// The redirects of one lease: a table of our own in one namespace.
package struct RedirectPlan: Sendable, Hashable, Codable {
    /// The name of the table: `moonquake_` and the lease.
    package var name: String
    /// What is redirected; the first that matches wins.
    package var redirects: [Redirect]
    /// Whose traffic of the namespace is meant.
    package var senders: RedirectSenders
    /// Whether traffic that comes into the namespace, to it or through it, is meant too.
    package var takesIncoming: Bool
    /// Whether traffic that is made in the namespace is meant.
    package var takesOutgoing: Bool
    /// What is refused beside: ports whose traffic would go around the listener.
    package var cuts: [RedirectCut]
    /// Whether connections of TCP that were open before are reset at their next packet, so that they come again
    /// by way of the listener: the kernel redirects only what is new.
    package var resetsOpen: Bool

    /// Makes a plan; unless said otherwise for all traffic that is made in the namespace.
    package init(
        name: String,
        redirects: [Redirect],
        senders: RedirectSenders = RedirectSenders(),
        takesIncoming: Bool = false,
        takesOutgoing: Bool = true,
        cuts: [RedirectCut] = [],
        resetsOpen: Bool = false
    ) {
        self.name = name
        self.redirects = redirects
        self.senders = senders
        self.takesIncoming = takesIncoming
        self.takesOutgoing = takesOutgoing
        self.cuts = cuts
        self.resetsOpen = resetsOpen
    }
}

/// Ports that the senders do not get to while a plan is in force.
package struct RedirectCut: Sendable, Hashable, Codable {
    /// TCP or UDP.
    package var transport: PacketProtocol
    /// The ports.
    package var ports: [Int]
    /// What the sender is told; a reset of what is not TCP is an ICMP error.
    package var answer: PacketAnswer

    /// Makes a cut.
    package init(_ transport: PacketProtocol, ports: [Int], answer: PacketAnswer) {
        self.transport = transport
        self.ports = ports
        self.answer = answer
    }
}

/// The mark of our own upstream connections, which no plan redirects.
package enum RedirectMark {
    /// "moon", as an SO_MARK.
    package static let value: UInt32 = 0x6d6f_6f6e

    /// Marks a socket as ours; before it connects or sends.
    package static func apply(to descriptor: Int32) throws(KernelError) {
        var mark = value
        let size = socklen_t(MemoryLayout.size(ofValue: mark))
        guard setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, size) == 0 else {
            throw .system(
                errno,
                "mark a socket",
                needs: "CAP_NET_ADMIN in the user namespace that owns the network namespace"
            )
        }
    }
}

/// The conntrack zones of redirected UDP.
enum RedirectZone {
    /// That of a listener: what another one has left in its own cannot lead there, and a port is one listener's.
    static func of(_ listener: Int) -> UInt16 { UInt16(truncatingIfNeeded: listener) }
}
