// `moonquake worker`: processes that the agent starts for faults that need one. They speak JSON lines with it and
// end with it.

import ArgumentParser
import ChaosLinux
import ChaosModel

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Serves faults that need a process of their own; started by the agent.",
        shouldDisplay: false,
        subcommands: [QueueCommand.self]
    )

    struct QueueCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "queue",
            abstract: "Delays, loses and changes packets that the kernel queues.",
            shouldDisplay: false
        )

        func run() async throws {
            do throws(KernelError) {
                try await QueueWorker.serve()
            } catch {
                throw CommandFailure(.unavailable, "the packet worker: \(error)")
            }
        }
    }
}
