import ChaosModel
import Testing

@testable import ChaosSteadyState

private let ms: Int64 = 1_000_000
private let second: Int64 = 1_000_000_000

@Suite
struct `The window of a probe` {
    private func window(_ measure: String, seconds: Int = 10) throws -> ProbeWindow {
        ProbeWindow(
            try #require(ProbeMeasure(measure)),
            window: .seconds(seconds),
            interval: 200 * ms,
            begin: 0
        )
    }

    @Test(arguments: ["error_rate", "rate", "mean", "p99", "max"])
    func `nothing answered is no data`(measure: String) throws {
        var window = try window(measure)
        #expect(window.reading(at: second) == .noData("no answer in the last 10s"))
    }

    @Test
    func `the error rate counts every kind of error and says which`() throws {
        var window = try window("error_rate")
        for index in 0..<6 { window.record(.good, latency: ms, at: Int64(index) * ms) }
        window.record(.bad("status 503"), latency: ms, at: 10 * ms)
        window.record(.bad("status 503"), latency: ms, at: 10 * ms)
        window.record(.timedOut, latency: second, at: 10 * ms)
        window.record(.failed("connection refused"), latency: 0, at: 10 * ms)
        let reading = window.reading(at: 20 * ms)
        #expect(reading.number == 0.4)
        #expect(
            reading.text
                == "4 of 10 failed: status 503 (2), connection refused (1), timed out (1)"
        )
    }

    @Test
    func `what is older than the window slides out`() throws {
        var window = try window("error_rate")
        window.record(.timedOut, latency: second, at: 0)
        for step in 1...20 { window.record(.good, latency: ms, at: Int64(step) * second) }
        #expect(window.reading(at: 20 * second).number == 0)
        #expect(window.reading(at: 31 * second) == .noData("no answer in the last 10s"))
    }

    @Test
    func `quantiles are within a hundredth of the exact ones`() throws {
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
            var window = try window(name)
            for latency in 1...10_000 {
                window.record(.good, latency: Int64(latency) * 10_000, at: 0)
            }
            let value = try #require(window.reading(at: 0).number)
            let exact = share * 0.1
            #expect(abs(value - exact) <= exact * 0.01, "\(name) is \(value), exact \(exact)")
        }
    }

    @Test
    func `a time-out counts with its latency and a refusal with none`() throws {
        var slow = try window("max")
        slow.record(.good, latency: 5 * ms, at: 0)
        slow.record(.timedOut, latency: second, at: 0)
        slow.record(.failed("connection refused"), latency: 0, at: 0)
        #expect(slow.reading(at: 0).number == 1)
        var refused = try window("p99")
        refused.record(.failed("connection refused"), latency: 0, at: 0)
        #expect(
            refused.reading(at: 0)
                == .noData("no answer in the last 10s: 1 of 1 failed: connection refused (1)")
        )
    }

    @Test
    func `the rate is right from the first answer on`() throws {
        var window = try window("rate")
        for index in 0..<200 {
            let now = Int64(index) * 200 * ms
            window.record(.good, latency: ms, at: now)
            let rate = try #require(window.reading(at: now).number)
            #expect(abs(rate - 5) < 0.6, "\(rate) after \(index + 1) answers")
        }
    }

    @Test
    func `the mean is exact`() throws {
        var window = try window("mean")
        for latency: Int64 in [1, 2, 3, 6] { window.record(.good, latency: latency * ms, at: 0) }
        #expect(window.reading(at: 0).number == 0.003)
    }

    @Test
    func `the kinds of reasons are bounded`() throws {
        var window = try window("error_rate")
        for index in 0..<1000 { window.record(.failed("reason \(index)"), latency: 0, at: 0) }
        #expect(window.reading(at: 0).text.contains("other (984)"))
    }

    @Test
    func `a late probe says so`() throws {
        var window = try window("error_rate")
        window.record(.good, latency: ms, at: 0)
        window.recordLateness(leftOut: 12, at: 0)
        #expect(window.reading(at: ms).text == "the probe itself was late and left out 12 requests")
        window.record(.good, latency: ms, at: 11 * second)
        #expect(window.reading(at: 11 * second).text.isEmpty)
    }
}

@Suite
struct `The schedule of a probe` {
    @Test
    func `requests are due at equal distances whatever happens to them`() {
        var schedule = ProbeSchedule(rate: 5, timeout: second, begin: 0)
        #expect(schedule.due(at: 0, waiting: 0).starts == [0])
        #expect(schedule.due(at: 199 * ms, waiting: 1).starts == [])
        #expect(schedule.due(at: 650 * ms, waiting: 1).starts == [200 * ms, 400 * ms, 600 * ms])
        #expect(schedule.next == 800 * ms)
    }

    @Test
    func `over the bound requests are refused and not forgotten`() {
        var schedule = ProbeSchedule(rate: 1000, timeout: 60 * second, begin: 0)
        let limit = ProbeSchedule.waitingLimit
        let due = schedule.due(at: 9 * ms, waiting: limit - 3)
        #expect(due.starts.count == 3)
        #expect(due.refused == 7)
        #expect(due.leftOut == 0)
    }

    @Test
    func `what we are too late for is left out`() {
        var schedule = ProbeSchedule(rate: 5, timeout: second, begin: 0)
        let due = schedule.due(at: 10 * second, waiting: 0)
        #expect(due.leftOut + due.starts.count == 51)
        #expect(due.starts.count <= 6)
        #expect(due.starts.allSatisfy { 10 * second - $0 <= second })
        #expect(due.refused == 0)
    }
}
