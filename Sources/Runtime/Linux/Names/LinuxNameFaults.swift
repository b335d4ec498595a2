// Faults of name resolution on Linux: the agent's side. The responder is a worker, started when it is first needed, that
// owns listeners and redirects, so that both end with it; edits of files are the agent's, and the journal's to undo.

package import ChaosModel

/// Faults of name resolution.
package final class LinuxNameFaults: NameFaultPort {
    /// How long a lookup may take; the library itself waits for much longer.
    private static let patience = Duration.seconds(3)

    private let responder: FaultCarrier<NameCall, NameReply>
    private let lookupCommand: [String]
    private let packets = LinuxPacketFilter()
    private let edits = NameFileEdits()

    /// Makes the port; the commands start the worker that answers queries and the one that looks names up.
    package init(responder: [String], lookup: [String]) {
        self.responder = FaultCarrier(responder, name: "the DNS responder")
        lookupCommand = lookup
    }

    package func survey(_ place: NamePlace) async throws(KernelError) -> NameSurvey {
        var survey = try NameSurveyor.survey(place)
        survey.redirectObstacle = LinuxRedirects.obstacle
        return survey
    }

    package func begin(_ fault: NameFault) async throws(KernelError) {
        if fault.method != .hosts { try await responder.begin(fault.name, .begin(fault)) }
        try edits.make(fault)
    }

    package func lookup(_ fault: NameFault) async throws(KernelError) -> String? {
        guard fault.groups.isEmpty else { return nil }
        if fault.method == .hosts { return try await lookupGiven(fault) }
        let name = "\(fault.name.replacing("_", with: "-")).invalid"
        _ = try await responder.ask(.expect(fault, name: name))
        let answer = try await ask("\(name).", fault)
        let wasAsked = try await responder.ask(.wasAsked(fault, name: name))?.wasAsked == true
        guard wasAsked else {
            let reason =
                answer.problem ?? answer.addresses ?? "no answer within \(Self.patience.spelled)"
            return "but getaddrinfo from inside the target does not come to the fault (\(reason))"
        }
        return "getaddrinfo from inside the target comes to the fault"
    }

    package func count(_ fault: NameFault) async throws(KernelError) -> NameCount? {
        if fault.method != .redirect {
            guard try edits.isMade(fault) else { return nil }
            guard fault.method != .hosts else { return NameCount() }
            return try await responder.ask(.count(fault))?.count ?? NameCount()
        }
        if let reply = try await responder.ask(.count(fault)) { return reply.count }
        do throws(KernelError) {
            let table = try packets.count(fault.name, with: .nft, in: fault.place.namespace)
            return table.map { _ in NameCount() }
        } catch  where error.kind == .gone {
            return nil
        }
    }

    package func endedEarly(_ fault: NameFault) async -> String? {
        await responder.endedEarly(fault.name)
    }

    package func end(_ fault: NameFault) async throws(KernelError) {
        try edits.undo(fault)
        if fault.method != .hosts { try await responder.end(fault.name, .end(fault)) }
    }

    /// Looks up a name that a file gives.
    private func lookupGiven(_ fault: NameFault) async throws(KernelError) -> String? {
        guard let name = fault.rule.exactNames.first, case .spoof(let list, _) = fault.rule.action
        else { return nil }
        let answer = try await ask(name, fault)
        let found = Set(
            (answer.addresses ?? "").split(separator: " ").compactMap { NetworkAddress(String($0)) }
        )
        guard !found.isEmpty, found == Set(list) else {
            let reason = answer.addresses ?? answer.problem ?? "no answer"
            return "but getaddrinfo from inside the target gives \(reason) for \(name)"
        }
        return "getaddrinfo from inside the target gives \(answer.addresses ?? "") for \(name)"
    }

    /// Asks a process of its own, which is ended when it takes too long.
    private func ask(_ name: String, _ fault: NameFault) async throws(KernelError) -> LookupReply {
        let worker = try WorkerClient<LookupCall, LookupReply>(
            lookupCommand,
            name: "the lookup worker"
        )
        let limit = Task {
            try await Task.sleep(for: Self.patience)
            worker.kill()
        }
        defer {
            limit.cancel()
            worker.kill()
        }
        do throws(KernelError) {
            return try await worker.ask(
                LookupCall(place: fault.place, user: fault.users.first, name: name)
            )
        } catch  where worker.isGone {
            return LookupReply()
        }
    }
}
