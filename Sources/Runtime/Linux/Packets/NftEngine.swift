// Rules in an nft table of our own, owned by a socket of this process or plain.
//
// An owned table lives as long as its context, so contexts are kept by namespace once they have owned something,
// and pin the namespace until this process ends: closing one takes the kernel 14 ms, which no revert should wait
// for. Everything else opens a context, uses it and closes it.

import ChaosModel
import Synchronization

/// nft tables, made and removed.
final class NftEngine: Sendable {
    private struct Owner {
        var context: NftContext
        var tables: Set<String> = []
    }

    private let family: String
    private let owners = Mutex<[UInt64: Owner]>([:])

    /// Makes an engine for the tables of one family.
    init(family: String = "inet") { self.family = family }

    /// Adds the table of a plan.
    func add(
        _ plan: RulePlan,
        isOwned: Bool,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        guard isOwned else {
            return try LinuxNamespaces.within(namespace) { () throws(KernelError) in
                try Self.create(plan, isOwned: false, in: namespace, with: try NftContext())
            }
        }
        try owners.withLock { owners throws(KernelError) in
            var owner = try Self.owner(of: namespace, among: owners)
            try Self.create(plan, isOwned: true, in: namespace, with: owner.context)
            owner.tables.insert(plan.name)
            owners[namespace.inode] = owner
        }
    }

    /// Adds the drops of a plan to its table, which is there.
    func widen(_ plan: RulePlan, in namespace: NetworkNamespace) throws(KernelError) {
        let operation = "widen nft table \(plan.name) in \(namespace.path)"
        let isOurs = owners.withLock { $0[namespace.inode]?.tables.contains(plan.name) == true }
        if isOurs { return try transact(NftText.widen(plan), operation, in: namespace) }
        try LinuxNamespaces.within(namespace) { () throws(KernelError) in
            let context = try NftContext()
            do throws(NftContext.Refusal) {
                _ = try context.run(NftText.widen(plan))
            } catch {
                throw Self.kernelError(error, operation, with: context)
            }
        }
    }

    /// Runs commands as one transaction of the socket that owns our tables in a namespace, or will.
    ///
    /// What it adds and removes is said beside the commands, which are not read.
    func transact(
        _ commands: String,
        adding: Set<String> = [],
        removing: Set<String> = [],
        _ operation: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try owners.withLock { owners throws(KernelError) in
            var owner =
                if adding.isEmpty, let known = owners[namespace.inode] { known } else {
                    try Self.owner(of: namespace, among: owners)
                }
            do throws(NftContext.Refusal) {
                _ = try owner.context.run(commands)
            } catch {
                throw Self.kernelError(error, operation, with: owner.context)
            }
            owner.tables = owner.tables.subtracting(removing).union(adding)
            owners[namespace.inode] = owner
        }
    }

    /// Lets go of a namespace that is gone but for our socket, and so of the tables that it owns there.
    func forget(_ namespace: NetworkNamespace) {
        owners.withLock { _ = $0.removeValue(forKey: namespace.inode) }
    }

    private static func owner(
        of namespace: NetworkNamespace,
        among owners: [UInt64: Owner]
    ) throws(KernelError) -> Owner {
        // Opened each time: a namespace that lost its name must not be found through our own socket.
        _ = try NamespaceFile.open(namespace)
        if let known = owners[namespace.inode] { return known }
        return Owner(
            context: try LinuxNamespaces.within(namespace) { () throws(KernelError) in
                try NftContext()
            }
        )
    }

    /// Adds and removes the table of a plan in the namespace of the calling thread, to see whether that works.
    static func tryOut(_ plan: RulePlan, isOwned: Bool) throws(KernelError) {
        let context = try NftContext()
        let here = NetworkNamespace(path: "/proc/thread-self/ns/net", inode: 0)
        try create(plan, isOwned: isOwned, in: here, with: context)
        _ = try delete(plan.name, family: "inet", in: here, with: context)
    }

    /// Removes a table by its name; false when there was none.
    @discardableResult
    func remove(_ name: String, in namespace: NetworkNamespace) throws(KernelError) -> Bool {
        let isOurs = try owners.withLock { owners throws(KernelError) -> Bool? in
            guard let owner = owners[namespace.inode], owner.tables.contains(name) else {
                return nil
            }
            let wasThere = try Self.delete(
                name,
                family: family,
                in: namespace,
                with: owner.context
            )
            owners[namespace.inode]?.tables.remove(name)
            return wasThere
        }
        if let isOurs { return isOurs }
        return try LinuxNamespaces.withinAnyWay(namespace) { [family] () throws(KernelError) in
            try Self.delete(name, family: family, in: namespace, with: try NftContext())
        }
    }

