// Lookups from inside a target, by the library that its programs use: in its network and mount namespaces, below its
// root, as its user. In a process of their own, since the library keeps what it has read of its files.

import CLinux
package import ChaosModel
import ChaosThreads
import Glibc

/// The worker that looks names up.
package enum NameLookup {
    /// Serves the agent.
    package static func serve() async throws(KernelError) {
        try await WorkerServer().serve { (call: LookupCall) throws(KernelError) in
            try await OwnThread.value { () throws(KernelError) in try look(call) }
        }
    }

    /// Looks a name up on the calling thread, which it changes for good.
    private static func look(_ call: LookupCall) throws(KernelError) -> LookupReply {
        let operation = "look up \(call.name) from inside the target"
        let place = call.place
        let ownNetwork = NamespaceFile.inode(of: "/proc/thread-self/ns/net")
        var network: Int32 = -1
        if ownNetwork != place.namespace.inode {
            network = open(place.namespace.path, O_RDONLY | O_CLOEXEC)
            guard network >= 0 else { throw .system(errno, operation) }
        }
        defer { if network >= 0 { close(network) } }
        var mounts: Int32 = -1
        var root: Int32 = -1
        if let process = place.process {
            mounts = open("/proc/\(process.pid)/ns/mnt", O_RDONLY | O_CLOEXEC)
            root = open("/proc/\(process.pid)/root", CLINUX_PATH_ONLY | O_DIRECTORY | O_CLOEXEC)
            guard mounts >= 0, root >= 0 else { throw .system(errno, operation) }
        }
        let code = clinux_become_target(network, place.overlay, mounts, root, call.user ?? .max)
        guard code == 0 else {
            throw .system(code, operation, needs: "CAP_SYS_ADMIN and CAP_SYS_CHROOT")
        }
        var text = [CChar](repeating: 0, count: 1024)
        let problem = clinux_lookup(call.name, &text, text.count)
        guard problem == 0 else {
            return LookupReply(problem: String(cString: clinux_lookup_problem(problem)))
        }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return LookupReply(addresses: String(decoding: bytes, as: UTF8.self))
    }
}
