// Request faults in memory, with counts that a test sets.

package import ChaosModel

extension SimulatedKernel: RequestFaultPort {
    package func survey(_ namespace: NetworkNamespace) throws(KernelError) -> RequestSurvey {
        try call("surveyRequests") { state throws(KernelError) in
            var survey = state.world.requestSurvey
            survey.redirectObstacle = state.engines.working.contains(.nftOwner) ? nil : "no nft"
            return survey
        }
    }

    package func speakTLS(
        _ ends: [SocketEnd],
        in namespace: NetworkNamespace,
        within limit: Duration
    ) async throws(KernelError) -> [SocketEnd] {
        try call("speakTLS") { state throws(KernelError) in
            ends.filter(state.world.speakersOfTLS.contains)
        }
    }

    package func endedEarly(_ fault: RequestFault) async -> String? {
        await endedEarly { $0.requests[fault.rule.name] != nil }
    }

    package func begin(_ fault: RequestFault) async throws(KernelError) {
        try call("beginRequests") { state throws(KernelError) in
            state.world.requests[fault.rule.name] = fault
        }
    }

    package func count(_ fault: RequestFault) async throws(KernelError) -> RequestCount? {
        try call("countRequests") { state throws(KernelError) in
            guard state.world.requests[fault.rule.name] != nil, state.world.endedWorkers == nil
            else { return nil }
            return state.world.requestCount
        }
    }

    package func end(_ fault: RequestFault) async throws(KernelError) {
        try call("endRequests") { state throws(KernelError) in
            state.world.requests[fault.rule.name] = nil
        }
    }
}
