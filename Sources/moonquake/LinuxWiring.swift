// The real machine, put together.

import ChaosContainers
import ChaosEngine
import ChaosLinux
import ChaosModel
import Glibc

extension Kernel {
    /// This machine.
    static let linux = Kernel(
        processes: LinuxProcesses(),
        groups: LinuxControlGroups(),
        loads: LinuxLoads(worker: WorkerCommand.Kind.load.command),
        packets: LinuxPacketFilter(),
        shaping: LinuxTrafficShaper(worker: WorkerCommand.Kind.queue.command),
        requests: LinuxRequestFaults(worker: WorkerCommand.Kind.requests.command),
        names: LinuxNameFaults(
            responder: WorkerCommand.Kind.resolver.command,
            lookup: WorkerCommand.Kind.lookup.command
        ),
        network: LinuxNetwork(),
        host: LinuxHost(),
        time: LinuxTime(),
        containers: DockerEngines(),
        tasks: LinuxTasks(),
        clocks: LinuxClocks(),
        state: LinuxState()
    )
}

extension LineProcess: AgentChannel {}

/// Starts agents as child processes of this one.
struct AgentLaunch: Sendable {
    /// Where the agent keeps its journal.
    var stateDirectory: String
    /// Whether it is started through sudo, because this process lacks the rights that faults need.
    var throughSudo: Bool

    /// Starts an agent.
    func callAsFunction() throws(AgentFailure) -> any AgentChannel {
        let program = OwnProgram.path
        let agent = [program, "agent", "--state-dir", stateDirectory]
        let arguments = throughSudo ? ["sudo", "-n", "--"] + agent : agent
        do throws(KernelError) {
            return try LineProcess(
                throughSudo ? "/usr/bin/sudo" : program,
                arguments,
                errorOutput: STDERR_FILENO
            )
        } catch {
            throw AgentFailure(.unavailable, "the agent could not be started: \(error)")
        }
    }
}

/// This program's file.
enum OwnProgram {
    /// Its path, also when it was found through PATH or replaced meanwhile.
    static let path: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "/proc/self/exe" }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.hasSuffix(" (deleted)") ? "/proc/self/exe" : path
    }()
}
