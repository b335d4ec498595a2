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

    private let owners = Mutex<[UInt64: Owner]>([:])

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
            // Opened each time: a namespace that lost its name must not be found through our own socket.
            _ = try NamespaceFile.open(namespace)
            var owner: Owner
            if let known = owners[namespace.inode] {
                owner = known
            } else {
                owner = Owner(
                    context: try LinuxNamespaces.within(namespace) { () throws(KernelError) in
                        try NftContext()
                    }
                )
            }
            try Self.create(plan, isOwned: true, in: namespace, with: owner.context)
            owner.tables.insert(plan.name)
            owners[namespace.inode] = owner
        }
    }

    /// Adds and removes the table of a plan in the namespace of the calling thread, to see whether that works.
    static func tryOut(_ plan: RulePlan, isOwned: Bool) throws(KernelError) {
        let context = try NftContext()
        let here = NetworkNamespace(path: "/proc/thread-self/ns/net", inode: 0)
        try create(plan, isOwned: isOwned, in: here, with: context)
        _ = try delete(plan.name, in: here, with: context)
    }

    /// Removes a table by its name; false when there was none.
    @discardableResult
    func remove(_ name: String, in namespace: NetworkNamespace) throws(KernelError) -> Bool {
        let isOurs = try owners.withLock { owners throws(KernelError) -> Bool? in
            guard let owner = owners[namespace.inode], owner.tables.contains(name) else {
                return nil
            }
            let wasThere = try Self.delete(name, in: namespace, with: owner.context)
            owners[namespace.inode]?.tables.remove(name)
            return wasThere
        }
        if let isOurs { return isOurs }
        return try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) in
            try Self.delete(name, in: namespace, with: try NftContext())
        }
    }

    /// What a table has dropped; nil when there is none of that name.
    func count(_ name: String, in namespace: NetworkNamespace) throws(KernelError) -> PacketCount? {
        let operation = "count packets of nft table \(name)"
        let table = try list("list table inet \(name)", operation, in: namespace)
        return table.map(NftListing.count(in:))
    }

    /// The tables with our mark.
    ///
    /// One that only has a name like ours is another's: nft before 0.9.7, which cannot mark tables, leaves them to
    /// the journal.
    func residue(in namespace: NetworkNamespace) throws(KernelError) -> [String] {
        let listing = try list("list tables inet", "list nft tables", in: namespace)
        var found: [String] = []
        for name in NftListing.tables(in: listing ?? "") {
            guard let name = try? RulePlan.checkedName(name) else { continue }
            let table = try list("list table inet \(name)", "list nft table \(name)", in: namespace)
            if let table, NftListing.isMarked(table) { found.append(name) }
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
        in namespace: NetworkNamespace,
        with context: NftContext
    ) throws(KernelError) -> Bool {
        let operation = "remove nft table \(name) in \(namespace.path)"
        do throws(NftContext.Refusal) {
            _ = try context.run("delete table inet \(name)\n")
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
        let mayList = (try? context.run("list tables inet")) != nil
        return KernelError(
            .notPermitted,
            operation,
            mayList ? "held by another live agent" : NftContext.neededPrivilege
        )
    }
}
