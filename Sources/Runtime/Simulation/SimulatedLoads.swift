// Loads in memory: two processors, 16 GiB, a root file system and another one wherever the world has a disk.

package import ChaosModel

extension SimulatedKernel: LoadPort {
    package func processors(of process: ProcessIdentity?) throws(KernelError) -> [Int] {
        try callWorld("processors") { _ throws(KernelError) in [0, 1] }
    }

    package func memory() throws(KernelError) -> HostMemory {
        try callWorld("memory") { _ throws(KernelError) in
            HostMemory(total: 16 << 30, available: 12 << 30)
        }
    }

    package func space(at path: String) throws(KernelError) -> FileSystemSpace {
        try callWorld("space") { world throws(KernelError) in
            let isOfItsOwn = world.disks.contains { path == $0 || path.hasPrefix("\($0)/") }
            return FileSystemSpace(
                folder: path,
                device: isOfItsOwn ? 2 : 1,
                kind: "ext4",
                block: 4096,
                used: 2 << 30,
                available: 8 << 30,
                disk: "254:16"
            )
        }
    }

    package func begin(
        _ load: Load,
        as name: String,
        in groups: [ControlGroup]
    ) async throws(KernelError) {
        try callWorld("beginLoad") { world throws(KernelError) in
            guard world.loads[name] == nil else {
                throw KernelError(.failed, "begin \(name)", "a load of this name is there")
            }
            world.loads[name] = load
        }
    }

    package func state(of name: String) async throws(KernelError) -> LoadState? {
        try callWorld("loadState") { world throws(KernelError) in
            if let end = world.endedLoads[name] {
                throw KernelError(.gone, "measure \(name)", end)
            }
            guard world.loads[name] != nil else { return nil }
            return LoadState("holds it", figures: [Figure("asked", 1), Figure("measured", 1)])
        }
    }

    package func endedEarly(_ name: String) async -> String? {
        await first { world in
            if let end = world.endedLoads[name] { return .some(end) }
            return world.loads[name] == nil ? .some(nil) : nil
        } ?? nil
    }

    package func end(_ name: String, _ load: Load) async throws(KernelError) {
        try callWorld("endLoad") { world throws(KernelError) in
            world.loads[name] = nil
            world.endedLoads[name] = nil
        }
    }
}
