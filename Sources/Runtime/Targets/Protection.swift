// What must never be hit: pid 1, the kernel's threads, ourselves and our ancestors, other runs of ours, and the
// servers that we judge by when they run on this host.

import ChaosModel

/// Knows what is protected.
struct Protection: Sendable {
    private let kernel: Kernel
    private let processes: Set<Int32>
    private let endpoints: [ProtectedEndpoint]
    /// Our own program: agents and runners of other runs are no targets either.
    private let ownExecutable: String?

    init(kernel: Kernel, processes: [Int32], endpoints: [ProtectedEndpoint]) {
        self.kernel = kernel
        self.endpoints = endpoints
        let ancestry = kernel.host.ancestry()
        self.processes = Set(processes).union(ancestry).union([1])
        // Without /proc nothing can be selected by name, so nothing of ours can be hit by it.
        ownExecutable =
            ancestry.first.flatMap { try? kernel.processes.snapshot(pid: $0) }?.executable
    }

    /// The processes of this host that serve a protected endpoint, with the reason; asked anew, since a server
    /// may have been started again.
    func listeners() throws(TargetError) -> [Int32: String] {
        let local = endpoints.filter { $0.port != nil }
        guard !local.isEmpty else { return [:] }
        let addresses = Set(kernel.network.ownAddresses())
        var found: [Int32: String] = [:]
        for endpoint in local where addresses.contains(endpoint.address) {
            guard let port = endpoint.port else { continue }
            // Who may not see other users' sockets may not signal their owners either.
            let pids = (try? kernel.processes.listening(on: port)) ?? []
            for pid in pids { found[pid] = endpoint.reason }
        }
        return found
    }

    /// Why a target must never be hit; nil when it may.
    func reason(for target: Target, listeners: [Int32: String]) throws(TargetError) -> String? {
        guard let identity = target.process,
            let process = try TargetError.kernel({ () throws(KernelError) in
                try kernel.processes.snapshot(of: identity)
            })
        else { return nil }
        if process.identity.pid == 1 { return "pid 1" }
        if process.isKernelThread { return "a thread of the kernel" }
        if processes.contains(process.identity.pid) {
            return "moonquake itself or one of its ancestors"
        }
        if let ownExecutable, process.executable == ownExecutable {
            return "moonquake, of another run"
        }
        return listeners[process.identity.pid]
    }
}