    /// What a table has dropped; nil when there is none of that name.
    func count(_ name: String, in namespace: NetworkNamespace) throws(KernelError) -> PacketCount? {
        try listing(of: name, in: namespace).map(NftListing.count(in:))
    }

    /// The text of a table; nil when there is none of that name.
    func listing(
        of name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> String? {
        try list("list table \(family) \(name)", "read nft table \(name)", in: namespace)
    }

    /// The tables with our mark.
    ///
    /// One that only has a name like ours is another's: nft before 0.9.7, which cannot mark tables, leaves them to
    /// the journal.
    func residue(in namespace: NetworkNamespace) throws(KernelError) -> [String] {
        try names(in: namespace)
    }

    /// The names of tables that begin like ours.
    func names(in namespace: NetworkNamespace) throws(KernelError) -> [String] {
        try tables(in: namespace).map(\.name)
    }

    /// The tables with our mark that no live process owns.
    func unowned(in namespace: NetworkNamespace) throws(KernelError) -> [String] {
        try tables(in: namespace).filter { !NftListing.isOwned($0.text) }.map(\.name)
    }

    /// The names of all chains of iptables, which nft shows as its own.
    func chains(in namespace: NetworkNamespace) throws(KernelError) -> [Substring] {
        NftListing.chains(in: try list("list chains", "list nft chains", in: namespace) ?? "")
    }

    private func tables(
        in namespace: NetworkNamespace
    ) throws(KernelError) -> [(name: String, text: String)] {
        let listing = try list("list tables \(family)", "list nft tables", in: namespace)
        var found: [(name: String, text: String)] = []
        for name in NftListing.tables(in: listing ?? "", family: family) {
            guard let name = try? RulePlan.checkedName(name) else { continue }
            let table = try list(
                "list table \(family) \(name)",
                "list nft table \(name)",
                in: namespace
            )
            if let table, NftListing.isMarked(table) { found.append((name, table)) }
        }
        return found
    }

    private func list(
        _ command: String,
        _ operation: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> String? {
        let known = owners.withLock { $0[namespace.inode]?.context }
        if let known { return try Self.list(command, operation, with: known) }
        return try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) in
            try Self.list(command, operation, with: try NftContext())
        }
    }

    private static func list(
        _ command: String,
        _ operation: String,
        with context: NftContext
    ) throws(KernelError) -> String? {
        do throws(NftContext.Refusal) {
            return try context.run(command)
        } catch {
            if error.isAbsent { return nil }
            throw kernelError(error, operation, with: context)
        }
    }

    private static func create(
        _ plan: RulePlan,
        isOwned: Bool,
        in namespace: NetworkNamespace,
        with context: NftContext
    ) throws(KernelError) {
        let operation = "add nft table \(plan.name) in \(namespace.path)"
        do throws(NftContext.Refusal) {
            _ = try context.run(NftText.create(plan, isOwned: isOwned))
        } catch {
            // nft before 0.9.7 knows no comments on tables; it knows no owner either.
            guard !isOwned, error.isUnknownSyntax else {
                throw kernelError(error, operation, with: context)
            }
            do throws(NftContext.Refusal) {
                _ = try context.run(NftText.create(plan, isOwned: false, hasComment: false))
            } catch {
                throw kernelError(error, operation, with: context)
            }
        }
    }

    private static func delete(
        _ name: String,
        family: String,
        in namespace: NetworkNamespace,
        with context: NftContext
    ) throws(KernelError) -> Bool {
        let operation = "remove nft table \(name) in \(namespace.path)"
        do throws(NftContext.Refusal) {
            _ = try context.run("delete table \(family) \(name)\n")
            return true
        } catch {
            if error.isAbsent { return false }
            throw kernelError(error, operation, with: context)
        }
    }

    /// The error for the user.
    ///
    /// The kernel refuses the table of another owner and a missing privilege alike; only who has it may list.
    private static func kernelError(
        _ refusal: NftContext.Refusal,
        _ operation: String,
        with context: NftContext
    ) -> KernelError {
        guard refusal.isNotPermitted else {
            return KernelError(
                refusal.isUnsupported ? .unsupported : .failed,
                operation,
                refusal.text
            )
        }
        let mayList = (try? context.run("list tables")) != nil
        return KernelError(
            .notPermitted,
            operation,
            mayList ? "held by another live agent" : NftContext.neededPrivilege
        )
    }
}
