// What is judged, and when: while the faults are on, as soon as it holds again, and whatever other sources do.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct SteadyStateTests {
    private static let hostile = "\(Moonquake.tree)/Tests/Fixtures/hostile.py"

    /// Starts the hostile server; its pages are below the URL that is returned.
    private func server(_ box: Sandbox) throws -> (program: Program, url: String) {
        let port = try box.freePorts(1)
        let program = try box.start(["python3", Self.hostile, "\(port)"])
        let url = "http://127.0.0.1:\(port)"
        let isUp = eventually {
            (try? box.tool("curl", "-s", "-m", "1", url + "/metrics")) == "up_now 1\n"
        }
        guard isUp else { throw SetUpError("no server: \(program.errors)") }
        return (program, url)
    }

    @Test
    func `a metric that dips only while the fault is on deviates, and the report says since when`()
        throws
    {
        try Sandbox.with { box in
            let (program, url) = try server(box)
            let file = try box.write(
                "dip.lua",
                """
                experiment "a dip" {
                  steady_state = { every = "200ms", warmup = "1s", recovery = "10s", metrics = {
                    errors = metric.http {
                      url = "\(url)/", rate = "20/s", timeout = "500ms", window = "1s", below = "20%" },
                  } },
                  run = function()
                    local pause = inject(fault.process.pause { target = target.process { pid = \(program.pid) } })
                    wait "1500ms"
                    rollback(pause)
                    wait "4s"
                    check_metric("errors < 20%")
                  end,
                }
                """
            )
            let run = try box.moonquake("run", file)
            #expect(run.code == 1, "\(run.errors)\(run.output)")
            let report = try box.lastReport()
            #expect(report.verdict == .deviated)
            #expect(report.checks.first?.held == true, "it was healthy again at the end")
            let fault = try #require(report.faults.first)
            let first = try #require(report.metrics.first?.firstViolationMs)
            #expect(first > fault.injectedMs && first < (fault.revertedMs ?? 0) + 1700)
            #expect(run.output.contains("first at "), "\(run.output)")
        }
    }

    @Test(.rounds)
    func
        `check_metric within a time returns when the condition holds, and records how long that took`()
        throws
    {
        try Sandbox.with { box in
            let flag = try box.write("flag", "0\n")
            let file = try box.write(
                "eventually.lua",
                """
                experiment "until it is steady" {
                  steady_state = { every = "100ms", metrics = {
                    flag = metric.command { run = { "/bin/cat", "\(flag)" } } } },
                  run = function()
                    inject(fault.noop { target = target.host {} })
                    log("waiting")
                    local seen = check_metric("flag == 1", { within = "10s" })
                    log("seen " .. tostring(seen.flag))
                  end,
                }
                """
            )
            let runner = try box.begin("run", file)
            #expect(eventually { runner.errors.contains("waiting") }, "\(runner.errors)")
            usleep(3_200_000)
            let new = try box.write("flag.new", "1\n")
            rename(new, flag)
            #expect(try runner.ended() == 0, "\(runner.errors)\(runner.output)")
            let check = try #require(try box.lastReport().checks.first)
            #expect(check.held == true && check.withinMs == 10_000)
            let took = try #require(check.tookMs)
            print("held after \(shown(took)); it was true after 3200 ms")
            #expect(took > 3100 && took < 4200, .ofFigure)
        }
    }

    @Test(.rounds)
    func `sources that hang, reset and flood cost bounded time and memory, and no other metric`()
        throws
    {
        try Sandbox.with { box in
            let (program, url) = try server(box)
            // Of its own, since the other is busy with a flood.
            let good = try server(box).url
            let ways = ["hang", "reset", "huge"]
            let metrics = ways.map { way in
                """
                p_\(way) = metric.prometheus { server = "\(url)/\(way)", query = "up", timeout = "1s", no_data = "ignore" },
                s_\(way) = metric.scrape { url = "\(url)/\(way)", name = "up_now", timeout = "1s", no_data = "ignore" },
                h_\(way) = metric.http { url = "\(url)/\(way)", rate = "5/s", window = "2s", no_data = "ignore" },
                """
            }
            let file = try box.write(
                "hostile.lua",
                """
                experiment "bad company" {
                  steady_state = { every = "500ms", warmup = "500ms", metrics = {
                    \(metrics.joined(separator: "\n"))
                    alive = metric.process { target = target.process { pid = \(program.pid) }, measure = "alive", equals = 1 },
                    good = metric.scrape { url = "\(good)/metrics", name = "up_now", equals = 1 },
                  } },
                  run = function()
                    inject(fault.noop { target = target.host {} })
                    wait "6s"
                  end,
                }
                """
            )
            let start = ContinuousClock.now
            let runner = try box.begin("run", file)
            var peak = 0
            while runner.exitCode == nil, ContinuousClock.now - start < .seconds(60) {
                peak = max(peak, Proc.peakKiB(of: runner.pid) ?? 0)
                usleep(20_000)
            }
            let took = (ContinuousClock.now - start).milliseconds
            print("hostile sources: \(shown(took)), at most \(peak / 1024) MiB resident")
            #expect(runner.exitCode == 0, "\(runner.errors)\(runner.output)")
            #expect(took < 12_000, .ofFigure)
            #expect(peak > 0 && peak < 192 << 10, "\(peak) KiB")
            let report = try box.lastReport()
            let reasons = [
                "hang": "no answer within 1s", "reset": "connection reset",
                "huge": "the answer is longer than 8MiB",
            ]
            for metric in report.metrics {
                let values = metric.samples.filter { $0.value != nil }
                switch metric.name.prefix(2) {
                case "p_", "s_":
                    let way = String(metric.name.dropFirst(2))
                    #expect(values.isEmpty && !metric.samples.isEmpty, "\(metric.name)")
                    #expect(metric.samples.last?.note == reasons[way], "\(metric.name)")
                case "h_": #expect(!values.isEmpty, "a probe's errors are its data")
                default:
                    // Twelve are due while the fault is on.
                    #expect(metric.during.count >= 10 && metric.during.noData == 0, "\(metric)")
                }
            }
        }
    }

    @Test(.rounds, arguments: ["prometheus", "scrape", "process", "tcp"])
    func `two hundred metrics are evaluated each second, for a part of a core`(_ kind: String)
        throws
    {
        try Sandbox.with { box in
            let checkout = try Checkout(in: box)
            let metric =
                switch kind {
                case "prometheus":
                    "metric.prometheus { server = \"\(checkout.server)\", query = \"checkout_asked_total + \" .. i, below = 1e9 }"
                case "scrape":
                    "metric.scrape { url = \"http://127.0.0.1:\(checkout.port)/metrics\", name = \"checkout_stock_seconds\", below = 10 }"
                case "process":
                    "metric.process { target = target.process { pid = \(checkout.stock.pid) }, measure = \"rss\", below = \"1GiB\" }"
                default:
                    "metric.tcp { address = \"127.0.0.1:\(checkout.port)\", rate = \"1/s\", below = \"50%\" }"
                }
            let file = try box.write(
                "many.lua",
                """
                local metrics = {}
                for i = 1, 200 do metrics["m" .. i] = \(metric) end
                experiment "many metrics" {
                  steady_state = { every = "1s", warmup = "2s", metrics = metrics },
                  run = function()
                    inject(fault.noop { target = target.host {} })
                    log("on")
                    wait "8s"
                  end,
                }
                """
            )
            let runner = try box.begin("run", file)
            let isOn = eventually(within: .seconds(60)) {
                runner.errors.contains("script: on") || runner.exitCode != nil
            }
            try #require(isOn && runner.exitCode == nil, "\(runner.errors)\(runner.output)")
            let before = try #require(Proc.processorSeconds(of: runner.pid))
            usleep(6_000_000)
            let used = try #require(Proc.processorSeconds(of: runner.pid)) - before
            print("200 \(kind) metrics: \((used / 6 * 1000).rounded() / 10) % of a core")
            #expect(try runner.ended() == 0, "\(runner.errors)\(runner.output)")
            let report = try box.lastReport()
            #expect(report.metrics.count == 200)
            for metric in report.metrics {
                let times = metric.samples.map(\.atMs)
                let longest = zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? .infinity
                // One sample may be left out, on a machine that has other things to do; `make bench` allows half a second.
                #expect(longest < 3000, .ofFigure("\(metric.name): \(times)"))
                #expect(metric.during.count >= 7, "\(metric.name)")
            }
            #expect(used / 6 < Self.mostOfCore, .ofFigure)
        }
    }

    /// A release build needs a fraction of this (`make bench`).
    private static let mostOfCore = 0.9
}
