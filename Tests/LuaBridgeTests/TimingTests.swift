// Figures, printed and not asserted: this machine may be busy, so compare them with the first one.
// The figure of a throw is mostly Swift Testing's, which takes a backtrace of every throw.

import LuaBridge
import Testing

@Suite(.serialized)
struct TimingTests {
    private let clock = ContinuousClock()

    private func nanoseconds(_ time: Duration, per count: Int) -> String {
        let parts = time.components
        let total = Double(parts.seconds) * 1e9 + Double(parts.attoseconds) / 1e9
        return "\(Int((total / Double(count)).rounded())) ns"
    }

    private func measure(_ name: String, _ body: String, count: Int, in vm: LuaVM) async throws {
        let empty = try await vm.load(source: "for _ = 1, \(count) do end", name: "empty.lua")
        let script = try await vm.load(source: "for _ = 1, \(count) do \(body) end", name: "t.lua")
        try await vm.run(script)
        let base = try await clock.measure { try await vm.run(empty) }
        let time = try await clock.measure { try await vm.run(script) }
        print("timing: \(name): \(nanoseconds(time - base, per: count))")
    }

    @Test
    func `calls`() async throws {
        let vm = LuaVM()
        await vm.register("typed", typed: { (a: Int, b: Int) in a + b })
        await vm.register("plain") { call in [call[1]] }
        await vm.register("throwing") { _ in throw LuaArgumentError(function: "x", message: "y") }
        await vm.registerAsync("ready") { _ in [] }
        await vm.registerAsync("hopping") { _ in
            await Task.detached {}.value
            return []
        }
        try await measure(
            "Lua -> C, 2 arguments, for comparison",
            "rawequal(1, 2)",
            count: 200_000,
            in: vm
        )
        try await measure("Lua -> Swift, 2 integers, typed", "typed(1, 2)", count: 200_000, in: vm)
        try await measure(
            "Lua -> Swift, 2 integers, LuaCall",
            "plain(1, 2)",
            count: 200_000,
            in: vm
        )
        try await measure("Swift throw -> pcall", "pcall(throwing)", count: 20_000, in: vm)
        try await measure("yield and resume", "ready()", count: 50_000, in: vm)
        try await measure("yield, other thread, resume", "hopping()", count: 2_000, in: vm)
        let function = try #require(try await run("return function() end", in: vm).first?.function)
        let calls = try await clock.measure { for _ in 0..<500 { try await vm.call(function) } }
        print("timing: vm.call from outside: \(nanoseconds(calls, per: 500))")
        let opens = clock.measure { for _ in 0..<200 { _ = LuaVM() } }
        print("timing: open and close a state: \(nanoseconds(opens, per: 200))")
        print("timing: memory of a fresh state: \(await LuaVM().memoryUsed) bytes")
    }

    @Test(arguments: [
        "started() while true do end",
        "started() while true do pcall(error) end",
        "pcall(wait)",
    ])
    func `abort latency`(source: String) async throws {
        var times: [Duration] = []
        for _ in 0..<100 {
            let vm = LuaVM()
            let event = Event()
            await vm.registerProbes(started: event, waiting: event)
            let task = Task { await failure(of: source, in: vm).map { _ in clock.now } }
            await event.wait()
            let start = clock.now
            vm.abortToken.abort("enough")
            times.append(start.duration(to: try #require(await task.value)))
        }
        times.sort()
        let p50 = nanoseconds(times[49], per: 1000), p95 = nanoseconds(times[94], per: 1000)
        print("timing: abort of \(source): p50 \(p50.dropLast(2))us, p95 \(p95.dropLast(2))us")
    }
}
