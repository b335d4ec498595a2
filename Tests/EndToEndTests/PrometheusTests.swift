// A real Prometheus that scrapes a real service each second: when the service degrades the run is aborted, every time;
// when Prometheus is away, that is told; and what it could never show is refused.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct PrometheusTests {
    /// How often the abort is repeated: three times, or what `MOONQUAKE_REPETITIONS` says.
    private static let repetitions =
        getenv("MOONQUAKE_REPETITIONS").flatMap { Int(String(cString: $0)) } ?? 3

    private func script(
        _ checkout: Checkout,
        _ thresholds: String = "below = \"50ms\", abort_above = \"90ms\"",
        duration: String = "20s"
    ) -> String {
        """
        experiment "the checkout survives a stuck stock" {
          steady_state = { every = "500ms", warmup = "500ms", recovery = "20s", metrics = {
            stock = metric.prometheus {
              server = "\(checkout.server)", query = [[max(checkout_stock_seconds{job="checkout"})]], \(thresholds) },
          } },
          blast_radius = { targets = 1, max_duration = "30s" },
          faults = { fault.process.pause { target = target.process { pid = \(checkout.stock.pid) } } },
          duration = "\(duration)",
        }
        """
    }

    @Test(.rounds)
    func `a service that degrades in the eyes of Prometheus is freed, every time`() throws {
        try Sandbox.with { box in
            let checkout = try Checkout(in: box)
            let file = try box.write("stuck.lua", script(checkout))
            var delays: [Double] = []
            for number in 1...Self.repetitions {
                let run = try box.moonquake("run", file)
                let said = "run \(number): \(run.errors)\(run.output)"
                #expect(run.code == 3, "\(said)")
                #expect(Proc.state(of: checkout.stock.pid) != "T", "\(said)")
                let report = try box.lastReport()
                #expect(report.status == .aborted && report.restoration == .restored, "\(said)")
                let abort = try #require(report.abort, "\(said)")
                #expect(abort.cause == .threshold && abort.metric == "stock", "\(said)")
                #expect(abort.sample?.value ?? 0 > 0.09, "\(said)")
                let fault = try #require(report.faults.first)
                #expect(fault.outcome == .reverted && fault.revertTookMs != nil, "\(said)")
                // The service is late after 100 ms, Prometheus looks each second, and so long may an abort be late.
                let delay = abort.atMs - fault.injectedMs
                let worst = try #require(report.worstAbortLagMs)
                #expect(worst == 1500, "the scrape interval was read from Prometheus")
                #expect(delay < worst + 500, .ofFigure("\(said)"))
                #expect(abort.tookMs < 500, .ofFigure("\(said)"))
                #expect(report.recoveredAfterMs != nil, "\(said)")
                delays.append(delay)
            }
            let slowest = shown(delays.max())
            print(
                "\(delays.count) of \(Self.repetitions) aborted, at most \(slowest) after the fault"
            )
        }
    }

    @Test
    func `a false baseline injects nothing and names metric, value and threshold`() throws {
        try Sandbox.with { box in
            let checkout = try Checkout(in: box)
            let file = try box.write("never.lua", script(checkout, "above = \"50ms\""))
            let runner = try box.begin("run", file)
            var wasPaused = false
            while runner.exitCode == nil {
                wasPaused = wasPaused || Proc.state(of: checkout.stock.pid) == "T"
                usleep(1000)
            }
            #expect(runner.exitCode == 5, "\(runner.errors)\(runner.output)")
            #expect(!wasPaused)
            let reason = try #require(try box.lastReport().reasons.first)
            #expect(
                reason.contains(
                    /the baseline is not healthy: stock is 0\.0\d*, must be above 0\.05; nothing was injected/
                ),
                "\(reason)"
            )
            #expect(runner.output.contains(reason))
            #expect(try box.lastReport().faults.isEmpty)
            #expect(box.openJournals().isEmpty)
        }
    }

    @Test
    func `faults that are on for less than two scrapes are refused, the interval read or declared`()
        throws
    {
        try Sandbox.with { box in
            let checkout = try Checkout(in: box)
            let read = try box.write("short.lua", script(checkout, duration: "1s"))
            let run = try box.moonquake("run", read)
            #expect(run.code == 2, "\(run.errors)")
            #expect(
                run.output.contains(
                    "the faults are on for 1s, and stock is scraped every 1s: what they do may never be seen; "
                        + "keep them on for at least 2s"
                ),
                "\(run.output)"
            )
            let declared = try box.write(
                "declared.lua",
                script(checkout, "below = 1, scrape_interval = \"15s\"", duration: "5s")
            )
            let check = try box.moonquake("check", declared)
            #expect(check.code == 2)
            #expect(check.errors.contains("keep them on for at least 30s"), "\(check.errors)")
            #expect(Proc.state(of: checkout.stock.pid) == "S")
        }
    }

    @Test
    func `the Prometheus that a run is judged by is never its target`() throws {
        try Sandbox.with { box in
            let checkout = try Checkout(in: box)
            let judge = checkout.prometheus.pid
            let port = try #require(checkout.server.split(separator: ":").last)
            let refusals = [
                "pid = \(judge)": "process \(judge) is protected: it is the metric source of stock",
                "port = \(port)": "matches only what is protected",
            ]
            for (selector, reason) in refusals {
                let text = script(checkout).replacing("pid = \(checkout.stock.pid)", with: selector)
                let run = try box.moonquake("run", try box.write("judge.lua", text))
                #expect(run.code == 2, "\(run.errors)\(run.output)")
                #expect(run.output.contains(reason), "\(run.output)")
                #expect(Proc.state(of: judge) != "T")
            }
        }
    }

    @Test
    func `a Prometheus that goes away is no data, which ends the run as configured`() throws {
        let expected: [(rule: String, code: Int32, said: String)] = [
            ("unhealthy", 1, "stock has no data (connection refused)"),
            ("abort", 3, "stock has no data (connection refused), and no_data is \"abort\""),
            ("ignore", 7, "samples while faults were on (connection refused)"),
        ]
        try Sandbox.with { box in
            var checkout = try Checkout(in: box)
            for (index, (rule, code, said)) in expected.enumerated() {
                if index > 0 { try checkout.restartPrometheus() }
                let options = "below = 10, no_data = \"\(rule)\""
                let file = try box.write(
                    "\(rule).lua",
                    script(checkout, options, duration: "5s").replacing("20s", with: "1s")
                )
                let runner = try box.begin("run", file)
                try box.injected(1, by: runner)
                checkout.prometheus.signal(SIGKILL)
                #expect(try runner.ended() == code, "\(rule): \(runner.errors)\(runner.output)")
                #expect(runner.output.contains(said), "\(rule): \(runner.output)")
                #expect(try box.lastReport().restoration == .restored)
                #expect(Proc.state(of: checkout.stock.pid) != "T")
            }
        }
    }
}
