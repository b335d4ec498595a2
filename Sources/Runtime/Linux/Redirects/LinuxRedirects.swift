// Redirects in nft tables that this process owns: the kernel removes them when it ends, however it ends.
//
// For the process that listens: the same end takes rule and listener away. An operation takes some 0.2 ms.

package import ChaosModel
import CLinux
import Glibc
import Synchronization

/// The redirects that this process holds.
///
/// They live as long as this object and the process.
package final class LinuxRedirects: Sendable {
    private let nft = NftEngine()
    /// Whether the kernel tracks connections in zones; nil until the first table.
    private let hasZones = Mutex<Bool?>(nil)

    /// Makes an object without redirects.
    package init() {}

    /// Puts a plan in force, in one transaction; its listeners must be open.
    package func add(_ plan: RedirectPlan, in namespace: NetworkNamespace) throws(KernelError) {
        let operation = "redirect as nft table \(plan.name) in \(namespace.path)"
        try Self.check(plan, operation)
        if plan.takesOutgoing { try Self.requireLoopback(in: namespace, operation) }
        let known = hasZones.withLock { $0 }
        do throws(KernelError) {
            try add(plan, hasZone: known ?? true, operation, in: namespace)
            hasZones.withLock { $0 = known ?? true }
        } catch  where known == nil && error.kind != .notPermitted {
            // A kernel without CONFIG_NF_CONNTRACK_ZONES: the table is tried again without.
            try add(plan, hasZone: false, operation, in: namespace)
            hasZones.withLock { $0 = false }
        }
    }

    /// Lets no more traffic come to the listeners, while what has come before goes on: connections of TCP, and
    /// answers of the listeners of UDP that are due.
    ///
    /// To be followed by `remove`, which ends that too.
    package func drain(_ plan: RedirectPlan, in namespace: NetworkNamespace) throws(KernelError) {
        try nft.transact(
            RedirectText.drain(plan, hasZone: hasZones.withLock { $0 } ?? false),
            "drain nft table \(RulePlan.checkedName(plan.name)) in \(namespace.path)",
            in: namespace
        )
    }

    /// Ends a plan: from the next packet of UDP and the next connection of TCP on, nothing is redirected.
    ///
    /// Ending what is not there is no error.
    package func remove(_ name: String, in namespace: NetworkNamespace) throws(KernelError) {
        try nft.remove(RulePlan.checkedName(name), in: namespace)
    }

    /// The flows redirected and the packets refused so far; nil when the plan is not in force.
    package func count(
        _ name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> RedirectCount? {
        try nft.listing(of: RulePlan.checkedName(name), in: namespace).map(RedirectCount.init)
    }

    /// Lets go of a namespace in which nothing of ours is in force any more.
    package func forget(_ namespace: NetworkNamespace) { nft.forget(namespace) }

    /// Why redirects do not work here, in words; nil when they do.
    ///
    /// Tried out once, in a namespace made for it.
    package static let obstacle: String? = {
        let sample = RedirectPlan(
            name: "moonquake_probe_redirect",
            redirects: [Redirect(.udp, ports: [9], to: 9), Redirect(.tcp, ports: [9], to: 9)]
        )
        do throws(KernelError) {
            return try LinuxNamespaces.withinNew { () throws(KernelError) -> String? in
                let context = try NftContext()
                do throws(NftContext.Refusal) {
                    _ = try context.run(RedirectText.create(sample, hasZone: false))
                    return nil
                } catch {
                    return "no redirects in an nft table with `flags owner`: \(error.text)"
                }
            }
        } catch {
            return error.reason
        }
    }()

    private func add(
        _ plan: RedirectPlan,
        hasZone: Bool,
        _ operation: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try nft.transact(
            RedirectText.create(plan, hasZone: hasZone),
            adding: [plan.name],
            operation,
            in: namespace
        )
    }

    /// Refuses what would match nothing, or could not be said to nft.
    private static func check(_ plan: RedirectPlan, _ operation: String) throws(KernelError) {
        _ = try RulePlan.checkedName(plan.name)
        func refuse(_ reason: String) -> KernelError { KernelError(.failed, operation, reason) }
        guard plan.takesIncoming || plan.takesOutgoing else { throw refuse("nothing is taken") }
        guard plan.senders.isAnybody || !plan.takesIncoming else {
            throw refuse("traffic that comes in has no user or control group here")
        }
        for redirect in plan.redirects {
            let families = Set(redirect.destinations.map(\.isIPv6))
            guard !redirect.ports.isEmpty, families.count <= 1, redirect.transport != .icmp else {
                throw refuse("a redirect needs TCP or UDP, ports, and addresses of one family")
            }
        }
        for group in plan.senders.groups {
            let isPlain = group.unicodeScalars.allSatisfy {
                $0.value > 32 && $0.value != 127 && $0 != "\"" && $0 != "\\"
            }
            guard isPlain, group.contains(where: { $0 != "/" }) else {
                throw refuse("not a control group: \"\(group.escapedForDisplay)\"")
            }
            // nft looks for it there, and only version 2 can be matched.
            let folder = "/sys/fs/cgroup/\(group.drop { $0 == "/" })"
            guard access("\(folder)/cgroup.controllers", F_OK) == 0 else {
                throw refuse("there is no control group of version 2 at \(folder)")
            }
        }
    }

    /// Refuses a namespace whose loopback is down: what is redirected there would go nowhere.
    private static func requireLoopback(
        in namespace: NetworkNamespace,
        _ operation: String
    ) throws(KernelError) {
        let isUp = try LinuxNamespaces.within(namespace) { () throws(KernelError) -> Bool in
            let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let descriptor = Descriptor(number)
            guard number >= 0 else { throw .system(errno, operation) }
            return clinux_is_loopback_up(descriptor.number)
        }
        guard isUp else {
            throw KernelError(
                .failed,
                operation,
                "its loopback interface is down: bring it up (ip link set lo up)"
            )
        }
    }
}

/// What a plan has done so far.
package struct RedirectCount: Sendable, Hashable, Codable {
    /// Flows: connections of TCP; of UDP, what the kernel tracks as one.
    package var flows: UInt64 = 0
    /// Packets that were refused beside.
    package var cut: UInt64 = 0

    /// Reads the counters of a table's text.
    init(_ table: String) {
        for line in table.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let start = words.firstIndex(of: "counter"), words.count > start + 5,
                words[start + 1] == "packets", let packets = UInt64(words[start + 2])
            else { continue }
            if words[start + 5] == "redirect" { flows += packets } else { cut += packets }
        }
    }
}
