// Faults of requests, through a worker of ours: the proxy, its listeners and the tables that redirect to them are all
// the worker's, so that they end together.

package import ChaosModel
import Synchronization

/// What the agent asks of the worker.
package enum RequestCall: Sendable, Codable {
    case begin(RequestFault)
    case count(RequestFault)
    case end(RequestFault)
}

/// What it answers.
package struct RequestReply: Sendable, Codable {
    /// To a question for a count; nil when the fault is not in force.
    package var count: RequestCount?

    /// Makes an answer.
    package init(count: RequestCount? = nil) { self.count = count }
}

/// Faults of requests on Linux.
package final class LinuxRequestFaults: RequestFaultPort {
    private typealias Client = WorkerClient<RequestCall, RequestReply>

    private let command: [String]
    private let client = Mutex<Client?>(nil)
    private let obstacle = Mutex<String??>(nil)

    /// Makes the port; `worker` is the program, with its arguments, that serves `RequestCall`s.
    package init(worker command: [String]) { self.command = command }

    package func redirectObstacle() throws(KernelError) -> String? {
        if let known = obstacle.withLock({ $0 }) { return known }
        let found = LinuxRedirects.obstacle()
        obstacle.withLock { $0 = .some(found) }
        return found
    }

    package func begin(_ fault: RequestFault) async throws(KernelError) {
        let client = try started()
        do throws(KernelError) {
            _ = try await client.ask(.begin(fault))
        } catch  where client.isGone {
            // It died before this, or of it; either way nothing of it is left.
            _ = try await started().ask(.begin(fault))
        }
    }

    package func count(_ fault: RequestFault) async throws(KernelError) -> RequestCount? {
        guard let client = running() else { return nil }
        do throws(KernelError) {
            return try await client.ask(.count(fault)).count
        } catch  where client.isGone {
            return nil
        }
    }

    package func end(_ fault: RequestFault) async throws(KernelError) {
        guard let client = running() else { return }
        do throws(KernelError) {
            _ = try await client.ask(.end(fault))
        } catch  where client.isGone {}
    }

    private func running() -> Client? {
        client.withLock { client in
            if client?.isGone == true { client = nil }
            return client
        }
    }

    private func started() throws(KernelError) -> Client {
        try client.withLock { client throws(KernelError) in
            if let client, !client.isGone { return client }
            let made = try Client(command, name: "the request worker")
            client = made
            return made
        }
    }
}
