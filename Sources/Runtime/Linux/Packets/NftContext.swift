// One context of libnftables: a netlink socket in the namespace of the thread that opened it.
//
// The socket stays there when the thread is gone, and the kernel removes the tables that it owns when it
// closes. Contexts share variables inside the library (its caches of interfaces and protocols), so one lock is
// for all of them; an operation takes some 0.1 ms.

import CLinux
import ChaosModel
import Glibc
import Synchronization

/// A conversation with nf_tables in one namespace.
final class NftContext: Sendable {
    /// What nft answered to a command that failed.
    struct Refusal: Error {
        /// The messages, without the places in our text that they point at.
        var text: String

        var isAbsent: Bool { text.contains("No such file or directory") }
        var isNotPermitted: Bool { text.contains("Operation not permitted") }
        var isUnknownSyntax: Bool { text.contains("syntax error") }
        var isUnsupported: Bool { text.contains("not supported") || isUnknownSyntax }
    }

    private static let library = Mutex<Void>(())

    // SAFETY: set once; used only with the library's lock held.
    nonisolated(unsafe) private let pointer: OpaquePointer

    /// Why nothing can be opened here, in words; nil when it can.
    ///
    /// For the calling thread's namespace. It asks the kernel with a socket of our own, since the library ends
    /// the whole process when it gets none.
    static func obstacle() -> KernelError? {
        let operation = "use nf_tables"
        if let reason = clinux_nft_load() {
            return KernelError(
                .unsupported,
                operation,
                "\(String(cString: reason)); install libnftables1 (Debian, Ubuntu) or nftables (Fedora, RHEL)"
            )
        }
        switch clinux_nftables_probe() {
        case 0: return nil
        case EPERM: return KernelError(.notPermitted, operation, neededPrivilege)
        case EINVAL, EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT:
            return KernelError(
                .unsupported,
                operation,
                "the kernel has no nf_tables (CONFIG_NF_TABLES)"
            )
        case let code: return .system(code, operation)
        }
    }

    static let neededPrivilege =
        "needs CAP_NET_ADMIN in the user namespace that owns the network namespace, to change packet filters"

    /// Opens a context in the namespace of the calling thread.
    init() throws(KernelError) {
        if let obstacle = Self.obstacle() { throw obstacle }
        guard
            let opened = Self.library.withLock({ _ in clinux_nft_open().map(UInt.init(bitPattern:))
            }),
            let pointer = OpaquePointer(bitPattern: opened)
        else { throw KernelError(.failed, "use nf_tables", "libnftables gave no context") }
        self.pointer = pointer
    }

    /// Has lists leave out counters and what else changes by itself.
    func leaveCountersOut() {
        Self.library.withLock { _ in clinux_nft_leave_counters_out(pointer) }
    }

    deinit { Self.library.withLock { _ in clinux_nft_close(pointer) } }

    /// Runs commands as one transaction and returns the output.
    func run(_ commands: String) throws(Refusal) -> String {
        try Self.library.withLock { _ throws(Refusal) in
            var output: UnsafePointer<CChar>?
            var error: UnsafePointer<CChar>?
            guard clinux_nft_run(pointer, commands, &output, &error) == 0 else {
                throw Refusal(text: Self.messages(error.map { String(cString: $0) } ?? ""))
            }
            return output.map { String(cString: $0) } ?? ""
        }
    }

    /// The messages of nft's error text: what stands after `Error: `, at most three.
    private static func messages(_ text: String) -> String {
        let lines = text.split(separator: "\n")
        let found = lines.compactMap { line in
            line.firstRange(of: "Error: ").map { String(line[$0.upperBound...]) }
        }
        let messages = found.isEmpty ? lines.prefix(3).map(String.init) : Array(found.prefix(3))
        return messages.isEmpty
            ? "libnftables failed without a message" : messages.joined(separator: "; ")
    }
}
