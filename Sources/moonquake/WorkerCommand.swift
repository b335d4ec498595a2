// `moonquake worker KIND`: processes that the agent starts for faults that need one. They speak JSON lines with it
// and end with it. A new kind is one line in the list.

import ArgumentParser
import ChaosLinux
import ChaosModel

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Serves faults that need a process of their own; started by the agent.",
        shouldDisplay: false
    )

    /// The kinds of workers.
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        /// Delays, loses and changes packets that the kernel queues.
        case queue
        /// Relays HTTP and gRPC, and does to requests what faults say.
        case requests
        /// Answers DNS queries, or passes them on.
        case resolver
        /// Looks names up from inside a target.
        case lookup
        /// Holds processor time, memory, space or transfers.
        case load

        /// The command that starts one.
        var command: [String] { [OwnProgram.path, "worker", rawValue] }

        fileprivate func serve() async throws(KernelError) {
            switch self {
            case .queue: try await QueueWorker.serve()
            case .requests: try await RequestWorker.serve()
            case .resolver: try await NameWorker.serve()
            case .lookup: try await NameLookup.serve()
            case .load: try await LoadWorker.serve()
            }
        }
    }

    @Argument(help: "What it does.")
    var kind: Kind

    func run() async throws {
        do throws(KernelError) {
            try await kind.serve()
        } catch {
            throw CommandFailure(.unavailable, "the \(kind.rawValue) worker: \(error)")
        }
    }
}
