// What watching costs: the thread that decides on an abort must not wait for a metric.

import ChaosModel
import ChaosSteadyState
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct `The cost of sampling` {
    @Test(.rounds)
    func `fifty probes sampled ten times a second cost little`() async throws {
        try await ScriptedServer.run({ _ in .http("200 OK", "ok") }) { _, port in
            let sources = try await started(50, port: port)
            let begin = (ContinuousClock.now, processorSeconds())
            var slowest = Duration.zero
            var total = Duration.zero
            for _ in 0..<20 {
                for source in sources {
                    let before = ContinuousClock.now
                    _ = await source.sample()
                    let took = ContinuousClock.now - before
                    slowest = max(slowest, took)
                    total += took
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            let wall = (ContinuousClock.now - begin.0).inSeconds
            let share = (processorSeconds() - begin.1) / wall
            for source in sources { await source.stop() }
            let mean = (total / 1000).spelled
            print(
                "FIGURE: 50 probes at 5/s with the server, sampled 10/s: "
                    + "\((share * 100).rounded())% of a core; a sample takes \(mean) on average, "
                    + "\(slowest.spelled) at worst"
            )
            // Generous, since other tests run beside this one.
            #expect(total / 1000 < .milliseconds(5), .ofFigure)
        }
    }

    private func started(_ count: Int, port: Int) async throws -> [any MetricSource] {
        let catalogue = MetricCatalogue()
        var sources: [any MetricSource] = []
        for index in 0..<count {
            let definition = try catalogue.definition(
                name: "m\(index)",
                source: "http",
                options: ["url": .string("http://127.0.0.1:\(port)/"), "measure": "p99"]
            )
            let source = try catalogue.source(for: definition, in: .stub())
            await source.start()
            sources.append(source)
        }
        return sources
    }

    private func processorSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let times = [usage.ru_utime, usage.ru_stime]
        return times.map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }.reduce(0, +)
    }
}
