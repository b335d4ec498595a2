// The host in memory: its boot, its user, its capabilities.

package import ChaosModel

extension SimulatedKernel: HostPort {
    package func bootID() throws(KernelError) -> String { state.withLock { $0.bootID } }

    package func hasCapability(_ name: String) -> Bool {
        state.withLock { $0.capabilities.contains(name) }
    }

    package func userID() -> UInt32 { state.withLock { $0.userID } }

    package func ancestry() -> [Int32] { [42, 1] }
}
