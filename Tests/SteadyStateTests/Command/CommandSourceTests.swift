import ChaosModel
import ChaosSteadyState
import FoundationEssentials
import TestSupport
import Testing

@Suite
struct `The command source` {
    private func reading(
        _ run: [String],
        _ more: [String: ParameterValue] = [:]
    ) async throws -> Reading {
        let base: [String: ParameterValue] = ["run": .list(run.map { .string($0) })]
        return try await withSource("command", base.merging(more) { $1 }) { await $0.sample() }
    }

    private func shell(
        _ script: String,
        _ more: [String: ParameterValue] = [:]
    ) async throws -> Reading {
        try await reading(["/bin/sh", "-c", script], more)
    }

    @Test(arguments: [("10.234", 10.234), ("7\n", 7), ("  -1e3 \n\n", -1000)])
    func `the number that it prints is the value`(text: String, value: Double) async throws {
        let seen = try await reading(["/usr/bin/printf", "%s", text])
        #expect(seen == .value(value))
    }

    @Test
    func `a number out of the wanted span is not made to fit`() throws {
        // The span is compared with the number, never with the exit status.
        let metric = try MetricCatalogue().definition(
            name: "m",
            source: "command",
            options: ["run": ["x"], "between": [0, 1]]
        )
        #expect(metric.healthy?.admits(10.234) == false)
    }

    @Test
    func `the exit status is a measure of its own`() async throws {
        let more: [String: ParameterValue] = ["measure": "exit_status"]
        let seen2 = try await shell("echo 10; exit 3", more)
        #expect(seen2 == .value(3))
        let seen3 = try await shell("true", more)
        #expect(seen3 == .value(0))
    }

    @Test(arguments: [
        ("echo 1 2", "must print exactly one number, got \"1 2\""),
        ("echo 250ms", "must print exactly one number, got \"250ms\""),
        ("echo nan", "must print exactly one number, got \"nan\""),
        ("true", "must print exactly one number, got \"\""),
        ("echo 5; echo broken >&2; exit 3", "exited with 3: broken"),
        ("kill -9 $$", "ended by"),
    ])
    func `anything else is no data with the text`(script: String, reason: String) async throws {
        let reading = try await shell(script)
        #expect(reading.number == nil)
        #expect(reading.text.hasPrefix("\"/bin/sh\" \(reason)"), "\(reading)")
    }

    @Test
    func `arguments are passed as they are`() async throws {
        let text = "; echo 5 $(id) `id` \"'"
        let reading = try await reading(["/usr/bin/printf", "%s", text])
        #expect(reading.text.contains("; echo 5 $(id)"))
    }

    @Test
    func `a program that is not there is no data`() async throws {
        #expect(
            try await reading(["moonquake-nobody"])
                == .noData("there is no program \"moonquake-nobody\"")
        )
        let absolute = try await reading(["/nowhere/x"])
        #expect(absolute.number == nil)
    }

    @Test
    func `a program is found on the path`() async throws {
        let seen4 = try await reading(["printf", "4"])
        #expect(seen4 == .value(4))
    }

    @Test(.rounds)
    func `at the time-out it is killed with its children`() async throws {
        try await withFolder { folder in
            let script = "sleep 300 & echo $! > \(folder)/pid; sleep 300"
            let begin = ContinuousClock.now
            let reading = try await shell(script, ["timeout": "500ms"])
            #expect(reading == .noData("\"/bin/sh\" was killed after 500ms"))
            #expect(ContinuousClock.now - begin < .seconds(5), .ofFigure)
            let data = try Data(contentsOf: URL(filePath: folder + "/pid"))
            let pid = String(decoding: data, as: UTF8.self).filter(\.isNumber)
            #expect(await comes { !isAlive(pid) })
        }
    }

    @Test
    func `a program that closes its output and goes on is killed as well`() async throws {
        let reading = try await shell("exec >&- 2>&-; sleep 300", ["timeout": "300ms"])
        #expect(reading == .noData("\"/bin/sh\" was killed after 300ms"))
    }

    @Test(.rounds)
    func `children end with the program, also one that keeps the output open`() async throws {
        try await withFolder { folder in
            for output in ["", ">/dev/null 2>&1"] {
                let script = "sleep 300 \(output) & echo $! > \(folder)/pid; echo 5"
                let begin = ContinuousClock.now
                let reading = try await shell(script, ["timeout": "1s"])
                #expect(ContinuousClock.now - begin < .seconds(10), .ofFigure)
                let killed = Reading.noData("\"/bin/sh\" was killed after 1s")
                #expect(reading == .value(5) || reading == killed)
                let data = try Data(contentsOf: URL(filePath: folder + "/pid"))
                let pid = String(decoding: data, as: UTF8.self).filter(\.isNumber)
                #expect(await comes { !isAlive(pid) })
            }
        }
    }

    @Test
    func `a program that goes on after its output is waited for`() async throws {
        let script = "exec >&- 2>&-; sleep 0.2; exit 3"
        let seen = try await shell(script, ["measure": "exit_status"])
        #expect(seen == .value(3))
    }

    @Test(.rounds)
    func `endless output is cut`() async throws {
        let begin = ContinuousClock.now
        let reading = try await reading(["/usr/bin/yes"], ["timeout": "10s"])
        #expect(reading == .noData("\"/usr/bin/yes\" printed more than 64KiB and was killed"))
        #expect(ContinuousClock.now - begin < .seconds(5), .ofFigure)
    }

    @Test
    func `short programs never lose their output`() async throws {
        for index in 0..<50 {
            let seen5 = try await reading(["/bin/echo", "\(index)"])
            #expect(seen5 == .value(Double(index)))
        }
    }

    /// A zombie whose parent died is reaped by whoever adopted it, sooner or later.
    private func isAlive(_ pid: String) -> Bool {
        guard let data = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/stat")) else {
            return false
        }
        return !String(decoding: data, as: UTF8.self).contains(") Z ")
    }
}

@Suite
struct `The lua source` {
    @Test
    func `the function of the metric is asked`() async throws {
        let context = SourceContext.stub(evaluateLua: { .value(4, note: $0) })
        try await withSource("lua", [:], in: context) { source in
            #expect(await source.sample() == .value(4, note: "m"))
        }
    }

    @Test
    func `NaN is no data`() async throws {
        let context = SourceContext.stub(evaluateLua: { _ in .value(.nan) })
        try await withSource("lua", [:], in: context) { source in
            #expect(await source.sample() == .noData("the value is NaN"))
        }
    }
}
