import ChaosModel
import ChaosSteadyState
import TestSupport
import Testing

@Suite
struct `The tcp probe` {
    private func options(
        _ port: Int,
        _ more: [String: ParameterValue] = [:]
    ) -> [String: ParameterValue] {
        let base: [String: ParameterValue] = [
            "address": .string("127.0.0.1:\(port)"), "rate": "100/s", "timeout": "20s",
        ]
        return base.merging(more) { $1 }
    }

    @Test(.rounds)
    func `a listening port is healthy and connections are closed`() async throws {
        try await ScriptedServer.run({ _ in .hang }) { server, port in
            try await withSource("tcp", options(port)) { source in
                let seen = try await source.value { $0 == 0 }
                #expect(seen == 0)
                #expect(await comes { server.connections.withLock(\.self) >= 5 })
            }
            try await withSource("tcp", options(port, ["measure": "max"])) { source in
                let seen2 = try await source.value() ?? 99
                #expect(seen2 < 19, .ofFigure)
            }
        }
    }

    @Test
    func `a closed port is an error`() async throws {
        try await HeldPort.hold { port in
            try await withSource("tcp", options(port)) { source in
                let reading = try await source.reading { $0.number == 1 }
                #expect(reading.number == 1)
                #expect(reading.text.contains("connection refused"))
            }
        }
    }

    @Test
    func `no route and nobody there are errors within the time-out`() async throws {
        // TEST-NET-1 of RFC 5737: nobody answers, or there is no route.
        let nobody: [String: ParameterValue] = [
            "address": "192.0.2.1:9", "rate": "50/s", "timeout": "100ms",
        ]
        try await withSource("tcp", nobody) { source in
            let reading = try await source.reading { $0.number == 1 }
            #expect(reading.number == 1)
        }
    }
}
