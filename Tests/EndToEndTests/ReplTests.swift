// The prompt, at a pseudo-terminal, with the real program and real faults.

import Glibc
import TestSupport
import Testing

/// A person at the prompt.
private final class Prompt {
    let terminal: Terminal
    let program: Program
    private var number = 1

    /// Starts a session and waits for its first prompt.
    init(_ box: Sandbox, _ terminal: Terminal? = nil, file: String? = nil) throws {
        self.terminal = try terminal ?? Terminal()
        let own = ["TERM": "xterm", "XDG_STATE_HOME": box.folder + "/xdg", "HOME": box.folder]
        program = try box.begin(
            ["repl"] + (file.map { [$0] } ?? []),
            environment: Program.environment.merging(own) { $1 },
            terminal: self.terminal.path
        )
        try self.terminal.shows("moonquake[1]> ")
    }

    func type(_ keys: String) { terminal.type(keys) }
    func shows(_ text: String) throws { try terminal.shows(text) }

    /// Ends the input, and waits for texts and for the next prompt: what is typed before it is there, the driver of the
    /// terminal reads, and Ctrl-D is lost in it.
    func enter(_ line: String, shows texts: String...) throws {
        type(line + "\r")
        for text in texts { try shows(text) }
        number += 1
        try shows("moonquake[\(number)]> ")
    }

    /// Waits for the same prompt again: what was typed counted for nothing.
    func comesBack() throws { try shows("moonquake[\(number)]> ") }

    /// Leaves with Ctrl-D.
    func leave() throws {
        type("\u{4}")
        #expect(try program.ended() == 0)
    }
}

