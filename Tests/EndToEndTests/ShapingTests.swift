// The faults that impair packets, through the whole program and over every engine that can be measured here: they hold,
// they are counted, and they end with whoever held them.

import ChaosModel
import Glibc
import TestSupport
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

    private func script(
        _ shape: Shape,
        near: String,
        engine: String = "auto",
        then rest: String
    ) -> String {
        """
        inject(fault.network.\(shape.kind) {
          target = target.netns { name = "\(near)" }, to = "10.98.0.2", \(shape.options), engine = "\(engine)",
        })
        \(rest)
        """
    }

    /// Begins a run that holds a fault, and waits until it is on; returns the run and its agent.
    private func hold(
        _ shape: Shape,
        near: String,
        engine: String,
        then rest: String,
        in box: Sandbox
    ) throws -> (runner: Program, agent: pid_t) {
        let text = script(shape, near: near, engine: engine, then: rest)
        let runner = try box.begin("run", try box.write("hold.lua", text))
        return (runner, try box.injected(1, by: runner)[0])
    }

    @Test(.enabled(if: Engines.isLab, "SKIPPED: only the lab's kernel must have both engines"))
    func `in the lab both engines work, and netem comes first`() throws {
        #expect(Engines.working == ["netem", "nfqueue"])
    }

    @Test(.rounds, arguments: Engines.measured, all)
    func `packets flow within 200 ms of a kill -9 of runner and agent`(
        _ engine: String,
        _ shape: Shape
    ) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let ping = try box.start(
                ["ping", "-n", "-D", "-i", "0.01", "-W", "1", "10.98.0.2"],
                in: near
            )
            #expect(eventually { Answer.all(in: ping.output).count > 5 })
            let (runner, agent) = try hold(
                shape,
                near: near,
                engine: engine,
                then: "wait '60s'",
                in: box
            )
            #expect(try !box.hasNoTableOfOurs(near))
            let began = secondsSince1970
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            #expect(
                eventually { Answer.normalSince(began, in: Answer.all(in: ping.output)) != nil }
            )
            let since = Answer.normalSince(began, in: Answer.all(in: ping.output)) ?? .infinity
            let took = (since - began) * 1000
            print(
                "\(engine): after kill -9, packets as before network.\(shape.kind) in \(shown(took))"
            )
            #expect(took < 200, .ofFigure)
            #expect(try box.hasNoTableOfOurs(near))
            // An ifb of ours is all that may be left, and is told.
            let left = try box.moonquake("doctor", "--residue").output
            #expect(left.contains("ifb") == (engine == "netem"), "\(left)")
            #expect(try box.moonquake("recover").code == 0)
            try box.expect(before, in: near, far)
            #expect(try box.moonquake("recover").code == 0)
        }
    }

    @Test(.rounds, arguments: Engines.measured)
    func `a latency is asked, measured and reported, and gone after`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let ping = "ping -n -q -c 5 -i 0.2 -W 2 10.98.0.2"
            let shape = Shape(kind: "latency", options: "delay = \"100ms\", direction = \"egress\"")
            let (runner, _) = try hold(
                shape,
                near: near,
                engine: engine,
                then: "wait '2s'",
                in: box
            )
            let during = try box.start(ping.split(separator: " ").map(String.init), in: near)
            #expect(try during.ended() == 0)
            try runner.ended()
            let fault = try #require(try box.lastReport().faults.first)
            #expect(fault.engine == engine)
            let figures = fault.measured?.figures ?? []
            func figure(_ name: String) throws -> Double {
                try #require(figures.first { $0.name == name }?.value, "\(name) in \(figures)")
            }
            if engine == "nfqueue" {
                #expect((99...105).contains(try figure("mean_delay")), "asked 100 ms")
            }
            #expect(try figure("packets_matched") >= 5)
            // The revert is measured: the way there and back as it was before.
            #expect(try figure("rtt_before") < 30, .ofFigure)
            #expect((100...130).contains(try figure("rtt_during")))
            #expect(try figure("rtt_after") < 30, .ofFigure)
            #expect(try figure("loss_before") == 0)
            #expect(try figure("loss_after") == 0)
            #expect(fault.seen?.contains("the way to 10.98.0.2 is back") == true, "\(fault)")
            let after = try box.start(ping.split(separator: " ").map(String.init), in: near)
            #expect(try after.ended() == 0)
            #expect(!after.output.contains("/100."), "\(after.output)")
        }
    }

    @Test(arguments: Engines.measured)
    func `a fault that no packet met is inconclusive, and says so`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            // The second is met by our own probe only, which proves nothing.
            for address in ["10.98.0.99", "10.98.0.2"] {
                let file = try box.write(
                    "idle.lua",
                    """
                    experiment "idle" {
                      faults = {
                        fault.network.loss {
                          target = target.netns { name = "\(near)" }, to = "\(address)", percent = "10%",
                          engine = "\(engine)",
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
    }

    @Test(arguments: Engines.measured)
    func `a namespace that is deleted is gone, and the other goes on and is reverted`(
        _ engine: String
    ) throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let (other, far) = try box.network()
            let before = try box.world(other, far)
            let shape = Shape(kind: "latency", options: "delay = \"100ms\", direction = \"egress\"")
            let file = try box.write(
                "hold.lua",
                script(shape, near: near, engine: engine, then: "")
                    + script(shape, near: other, engine: engine, then: "wait '2s'")
            )
            let runner = try box.begin("run", file)
            _ = try box.injected(2, by: runner)
            #expect(try box.start(["ip", "netns", "delete", near]).ended() == 0)
            let ping = try box.tool("ping", "-n", "-c1", "-W2", "10.98.0.2", in: other)
            #expect(ping.contains("time=10") || ping.contains("time=11"), "\(ping)")
            #expect(try runner.ended() != ExitCode.leaked.rawValue)
            let faults = try box.lastReport().faults
            #expect(Set(faults.map(\.outcome)) == [.gone, .reverted], "\(faults)")
            try box.expect(before, in: other, far)
        }
    }

    @Test(arguments: Engines.measured)
    func `an interface that goes in mid-run leaves nothing behind`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let shape = Shape(kind: "latency", options: "delay = \"10ms\", interface = \"va\"")
            let (runner, _) = try hold(
                shape,
                near: near,
                engine: engine,
                then: "wait '1s'",
                in: box
            )
            try box.tool("ip", "-n", near, "link", "del", "va")
            let before = try box.world(far)
            #expect(try runner.ended() != ExitCode.leaked.rawValue)
            try box.expect(before, in: far)
            #expect(try box.hasNoTableOfOurs(near))
            #expect(try !box.tool("ip", "-n", near, "link", "show").contains("mq"))
        }
    }

    @Test(arguments: Engines.measured)
    func `an abort in a long delay returns when all is as before`(_ engine: String) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let shape = Shape(kind: "latency", options: "delay = \"500ms\", duration = \"5m\"")
            let (runner, _) = try hold(
                shape,
                near: near,
                engine: engine,
                then: "wait '5m'",
                in: box
            )
            #expect(try box.moonquake("abort").code == 0)
            try box.expect(before, in: near, far)
            #expect(try runner.ended() == ExitCode.aborted.rawValue)
        }
    }

    @Test(arguments: Engines.measured)
    func `a script that fails right after its faults leaves no device, queue or rule`(
        _ engine: String
    ) throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let shape = Shape(kind: "latency", options: "delay = \"100ms\", interface = \"va\"")
            let rest = """
                inject(fault.network.partition {
                  target = target.netns { name = "\(near)" }, to = "10.98.0.2", port = 8888, protocol = "udp",
                })
                inject(fault.network.partition {
                  target = target.netns { name = "\(near)" }, to = "10.98.0.2", port = 8888, protocol = "tcp",
                })
                error("on purpose")
                """
            let file = try box.write(
                "fails.lua",
                script(shape, near: near, engine: engine, then: rest)
            )
            let run = try box.moonquake("run", file)
            #expect(run.errors.contains("on purpose"), "\(run.errors)")
            let faults = try box.lastReport().faults
            #expect(faults.map(\.outcome) == [.reverted, .reverted, .reverted], "\(faults)")
            try box.expect(before, in: near, far)
        }
    }

    @Test(.enabled(if: !Engines.isLab, "SKIPPED: emulation is too slow to send that many packets"))
    func `more packets than the worker can hold pass, and the run warns`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let shape = Shape(kind: "latency", options: "delay = \"20s\", direction = \"egress\"")
            let (runner, _) = try hold(
                shape,
                near: near,
                engine: "nfqueue",
                then: "wait '8s'",
                in: box
            )
            _ = try box.tool("python3", "-c", Self.flood, "10.98.0.2", "200000", in: near)
            try runner.ended(within: .seconds(60))
            #expect(runner.errors.contains("packets passed unimpaired"), "\(runner.errors)")
            let fault = try #require(try box.lastReport().faults.first)
            let measured = fault.measured?.seen ?? ""
            #expect(measured.contains("came too fast to be hit"), "\(fault)")
        }
    }

    @Test(.enabled(if: Engines.working.contains("nfqueue"), "SKIPPED: needs kernel queues"))
    func `a packet worker that is killed ends its faults early, and the run is inconclusive`()
        throws
    {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let shape = Shape(kind: "latency", options: "delay = \"100ms\"")
            let (runner, agent) = try hold(
                shape,
                near: near,
                engine: "nfqueue",
                then: "wait '3s'",
                in: box
            )
            let worker = try #require(
                Proc.pids().first {
                    Proc.parent(of: $0) == agent
                        && Proc.commandLine(of: $0).contains(" worker queue")
                }
            )
            kill(worker, SIGKILL)
            #expect(try runner.ended() == ExitCode.inconclusive.rawValue, "\(runner.errors)")
            let fault = try #require(try box.lastReport().faults.first)
            #expect(
                fault.endedEarly?.seen.contains("worker \(worker) was killed") == true,
                "\(fault)"
            )
            #expect(fault.outcome == .reverted)
            try box.expect(before, in: near, far)
        }
    }

    /// Sends as many small datagrams as it is told, as fast as it can.
    private static let flood = """
        import socket, sys
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); out.connect((sys.argv[1], 7))
        SO_SNDBUFFORCE = 32  # or what waits would make the sender wait
        out.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 30)
        for _ in range(int(sys.argv[2])):
            try: out.send(b"x")
            except OSError: pass
        """
}
