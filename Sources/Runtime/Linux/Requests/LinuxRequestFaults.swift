// Faults of requests, through a worker of ours: the proxy, its listeners and the tables that redirect to them are all
// the worker's, so that they end together.

package import ChaosModel
import ChaosThreads

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
    private let proxy: FaultCarrier<RequestCall, RequestReply>

    /// Makes the port; `worker` is the program, with its arguments, that serves `RequestCall`s.
    package init(worker command: [String]) {
        proxy = FaultCarrier(command, name: "the request worker")
    }

    package func survey(_ namespace: NetworkNamespace) throws(KernelError) -> RequestSurvey {
        try RequestSurveyor.survey(namespace)
    }

    package func speakTLS(
        _ ends: [SocketEnd],
        in namespace: NetworkNamespace,
        within limit: Duration
    ) async throws(KernelError) -> [SocketEnd] {
        try await OwnThread.value { () throws(KernelError) in
            try TLSProbe.speakers(of: ends, in: namespace, within: limit)
        }
    }

    package func begin(_ fault: RequestFault) async throws(KernelError) {
        try await proxy.begin(fault.rule.name, .begin(fault))
    }

    package func count(_ fault: RequestFault) async throws(KernelError) -> RequestCount? {
        try await proxy.ask(.count(fault))?.count
    }

    package func endedEarly(_ fault: RequestFault) async -> String? {
        await proxy.endedEarly(fault.rule.name)
    }

    package func end(_ fault: RequestFault) async throws(KernelError) {
        try await proxy.end(fault.rule.name, .end(fault))
    }
}
