// The network namespace that a target means.

import ChaosModel

extension Target {
    /// The namespace that a network fault on this target works in.
    func networkNamespace(
        own: NetworkNamespace,
        on kernel: Kernel
    ) throws(FaultError) -> NetworkNamespace {
        let namespace: NetworkNamespace
        switch self {
        case .host: return own
        case .netns(_, let found, nil): return found
        case .netns(_, let found, .some): namespace = found
        case .process(_, let identity, _):
            namespace = try kernelCall { () throws(KernelError) in
                try kernel.network.namespace(of: identity)
            }
        }
        guard namespace.inode != own.inode else {
            throw .refused(
                "\(self) shares the host's network namespace: a fault there would hit every process; "
                    + "use target.host {} with `to` and `port` if that is meant"
            )
        }
        return namespace
    }
}
