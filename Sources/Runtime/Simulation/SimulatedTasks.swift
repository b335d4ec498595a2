// Tasks that only take places, in memory.

package import ChaosModel

extension SimulatedKernel: TaskPort {
    package func occupy(_ order: TaskOrder) async throws(KernelError) -> Int {
        try callWorld("occupy") { world throws(KernelError) in
            world.heldTasks[order.name] = order.count
            return order.count
        }
    }

    package func vacate(_ name: String) async throws(KernelError) {
        try callWorld("vacate") { world throws(KernelError) in world.heldTasks[name] = nil }
    }

    package func occupied(_ name: String) throws(KernelError) -> Int {
        try callWorld("occupied") { world throws(KernelError) in world.heldTasks[name] ?? 0 }
    }

    package func occupantsEnded(_ name: String) async -> String? { nil }

    package func hostPlaces() throws(KernelError) -> TaskPlaces {
        try callWorld("hostPlaces") { world throws(KernelError) in
            TaskPlaces(used: world.processes.count, limit: 32768)
        }
    }

    package func userPlaces(of process: ProcessIdentity) throws(KernelError) -> TaskPlaces {
        try callWorld("userPlaces") { world throws(KernelError) in
            guard world.processes[process.pid]?.startTime == process.startTime else {
                throw KernelError(.gone, "count tasks", "it has ended")
            }
            return TaskPlaces(used: 5 + world.heldTasks.values.reduce(0, +), limit: 50)
        }
    }
}
