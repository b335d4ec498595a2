// Loads on Linux: one worker for each, so that one that is killed, or ended, takes no other along.

package import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Loads in workers.
package final class LinuxLoads: LoadPort {
    private let command: [String]
    private let held = Mutex<[String: RunningLoad]>([:])

    /// Makes the port; `worker` is the program, with its arguments, that runs `LoadWorker.serve`.
    package init(worker command: [String]) { self.command = command }

    package func processors(of process: ProcessIdentity?) throws(KernelError) -> [Int] {
        guard let process else {
            if let own = try ProcessorSet.allowed(for: getpid()) { return own }
            throw KernelError(.unsupported, "find processors", "/proc does not say Cpus_allowed")
        }
        guard let found = try ProcessorSet.allowed(for: process.pid),
            try LinuxProcesses().isThere(process)
        else {
            throw KernelError(
                .gone,
                "find the processors of process \(process.pid)",
                "it has ended"
            )
        }
        return found
    }

    package func memory() throws(KernelError) -> HostMemory { try HostMemory.read() }

    package func space(at path: String) throws(KernelError) -> FileSystemSpace {
        try FileSystemSpace.find(at: path)
    }

    package func begin(
        _ load: Load,
        as name: String,
        in groups: [ControlGroup]
    ) async throws(KernelError) {
        let running = RunningLoad(load, name: name, groups: groups, command: command)
        let isNew = held.withLock { held in
            guard held[name] == nil else { return false }
            held[name] = running
            return true
        }
        guard isNew else {
            throw KernelError(.failed, "begin \(name)", "a load of this name is there")
        }
        do throws(KernelError) {
            try await running.begin()
        } catch {
            await running.end()
            held.withLock { $0[name] = nil }
            throw error
        }
    }

    package func state(of name: String) async throws(KernelError) -> LoadState? {
        guard let running = held.withLock({ $0[name] }) else { return nil }
        return try await running.state()
    }

    package func endedEarly(_ name: String) async -> String? {
        guard let running = held.withLock({ $0[name] }) else { return nil }
        return await running.endedEarly()
    }

    package func end(_ name: String, _ load: Load) async throws(KernelError) {
        if let running = held.withLock({ $0[name] }) {
            await running.end()
            held.withLock { $0[name] = nil }
        }
        switch load {
        case .space(let load):
            try await OwnThread.value { () throws(KernelError) in
                try UnnamedFiles.removeLeft(by: name, in: load.folder, on: load.device)
                try UnnamedFiles.countFreed(in: load.folder, on: load.device)
            }
        case .transfer(let load):
            try UnnamedFiles.removeLeft(by: name, in: load.folder, on: load.device)
        case .processor, .memory: break
        }
    }

    /// The workers that run, for tests.
    var workers: [ProcessIdentity] {
        held.withLock { $0.values.compactMap(\.worker) }
    }
}
