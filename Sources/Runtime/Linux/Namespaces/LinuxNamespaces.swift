// Being in a network namespace. setns moves one thread, and nothing of it may leak to other code: work runs on
// a thread that is made for it and ends with it.

import CLinux
package import ChaosModel
import ChaosThreads

/// Ways into network namespaces.
package enum LinuxNamespaces {
    /// Moves the calling thread into a named namespace, for good.
    ///
    /// For threads that their owner keeps to one namespace, such as a probe's event loop; never for a thread of
    /// Swift's pool. Throws `.gone` without such a name and `.notPermitted` without CAP_SYS_ADMIN.
    package static func enter(_ name: String) throws(KernelError) {
        guard let namespace = try find(named: name) else {
            throw KernelError(
                .gone,
                "enter network namespace \(name)",
                "there is none of this name"
            )
        }
        try NamespaceFile.open(namespace).enter()
    }

    /// Runs `body` on a thread of its own that is in `namespace`, and waits, blocking the caller.
    ///
    /// On the calling thread when it is there already. Throws `.gone` when the path leads elsewhere by now.
    package static func within<Value: Sendable>(
        _ namespace: NetworkNamespace,
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        try run(in: namespace, body) { () throws(KernelError) in
            try NamespaceFile.open(namespace).enter()
        }
    }

    /// Runs `body` on a thread of its own in a new, empty namespace, which ends with it.
    ///
    /// Throws `.notPermitted` without CAP_SYS_ADMIN, before `body` is run.
    static func withinNew<Value: Sendable>(
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        try OwnThread.run { () throws(KernelError) -> Value in
            let code = clinux_enter_new_network()
            guard code == 0 else {
                throw .system(code, "make a network namespace", needs: "CAP_SYS_ADMIN")
            }
            return try body()
        }
    }

    /// The same for clean-up: any way into the namespace will do.
    static func withinAnyWay<Value: Sendable>(
        _ namespace: NetworkNamespace,
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        try run(in: namespace, body) { () throws(KernelError) in
            try NamespaceFile.find(namespace).enter()
        }
    }

    /// The named namespace; throws for a name that cannot be one.
    static func find(named name: String) throws(KernelError) -> NetworkNamespace? {
        try check(name)
        for folder in NamespaceFile.folders {
            if let file = try NamespaceFile.at("\(folder)/\(name)") { return file.namespace }
        }
        return nil
    }

    private static func run<Value: Sendable>(
        in namespace: NetworkNamespace,
        _ body: @escaping @Sendable () throws(KernelError) -> Value,
        entering enter: @escaping @Sendable () throws(KernelError) -> Void
    ) throws(KernelError) -> Value {
        // Entering the namespace that one is in needs CAP_SYS_ADMIN too; not entering it needs nothing.
        if NamespaceFile.inode(of: "/proc/thread-self/ns/net") == namespace.inode,
            NamespaceFile.inode(of: namespace.path) == namespace.inode
        {
            return try body()
        }
        return try OwnThread.run { () throws(KernelError) -> Value in
            try enter()
            return try body()
        }
    }

    private static func check(_ name: String) throws(KernelError) {
        let isPlain =
            !name.isEmpty && name != "." && name != ".."
            && name.unicodeScalars.allSatisfy { $0 != "/" && $0.value >= 32 && $0.value != 127 }
        guard isPlain else {
            throw KernelError(
                .failed,
                "find network namespace \"\(name.escapedForDisplay)\"",
                "a name has no slash and no control character, and is not . or .."
            )
        }
    }
}
