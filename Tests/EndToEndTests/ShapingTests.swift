// The faults that impair packets, through the whole program: they hold, they are counted, and they end with whoever
// held them.

import ChaosModel
import Glibc
import Testing

@Suite(.serialized, .root)
struct ShapingTests {
    /// A fault and the options that make it.
    struct Shape: Sendable, CustomTestStringConvertible {
        let kind: String
        let options: String
        var testDescription: String { kind }
    }

    static let all = [
        Shape(kind: "latency", options: "delay = \"300ms\", jitter = \"20ms\""),
        Shape(kind: "loss", options: "percent = \"100%\""),
        Shape(kind: "duplicate", options: "percent = \"50%\""),
        Shape(kind: "corrupt", options: "percent = \"50%\""),
        Shape(kind: "reorder", options: "percent = \"50%\", delay = \"300ms\""),
        Shape(kind: "bandwidth", options: "rate = \"8kbit\""),
    ]

    private func script(_ shape: Shape, near: String, then rest: String) -> String {
        """
        inject(fault.network.\(shape.kind) {
          target = target.netns { name = "\(near)" }, to = "10.98.0.2", \(shape.options),
        })
        \(rest)
        """
    }

    @Test(arguments: all)
    func `it ends within 200 ms of a kill -9 of runner and agent`(_ shape: Shape) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let file = try box.write("hold.lua", script(shape, near: near, then: "wait '60s'"))
            let runner = try box.begin("run", file)
            let agent = try box.injected(1, by: runner)[0]
            #expect(try !box.hasNoTableOfOurs(near))
            let began = ContinuousClock.now
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            #expect(eventually { (try? box.hasNoTableOfOurs(near)) == true })
            let took = (ContinuousClock.now - began).milliseconds
            print("after kill -9 of runner and agent: network.\(shape.kind) gone in \(shown(took))")
            #expect(took < 200)
            #expect(try box.moonquake("recover").code == 0)
            try box.expect(before, in: near, far)
        }
    }

    @Test
    func `a latency is asked, measured and reported, and gone after`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let ping = "ping -n -q -c 5 -i 0.2 -W 2 10.98.0.2"
            let shape = Shape(kind: "latency", options: "delay = \"100ms\", direction = \"egress\"")
            let file = try box.write("late.lua", script(shape, near: near, then: "wait '2s'"))
            let runner = try box.begin("run", file)
            _ = try box.injected(1, by: runner)
            let during = try box.start(ping.split(separator: " ").map(String.init), in: near)
            #expect(try during.ended() == 0)
            try runner.ended()
            let fault = try #require(try box.lastReport().faults.first)
            let figures = fault.measured?.figures ?? []
            let delay = try #require(figures.first { $0.name == "mean_delay" }?.value)
            #expect((99...105).contains(delay), "asked 100 ms")
            #expect(figures.first { $0.name == "packets_matched" }?.value ?? 0 >= 5)
            let after = try box.start(ping.split(separator: " ").map(String.init), in: near)
            #expect(try after.ended() == 0)
            #expect(!after.output.contains("/100."), "\(after.output)")
        }
    }

    @Test
    func `a fault that no packet met is inconclusive, and says so`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let file = try box.write(
                "idle.lua",
                """
                experiment "idle" {
                  faults = {
                    fault.network.loss {
                      target = target.netns { name = "\(near)" }, to = "10.98.0.99", percent = "10%",
                    },
                  },
                  duration = "200ms",
                }
                """
            )
            let run = try box.moonquake("run", file)
            #expect(run.code == ExitCode.inconclusive.rawValue)
            #expect(run.output.contains("no traffic matched"), "\(run.output)")
        }
    }

    @Test
    func `a namespace that is deleted in mid-run is gone, not leaked`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let shape = Shape(kind: "latency", options: "delay = \"10ms\"")
            let file = try box.write("hold.lua", script(shape, near: near, then: "wait '1s'"))
            let runner = try box.begin("run", file)
            _ = try box.injected(1, by: runner)
            #expect(try box.start(["ip", "netns", "delete", near]).ended() == 0)
            #expect(try runner.ended() != ExitCode.leaked.rawValue)
        }
    }
}
