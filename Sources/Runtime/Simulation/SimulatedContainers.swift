// Containers in memory, as a test lists them.

package import ChaosModel

extension SimulatedKernel: ContainerPort {
    package func containers(socket: String?) async throws(KernelError) -> [ContainerSnapshot] {
        try call("containers") { state throws(KernelError) in
            state.world.containers.keys.sorted { $0.id < $1.id }
        }
    }

    package func firstProcess(of container: ContainerSnapshot) async throws(KernelError) -> Int32? {
        try call("firstProcess") { state throws(KernelError) in state.world.containers[container] }
    }
}
