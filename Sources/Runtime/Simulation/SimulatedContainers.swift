// Containers in memory, as a test lists them.

package import ChaosModel

extension SimulatedKernel: ContainerPort {
    package func containers(socket: String?) async throws(KernelError) -> [ContainerSnapshot] {
        try call("containers") { state throws(KernelError) in Array(state.world.containers.keys) }
    }

    package func firstProcess(of container: ContainerSnapshot) async throws(KernelError) -> Int32? {
        try call("firstProcess") { state throws(KernelError) in state.world.containers[container] }
    }
}
