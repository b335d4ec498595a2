// Rules in chains of our own in iptables and ip6tables, for hosts without libnftables.
//
// Every change is one restore transaction per family that adds or deletes only lines of ours, `--noflush`, run
// by a child of a thread that is in the namespace. Where the tools are the nf_tables variant, the first rule in
// a namespace also makes the standard table `filter` with empty chains, which stays, as after any iptables call.

import ChaosModel
import Glibc

/// iptables chains, made and removed.
struct IptablesEngine: Sendable {
    /// One family's tools.
    private struct Family: Sendable {
        var isIPv6: Bool
        var restore: Tool
        var save: Tool

        private var name: String { isIPv6 ? "ip6tables" : "iptables" }

        /// The tools of a family; throws when they are not installed.
        init(isIPv6: Bool) throws(KernelError) {
            let name = isIPv6 ? "ip6tables" : "iptables"
            guard let restore = Tool(named: "\(name)-restore"),
                let save = Tool(named: "\(name)-save")
            else {
                throw KernelError(
                    .unsupported,
                    "use \(name)",
                    "\(name)-restore is not installed: install the package iptables"
                )
            }
            self.isIPv6 = isIPv6
            self.restore = restore
            self.save = save
        }

        func apply(_ file: String, _ operation: String, test: Bool = false) throws(KernelError) {
            // Five seconds for the lock that other tools may hold.
            let options = ["--noflush", "-w", "5"] + (test ? ["--test"] : [])
            try check(try restore.run(options, input: file), operation)
        }

        func listing(_ operation: String, counters: Bool) throws(KernelError) -> String {
            let answer = try save.run(counters ? ["-c"] : [])
            try check(answer, operation)
            return answer.output
        }

        private func check(_ answer: Tool.Answer, _ operation: String) throws(KernelError) {
            guard answer.status != 0 else { return }
            let isRefused =
                answer.error.contains("Permission denied")
                || answer.error.contains("Operation not permitted")
                || answer.error.contains("you must be root")
            let privilege = isRefused ? "; \(NftContext.neededPrivilege)" : ""
            throw KernelError(
                isRefused ? .notPermitted : .failed,
                operation,
                "\(name): \(answer.reason)\(privilege)"
            )
        }
    }

    /// Adds the chains of a plan: IPv4 first, taken back when IPv6 fails.
    func add(_ plan: RulePlan, in namespace: NetworkNamespace) throws(KernelError) {
        let chains = try IptablesChains(of: plan.name)
        let operation = "add iptables chains \(chains.base) in \(namespace.path)"
        let files = [
            try IptablesText.add(plan, chains, isIPv6: false),
            try IptablesText.add(plan, chains, isIPv6: true),
        ]
        try LinuxNamespaces.within(namespace) { () throws(KernelError) in
            try Self.apply(files, chains, operation)
        }
    }

    /// Removes the chains of a name.
    func remove(_ name: String, in namespace: NetworkNamespace) throws(KernelError) {
        let chains = try IptablesChains(of: name)
        let operation = "remove iptables chains \(chains.base) in \(namespace.path)"
        try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) in
            for family in Self.installed() { try Self.remove(chains, of: family, operation) }
        }
    }

    /// What the chains of a name have dropped; nil when there are none.
    func count(_ name: String, in namespace: NetworkNamespace) throws(KernelError) -> PacketCount? {
        let chains = try IptablesChains(of: name)
        let operation = "count packets of iptables chains \(chains.base)"
        let listings = try listings(in: namespace, operation)
        let counts = listings.compactMap { IptablesListing.count(of: chains, in: $0) }
        guard var sum = counts.first else { return nil }
        for count in counts.dropFirst() {
            sum.packets += count.packets
            sum.bytes += count.bytes
        }
        return sum
    }

    /// The bases of chains named like ours.
    func residue(in namespace: NetworkNamespace) throws(KernelError) -> [String] {
        let listings = try listings(in: namespace, "list iptables chains")
        return listings.reduce(into: Set<String>()) { $0.formUnion(IptablesListing.bases(in: $1)) }
            .sorted()
    }

    /// Why it does not work in the calling thread's namespace; nil when it does.
    ///
    /// The tools try the rules without committing them, since a commit could leave an empty table behind.
    func obstacle(for sample: RulePlan) -> KernelError? {
        do throws(KernelError) {
            let chains = try IptablesChains(of: sample.name)
            for isIPv6 in Self.families() {
                guard let file = try IptablesText.add(sample, chains, isIPv6: isIPv6) else {
                    continue
                }
                try Family(isIPv6: isIPv6).apply(file, "try iptables rules", test: true)
            }
            return nil
        } catch {
            return error
        }
    }

    private func listings(
        in namespace: NetworkNamespace,
        _ operation: String
    ) throws(KernelError) -> [String] {
        try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) -> [String] in
            var listings: [String] = []
            for family in Self.installed() {
                listings.append(try family.listing(operation, counters: true))
            }
            return listings
        }
    }

    private static func apply(
        _ files: [String?],
        _ chains: IptablesChains,
        _ operation: String
    ) throws(KernelError) {
        var done: [Family] = []
        do throws(KernelError) {
            for (file, isIPv6) in zip(files, [false, true]) {
                guard let file, families().contains(isIPv6) else { continue }
                let family = try Family(isIPv6: isIPv6)
                try family.apply(file, operation)
                done.append(family)
            }
        } catch {
            throw takingBack(done, chains, operation, after: error)
        }
    }

    /// The first error, with what went wrong while the other family's rules were taken back.
    private static func takingBack(
        _ done: [Family],
        _ chains: IptablesChains,
        _ operation: String,
        after first: KernelError
    ) -> KernelError {
        var error = first
        for family in done {
            do throws(KernelError) {
                try remove(chains, of: family, operation)
            } catch let second {
                error.reason += "; and taking back what was made: \(second)"
            }
        }
        return error
    }

    /// Looks and removes; again when somebody changed the rules in between.
    private static func remove(
        _ chains: IptablesChains,
        of family: Family,
        _ operation: String
    ) throws(KernelError) {
        var last: KernelError?
        for _ in 0..<3 {
            let listing = try family.listing(operation, counters: false)
            guard let file = IptablesText.remove(chains, shownIn: listing) else { return }
            do throws(KernelError) {
                return try family.apply(file, operation)
            } catch {
                last = error
            }
        }
        if let last { throw last }
    }

    /// The tools that are there; without a tool of a family there are no chains of ours in it.
    private static func installed() -> [Family] {
        families().compactMap { try? Family(isIPv6: $0) }
    }

    /// IPv4, and IPv6 where the kernel has it: otherwise there is nothing to drop.
    private static func families() -> [Bool] {
        access("/proc/thread-self/net/if_inet6", F_OK) == 0 ? [false, true] : [false]
    }
}
