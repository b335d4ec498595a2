// Recovery from a journal alone: old, torn, of another boot.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct RecoveryTests {
    /// Writes the journal of an agent that died hours ago while it held a paused process.
    private func writeJournal(
        _ box: Sandbox,
        paused: pid_t,
        hoursAgo: Double,
        bootID: String? = nil,
        tail: String = ""
    ) throws {
        let boot =
            bootID
            ?? (File.text("/proc/sys/kernel/random/boot_id") ?? "").filter { !$0.isWhitespace }
        let start = try #require(Proc.startTime(of: paused))
        let at = Double(time(nil)) - hoursAgo * 3600
        let process = "{\"pid\":\(paused),\"start_time\":\(start)}"
        let target =
            "{\"kind\":\"process\",\"name\":\"sleep\",\"pid\":\(paused),\"start_time\":\(start)}"
        let lines = [
            "{\"entry\":\"opened\",\"at\":\(at),\"run\":\"old-run\",\"boot_id\":\"\(boot)\","
                + "\"agent\":{\"pid\":4194000,\"start_time\":1},\"version\":\"0.0.1\"}",
            "{\"entry\":\"granted\",\"at\":\(at),\"lease\":\"old1\",\"fault\":\"process.pause\",\"target\":\(target),"
                + "\"undo\":{\"process\":\(process)},\"held_by\":\"journal\",\"survives_reboot\":false}",
            "{\"entry\":\"injected\",\"at\":\(at),\"lease\":\"old1\",\"seen\":\"state T in /proc\"}",
        ]
        try box.tool(
            "mkdir",
            "-p",
            "-m",
            "700",
            box.state + "/journals/open",
            box.state + "/journals/closed"
        )
        try File.write(
            lines.joined(separator: "\n") + "\n" + tail,
            to: box.state + "/journals/open/old-run.jsonl"
        )
    }

    private func stoppedSleeper(_ box: Sandbox) throws -> Program {
        let sleeper = try box.sleeper()
        sleeper.signal(SIGSTOP)
        #expect(eventually { Proc.state(of: sleeper.pid) == "T" })
        return sleeper
    }

    @Test(arguments: [
        "", "{\"entry\":\"rev", "{\"entry\":\"reverted\",\"at\":1,\"lease\":\"old1\"}",
    ])
    func `a record of 15 hours ago is enough to put a fault back, whatever was torn at its end`(
        tail: String
    ) throws {
        try Sandbox.with { box in
            let sleeper = try stoppedSleeper(box)
            try writeJournal(box, paused: sleeper.pid, hoursAgo: 15, tail: tail)
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0, "\(recovery.errors)")
            #expect(recovery.output.contains("reverted  process.pause"), "\(recovery.output)")
            #expect(recovery.output.contains("old-run"))
            #expect(Proc.state(of: sleeper.pid) != "T")
            #expect(try box.moonquake("recover").output == "")
        }
    }

    @Test
    func `a pause of another boot touches nobody`() throws {
        try Sandbox.with { box in
            let sleeper = try stoppedSleeper(box)
            try writeJournal(
                box,
                paused: sleeper.pid,
                hoursAgo: 15,
                bootID: "00000000-0000-0000-0000-000000000000"
            )
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0)
            #expect(recovery.output.contains("ended with an earlier boot"))
            #expect(Proc.state(of: sleeper.pid) == "T")
        }
    }

    @Test
    func `recover leaves a live run alone`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "pause.lua",
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })\nwait '60s'"
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            #expect(try box.moonquake("recover").code == 0)
            #expect(Proc.state(of: sleeper.pid) == "T")
            runner.signal(SIGTERM)
            #expect(try runner.ended() == 130)
            #expect(Proc.state(of: sleeper.pid) != "T")
        }
    }
}
