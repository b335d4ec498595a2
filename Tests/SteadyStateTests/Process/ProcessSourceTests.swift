import ChaosModel
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import ChaosSteadyState

@Suite
struct `The process source` {
    private let nginx = TargetSelector(kind: .process, options: ["name": "nginx"])

    private func identity(_ pid: Int32) throws -> ProcessIdentity {
        let stat = try #require(ProcessStat(parsing: try text("/proc/\(pid)/stat")))
        return ProcessIdentity(pid: pid, startTime: stat.startTime)
    }

    private func text(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 4096)
        let count = fread(&line, 1, 4096, file)
        return String(decoding: line.prefix(count), as: UTF8.self)
    }

    private func measure(
        _ measure: String,
        of processes: [ProcessIdentity],
        _ body: (any MetricSource) async throws -> Void
    ) async throws {
        let context = SourceContext.stub(resolve: { _ in processes })
        try await withSource(
            "process",
            ["measure": .string(measure)],
            target: nginx,
            in: context,
            body
        )
    }

    @Test
    func `a name with blanks and brackets does not shift the fields`() throws {
        let line =
            "7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 250 50 0 0 20 0 1 0 8765 0 0 18446744073709551615"
        let stat = try #require(ProcessStat(parsing: line))
        #expect(stat.state == "S")
        #expect(stat.ticks == 300)
        #expect(stat.startTime == 8765)
        #expect(ProcessStat(parsing: "7 (a) S 1") == nil)
        #expect(ProcessStat(parsing: "") == nil)
    }

    @Test
    func `it measures a real process`() async throws {
        try await withNginx { port, pid in
            let process = try identity(pid)
            try await measure("alive", of: [process]) { #expect(await $0.sample() == .value(1)) }
            try await measure("rss", of: [process]) { source in
                let bytes = await source.sample().number ?? 0
                #expect(bytes > 100_000 && bytes < 1e9)
            }
            // Nginx opens its socket a moment after its start.
            try await measure("open_files", of: [process]) { source in
                let seen = try await source.value { $0 >= 4 } ?? 0
                #expect(seen >= 4)
            }
        }
    }

    @Test
    func `what ended or is another by now is not counted`() async throws {
        let me = try identity(getpid())
        let other = ProcessIdentity(pid: me.pid, startTime: me.startTime + 1)
        let gone = ProcessIdentity(pid: 4_194_304, startTime: 1)
        try await measure("alive", of: [me, other, gone]) {
            #expect(await $0.sample() == .value(1))
        }
        try await measure("alive", of: []) { #expect(await $0.sample() == .value(0)) }
        for name in ["rss", "open_files", "cpu"] {
            try await measure(name, of: [other, gone]) { source in
                #expect(
                    await source.sample()
                        == .noData(
                            "no process matches target.process { name = \"nginx\" }"
                        )
                )
            }
        }
    }

    @Test(.rounds)
    func `the share of a core is that since the last sample`() async throws {
        try await withProgram("/bin/sh", ["-c", "while :; do :; done"]) { pid in
            let process = try identity(pid)
            try await measure("cpu", of: [process]) { source in
                // Right after the start the span is stretched, so that one tick is no busy core.
                let early = await source.sample().number ?? 99
                #expect(early < 1.3, .ofFigure("\(early)"))
                try await Task.sleep(for: .milliseconds(500))
                let share = await source.sample().number ?? 0
                #expect(share > 0.1 && share < 1.3, .ofFigure("\(share)"))
            }
        }
        try await withProgram("/bin/sleep", ["60"]) { pid in
            let process = try identity(pid)
            try await measure("cpu", of: [process]) { source in
                try await Task.sleep(for: .milliseconds(200))
                #expect(await source.sample().number ?? 1 < 0.06, .ofFigure)
            }
        }
    }

    @Test
    func `a selector that cannot be resolved is no data`() async throws {
        let context = SourceContext.stub(resolve: { _ in throw StubRefusal(description: "busy") })
        try await withSource("process", [:], target: nginx, in: context) { source in
            let reading = await source.sample()
            #expect(
                reading
                    == .noData("cannot resolve target.process { name = \"nginx\" }: busy")
            )
        }
    }
}