@Suite(.serialized)
struct `The prompt` {
    @Test
    func `TAB completes a fault, its options and its target, and undo puts it back`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let prompt = try Prompt(box)
            prompt.type("held = inject(fault.proc\t")
            try prompt.shows("ess.")
            prompt.type("\t")
            try prompt.shows("fault.process.kill {")
            try prompt.shows("fault.process.pause {")
            prompt.type("pa\t")
            try prompt.shows("use {")
            prompt.type(" tar\t")
            try prompt.shows("get = ")
            prompt.type("target.proc\t")
            try prompt.shows("ess {")
            try prompt.enter(" pid = \(sleeper.pid) } })", shows: "injected ")
            #expect(Proc.state(of: sleeper.pid) == "T")
            try prompt.enter("held", shows: "handle of process.pause (1)")
            try prompt.enter("faults", shows: "in force:", "process.pause on ")
            try prompt.enter("undo", shows: "reverted ")
            #expect(Proc.state(of: sleeper.pid) != "T")
            try prompt.enter("undo", shows: "no fault is in force")
            try prompt.leave()
            #expect(try box.lastReport().faults.map(\.outcome) == [.reverted])
        }
    }

    @Test
    func `the metrics and limits of a file are in force from the start`() throws {
        try Sandbox.with { box in
            let sleepers = [try box.sleeper(), try box.sleeper()]
            let file = try box.write(
                "two.lua",
                """
                experiment "two sleepers" {
                  steady_state = {
                    every = "100ms", warmup = "200ms",
                    metrics = { three = metric.lua { function() return 3 end, equals = 3 } },
                  },
                  blast_radius = { max_duration = "5m" },
                  run = function() error("never run here") end,
                }
                """
            )
            let prompt = try Prompt(box, file: file)
            try prompt.enter("check_metric('three == 3').held", shows: "true")
            let target = "target.process { pid = \(sleepers[0].pid) }"
            try prompt.enter(
                "inject(fault.process.pause { target = \(target), duration = '6m' })",
                shows: "over blast_radius.max_duration (5m)"
            )
            try prompt.enter(
                "inject(fault.process.pause { target = \(target) })",
                shows: "injected "
            )
            try prompt.enter("metrics", shows: "three")
            try prompt.leave()
            let report = try box.lastReport()
            #expect(report.metrics.map(\.name) == ["three"])
            #expect(report.verdict == .held)
            #expect(report.faults.map(\.outcome) == [.reverted])
        }
    }

    @Test
    func `an input goes on until it is complete, and an error shows its line and ends nothing`()
        throws
    {
        try Sandbox.with { box in
            let prompt = try Prompt(box)
            prompt.type("local function twice(x)\r")
            try prompt.shows("moonquake[1]>> ")
            prompt.type("return 2 * x\r")
            try prompt.shows("moonquake[1]>> ")
            try prompt.enter("end")
            try prompt.enter("twice(21), { a = { 1, 'x' } }", shows: "42\r\n{ a = { 1, \"x\" } }")
            try prompt.enter(
                "inject(fault.process.paus {})",
                shows: "fault.process.paus: unknown; did you mean fault.process.pause?",
                "(prompt[3]:1)",
                "1 | inject(fault.process.paus {})"
            )
            prompt.type("do\r")
            try prompt.shows(">> ")
            try prompt.enter(
                "local nothing; nothing.field = 1 end",
                shows: "(prompt[4]:2)",
                "2 | local nothing; nothing.field = 1 end"
            )
            try prompt.enter("1 +* 2", shows: "syntax error: ")
            try prompt.enter(
                "help fault.network.latency",
                shows: "network.latency: ",
                "delay  (duration"
            )
            try prompt.enter("metrics", shows: "no metric is watched")
            prompt.type("1 +\r")
            try prompt.shows("moonquake[8]>> ")
            try prompt.enter("65", shows: "\r\n66\r\n")
            prompt.type("exit\r")
            #expect(try prompt.program.ended() == 0)
        }
    }

    @Test
    func `plan says what a fault would change and changes nothing`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let prompt = try Prompt(box)
            try prompt.enter(
                "plan fault.process.pause { target = target.process { pid = \(sleeper.pid) } }",
                shows: "process.pause: 1 of 1 matching",
                "held by journal",
                "nothing was changed"
            )
            #expect(Proc.state(of: sleeper.pid) != "T")
            try prompt.enter("plan fault.process.pause { target = target.process { pid = 1 } }")
            try prompt.leave()
            #expect(prompt.terminal.text.contains("protected"))
        }
    }

    @Test
    func `CtrlC ends the line or the call that runs, and a fault of before stays`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let prompt = try Prompt(box)
            try prompt.enter(
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })"
            )
            prompt.type("print('never')")
            try prompt.shows("never")
            prompt.type("\u{3}")
            try prompt.comesBack()
            for (number, busy) in ["while true do end", "wait '60s'"].enumerated() {
                prompt.type("print('now') \(busy)\r")
                try prompt.shows("\r\nnow\r\n")
                prompt.type("\u{3}")
                try prompt.terminal.shows("interrupted", within: .seconds(5))
                try prompt.shows("moonquake[\(number + 3)]> ")
            }
            prompt.type("6 * 7\r")
            try prompt.shows("\r\n42\r\n")
            try prompt.shows("moonquake[5]> ")
            #expect(Proc.state(of: sleeper.pid) == "T")
            try prompt.leave()
            #expect(Proc.state(of: sleeper.pid) != "T")
        }
    }

    @Test
    func `an abort from elsewhere ends the run, and the prompt goes on with its variables`() throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let prompt = try Prompt(box)
            try prompt.enter("who = target.process { pid = \(sleeper.pid) }")
            try prompt.enter("inject(fault.process.pause { target = who })")
            #expect(try box.moonquake("abort", "--all").code == 0)
            #expect(Proc.state(of: sleeper.pid) != "T")
            try prompt.shows("the run was ended")
            try prompt.comesBack()
            try prompt.enter("inject(fault.process.pause { target = who })", shows: "injected ")
            #expect(Proc.state(of: sleeper.pid) == "T")
            try prompt.leave()
            #expect(Proc.state(of: sleeper.pid) != "T")
        }
    }

    @Test
    func `the limits of flags hold at the prompt`() throws {
        try Sandbox.with { box in
            let sleepers = try [box.sleeper(), box.sleeper()]
            let list = sleepers.map { "pid = \($0.pid)" }
            let script = """
                inject(fault.process.pause { target = target.process { \(list[0]) } })
                inject(fault.process.pause { target = target.process { \(list[1]) } })
                """
            let input = try box.write("input", script + "\n1 +\n")
            let command =
                "'\(Moonquake.path)' repl --state-dir '\(box.state)' --limit max_targets=1 <'\(input)'"
            let own = [
                "XDG_STATE_HOME": box.folder + "/xdg", "MOONQUAKE_LOCKS": "\(box.state)-locks",
            ]
            let repl = try box.start(
                ["sh", "-c", command],
                environment: Program.environment.merging(own) { $1 }
            )
            #expect(try repl.ended() == 0)
            #expect(repl.output.contains("handle of process.pause (1)"))
            #expect(!repl.output.contains("handle of process.pause (2)"))
            #expect(repl.errors.contains("max_targets"), "\(repl.errors)")
            #expect(repl.errors.contains("near <eof>"), "\(repl.errors)")
            #expect(!repl.output.contains("moonquake["), "no prompt without a terminal")
            #expect(sleepers.allSatisfy { Proc.state(of: $0.pid) != "T" })
        }
    }

    @Test
    func `lines are there in the next session, in a file of their owner alone`() throws {
        try Sandbox.with { box in
            for round in 1...2 {
                let prompt = try Prompt(box)
                try prompt.enter(round == 1 ? "600 + 66" : "\u{1B}[A", shows: "\r\n666\r\n")
                try prompt.leave()
            }
            var file = stat()
            #expect(stat(box.folder + "/xdg/moonquake/history", &file) == 0)
            #expect(file.st_mode & 0o777 == 0o600)
            #expect(stat(box.folder + "/xdg/moonquake", &file) == 0)
            #expect(file.st_mode & 0o777 == 0o700)
        }
    }

    /// How a session may end.
    enum End: String, CaseIterable, Sendable {
        case controlD, hangUp, terminate, kill
    }

    @Test(.rounds, .root, arguments: End.allCases)
    func `however the prompt ends, its faults are put back`(_ end: End) throws {
        try Sandbox.with { box in
            let terminal = try Terminal()
            let held = try HeldFaults(in: box) { script in
                let prompt = try Prompt(box, terminal)
                for line in script.split(separator: "\n") {
                    try prompt.enter(String(line), shows: "injected ")
                }
                return prompt.program
            }
            let gone = held.outlive {
                switch end {
                case .controlD: terminal.type("\u{4}")
                case .hangUp: terminal.hangUp()
                case .terminate: held.runner.signal(SIGTERM)
                case .kill: held.runner.signal(SIGKILL)
                }
            }
            print(
                "prompt ended by \(end): partition gone in \(shown(gone.partition)), process runs in \(shown(gone.pause))"
            )
            #expect(try #require(gone.partition) < 1000, .ofFigure)
            #expect(try #require(gone.pause) < 1000, .ofFigure)
            let code: Int32 =
                switch end {
                case .controlD: 0
                case .hangUp, .terminate: 130
                case .kill: 137
                }
            #expect(try held.runner.ended(within: .seconds(10)) == code)
            #expect(eventually { !Proc.isAlive(held.agent) })
            #expect(try box.hasNoTableOfOurs(held.near))
            if end != .kill { #expect(try box.lastReport().restoration == .restored) }
        }
    }
}
