// Name faults in memory: a resolver that always answers, and a tally of one name.

package import ChaosModel

extension SimulatedKernel: NameFaultPort {
    package func survey(_ place: NamePlace) async throws(KernelError) -> NameSurvey {
        try call("surveyNames") { state throws(KernelError) in
            let resolver = NetworkAddress("10.9.0.53").map { [SocketEnd($0, port: 53)] } ?? []
            return NameSurvey(
                place: place,
                resolvers: resolver,
                notes: state.world.nameCaches,
                redirectObstacle: state.engines.working.contains(.nftOwner) ? nil : "no nft"
            )
        }
    }

    package func begin(_ fault: NameFault) async throws(KernelError) {
        try call("beginNames") { state throws(KernelError) in
            state.world.names[fault.name] = fault
        }
    }

    package func lookup(_ fault: NameFault) async throws(KernelError) -> String? {
        try call("lookup") { state throws(KernelError) in "simulated" }
    }

    package func count(_ fault: NameFault) async throws(KernelError) -> NameCount? {
        try call("countNames") { state throws(KernelError) in
            guard state.world.names[fault.name] != nil else { return nil }
            var count = NameCount()
            (count.seen, count.matched, count.hit) = (4, 3, 2)
            count.names = [NameCount.Tally(name: "db.test", matched: 3, hit: 2)]
            return count
        }
    }

    package func endedEarly(_ fault: NameFault) async -> String? {
        await endedEarly { $0.names[fault.name] != nil }
    }

    package func end(_ fault: NameFault) async throws(KernelError) {
        try call("endNames") { state throws(KernelError) in state.world.names[fault.name] = nil }
    }
}
