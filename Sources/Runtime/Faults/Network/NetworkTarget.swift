// The network namespace that a target means.

import ChaosModel

extension Target {
    /// The namespace that a network fault on this target works in.
    func networkNamespace(
        own: NetworkNamespace,
        on kernel: Kernel
    ) throws(FaultError) -> NetworkNamespace {
        switch self {
        case .host: return own
        case .netns(_, let found, nil): return found
        case .netns(_, let found, .some):
            guard found.inode != own.inode else {
                throw .refused(
                    "\(self) shares the host's network namespace: a fault there would hit every process; "
                        + "use target.host {} with `to` and `port` if that is meant"
                )
            }
            return found
        case .process(_, let identity, _):
            // Where it is ours, `socketOwner` finds its sockets or refuses it.
            return try kernelCall { () throws(KernelError) in
                try kernel.network.namespace(of: identity)
            }
        }
    }

    /// By what packets of this target are told from others in its namespace; nil where all there are its own.
    ///
    /// A process in the agent's own namespace shares it with everybody, so that a fault for the namespace would hit
    /// the whole host.
    func socketOwner(
        in namespace: NetworkNamespace,
        own: NetworkNamespace,
        _ scope: NetworkScope,
        on kernel: Kernel
    ) throws(FaultError) -> SocketOwner? {
        guard case .process(_, let identity, _) = self, namespace.inode == own.inode else {
            return nil
        }
        let owner: SocketOwner
        do throws(KernelError) {
            owner = try kernel.network.socketOwner(of: identity)
        } catch  where error.kind == .unsupported {
            throw .refused(
                "\(self) shares the host's network namespace, and a fault there would hit every process: \(error); "
                    + "use target.host {} with `to` and `port` if that is meant"
            )
        } catch {
            throw FaultError(error)
        }
        if case .user(let number) = owner, scope.isIngressOnly {
            throw .refused(
                "\(self) shares the host's network namespace, where only packets that go out can be told to be "
                    + "user \(number)'s: use direction = \"egress\" or \"both\""
            )
        }
        return owner
    }
}

extension SocketOwner {
    /// Who is hit, for the plan.
    var change: String {
        switch self {
        case .controlGroup(let path, _, _):
            "hits the sockets of every process in the control group /\(path), and no others"
        case .user(let number):
            "hits what every process of user \(number) sends here, and nothing that comes in: its packets cannot be told apart otherwise"
        }
    }
}
