// A network namespace held open. Names and pids are reused, so what was opened is compared with the inode that
// was meant before anything is done in it.

import CLinux
import ChaosModel
import Glibc

/// An open network namespace.
struct NamespaceFile: ~Copyable, Sendable {
    /// Where `ip netns` keeps names; the second is where old systems have it.
    static let folders = ["/run/netns", "/var/run/netns"]

    /// The namespace that was opened.
    let namespace: NetworkNamespace
    private let descriptor: Descriptor

    private init(_ namespace: NetworkNamespace, _ descriptor: consuming Descriptor) {
        self.namespace = namespace
        self.descriptor = descriptor
    }

    /// Opens what is at a path; nil when nothing is there, or something that is no network namespace.
    static func at(_ path: String) throws(KernelError) -> NamespaceFile? {
        let operation = "open network namespace \(path)"
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            let code = errno
            if code == ENOENT || code == ESRCH { return nil }
            throw .system(code, operation, needs: "CAP_SYS_PTRACE for another user's process")
        }
        let descriptor = Descriptor(number)
        // A name whose mount is gone is an empty file.
        guard clinux_is_network_namespace(number) else { return nil }
        var status = stat()
        guard fstat(number, &status) == 0 else { throw .system(errno, operation) }
        return NamespaceFile(NetworkNamespace(path: path, inode: UInt64(status.st_ino)), descriptor)
    }

    /// Opens exactly this namespace; throws `.gone` when its path leads elsewhere or nowhere.
    static func open(_ namespace: NetworkNamespace) throws(KernelError) -> NamespaceFile {
        guard let file = try at(namespace.path), file.namespace.inode == namespace.inode else {
            throw KernelError(
                .gone,
                "open network namespace \(namespace.path)",
                "the namespace with inode \(namespace.inode) is not there any more"
            )
        }
        return file
    }

    /// Opens this namespace by its path or by any other way into it; throws `.gone` when there is none.
    ///
    /// For clean-up: a namespace outlives the process or the name that we knew it by while others are in it.
    static func find(_ namespace: NetworkNamespace) throws(KernelError) -> NamespaceFile {
        do throws(KernelError) {
            return try open(namespace)
        } catch  where error.kind == .gone {
            guard let path = try otherPath(to: namespace) else { throw error }
            return try open(NetworkNamespace(path: path, inode: namespace.inode))
        }
    }

    /// Moves the calling thread into it, for good.
    func enter() throws(KernelError) {
        let code = clinux_enter_network(descriptor.number)
        guard code == 0 else {
            throw .system(
                code,
                "enter network namespace \(namespace.path)",
                needs: "CAP_SYS_ADMIN in the user namespace that owns it"
            )
        }
    }

    private static func otherPath(to namespace: NetworkNamespace) throws(KernelError) -> String? {
        var paths: [String] = []
        for folder in folders {
            paths += try (ProcFile.names(in: folder) ?? []).map { "\(folder)/\($0)" }
        }
        paths += try ProcFile.pids().map { "/proc/\($0)/ns/net" }
        return paths.first { inode(of: $0) == namespace.inode }
    }

    /// The inode at a path, without opening it; nil when it is gone or may not be seen.
    static func inode(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }
}
