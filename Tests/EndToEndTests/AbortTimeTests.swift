// An abort comes within two evaluation intervals, whatever the script does meanwhile. The time is taken from outside: from
// the moment at which what is watched goes wrong until the process that was paused runs again.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct AbortTimeTests {
    /// What a script does when the metric breaches.
    struct Occupation: Sendable, CustomTestStringConvertible {
        let name: String
        let lua: String

        var testDescription: String { name }
    }

    static let occupations = [
        Occupation(name: "loops", lua: "while true do end"),
        Occupation(name: "sleeps", lua: "wait \"600s\""),
        Occupation(
            name: "waits for a probe that hangs",
            lua: """
                check_metric(metric.http { url = "http://127.0.0.1:PORT/", timeout = "60s", rate = "1/s", below = "1%" },
                  { within = "600s" })
                """
        ),
        Occupation(
            name: "waits for a command that does not end",
            lua: """
                check_metric(metric.command { run = { "sleep", "3600.PORT" }, timeout = "60s", below = 1 },
                  { within = "600s" })
                """
        ),
    ]

    private static let everyMs = 500.0

    @Test(.rounds, arguments: occupations)
    func `an abort comes within two intervals while the script`(_ occupation: Occupation) throws {
        try Sandbox.with { box in
            let port = try box.freePorts(1)
            let server = try box.start([
                "python3", "-m", "http.server", "--bind", "127.0.0.1", "\(port)", "--directory",
                box.folder,
            ])
            let isUp = eventually {
                (try? box.tool("curl", "-s", "-m", "1", "http://127.0.0.1:\(port)/")) != nil
            }
            #expect(isUp)
            server.signal(SIGSTOP)
            for _ in 0..<3 {
                let paused = try box.sleeper()
                let watched = try box.sleeper()
                let file = try box.write(
                    "busy.lua",
                    """
                    experiment "a busy script" {
                      steady_state = { every = "\(Int(Self.everyMs))ms", metrics = {
                        alive = metric.process {
                          target = target.process { pid = \(watched.pid) }, measure = "alive", abort_below = 1 },
                      } },
                      run = function()
                        local pause = inject(fault.process.pause { target = target.process { pid = \(paused.pid) } })
                        if pause.targets[1]:find("process 0 ", 1, true) then return end
                        log("busy")
                        \(occupation.lua.replacing("PORT", with: "\(port)"))
                      end,
                    }
                    """
                )
                let runner = try box.begin("run", file)
                #expect(eventually { runner.errors.contains("script: busy") }, "\(runner.errors)")
                // Into the script's occupation, at any moment of the interval.
                usleep(.random(in: 200_000...700_000))
                #expect(Proc.state(of: paused.pid) == "T")
                let began = ContinuousClock.now
                watched.signal(SIGKILL)
                try watched.ended()
                #expect(eventually { Proc.state(of: paused.pid) != "T" })
                let took = (ContinuousClock.now - began).milliseconds
                print("\(occupation.name): reverted \(shown(took)) after the breach")
                #expect(took < 2 * Self.everyMs, .ofFigure)
                #expect(try runner.ended() == 3, "\(runner.errors)")
                let report = try box.lastReport()
                #expect(report.abort?.cause == .threshold)
                #expect(report.restoration == .restored)
                let isOver = eventually(within: .seconds(5)) {
                    Proc.pids().allSatisfy { !Proc.commandLine(of: $0).contains("3600.\(port)") }
                }
                #expect(isOver, "the command is ended with the run")
            }
        }
    }
}
