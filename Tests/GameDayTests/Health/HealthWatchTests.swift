// The health check between experiments, on a metric whose values are given.

import ChaosGameDay
import ChaosModel
import Synchronization
import TestSupport
import Testing

@Suite
struct HealthWatchTests {
    /// A source that gives these readings in turn, the last again and again.
    private final class Given: MetricSource {
        private let readings: Mutex<[Reading]>
        private let log: DayLog

        init(_ readings: [Reading], _ log: DayLog) {
            self.readings = Mutex(readings)
            self.log = log
        }

        func start() async { log.append("start") }
        func stop() async { log.append("stop") }

        func sample() async -> Reading {
            log.append("sample")
            return readings.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
        }
    }

    private let log = DayLog()

    private func watch(_ readings: [Reading]) -> HealthWatch {
        let p99 = MetricDefinition(
            name: "p99",
            source: "http",
            options: [:],
            unit: .seconds,
            healthy: .below(0.3)
        )
        return HealthWatch(
            SteadyStateDefinition(metrics: [p99], everyMs: 1),
            makeSource: { [log] _ throws(DefinitionError) in Given(readings, log) },
            time: SystemTime()
        )
    }

    @Test
    func `a system that recovers is waited for, and the source is stopped`() async {
        let slow = Reading.value(2, note: nil)
        let check = watch([slow, .noData("it timed out"), slow, .value(0.1, note: nil)])
        #expect(await check.awaitHealthy(within: .seconds(60)) == nil)
        #expect(log.all.first == "start" && log.all.last == "stop")
        #expect(log.all.count { $0 == "sample" } >= 4)
    }

    @Test(.rounds)
    func `one that does not recover is given its time and no more, and the reason says how it was`()
        async
    {
        let began = ContinuousClock.now
        let problem = await watch([.value(2, note: nil)]).awaitHealthy(within: .milliseconds(60))
        #expect(problem == "p99 is 2s, must be below 300ms, after 60ms")
        let took = began.duration(to: .now)
        #expect(took >= .milliseconds(60) && took < .seconds(5), .ofFigure("\(took)"))
        #expect(log.all.last == "stop")
    }

    @Test
    func `no data is not healthy`() async {
        let problem = await watch([.noData("it timed out")]).awaitHealthy(within: .milliseconds(5))
        #expect(problem == "p99 is no data (it timed out), must be below 300ms, after 5ms")
    }
}
