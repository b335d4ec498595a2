// The prompt, at a pseudo-terminal, with the real program and real faults.

import Glibc
import Testing

@Suite(.serialized)
struct `The prompt` {
    private func prompt(_ box: Sandbox, _ terminal: Terminal) throws -> Program {
        let own = ["TERM": "xterm", "XDG_STATE_HOME": box.folder + "/xdg", "HOME": box.folder]
        let program = try box.begin(
            "repl",
            environment: Program.environment.merging(own) { $1 },
            terminal: terminal.path
        )
        try terminal.shows("moonquake[1]> ")
        return program
    }

    @Test
    func `TAB completes a fault, its options and its target, and undo puts it back`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let terminal = try Terminal()
            let repl = try prompt(box, terminal)
            terminal.type("held = inject(fault.proc\t")
            try terminal.shows("ess.")
            terminal.type("\t")
            try terminal.shows("fault.process.kill {")
            try terminal.shows("fault.process.pause {")
            terminal.type("pa\t")
            try terminal.shows("use {")
            terminal.type(" tar\t")
            try terminal.shows("get = ")
            terminal.type("target.proc\t")
            try terminal.shows("ess {")
            terminal.type(" pid = \(sleeper.pid) } })\r")
            try terminal.shows("injected ")
            #expect(Proc.state(of: sleeper.pid) == "T")
            try terminal.shows("moonquake[2]> ")
            terminal.type("held\r")
            try terminal.shows("handle of process.pause (1)")
            terminal.type("faults\r")
            try terminal.shows("in force:")
            try terminal.shows("process.pause on ")
            try terminal.shows("moonquake[4]> ")
            terminal.type("undo\r")
            try terminal.shows("reverted ")
            #expect(Proc.state(of: sleeper.pid) != "T")
            try terminal.shows("moonquake[5]> ")
            terminal.type("undo\r")
            try terminal.shows("no fault is in force")
            try terminal.shows("moonquake[6]> ")
            terminal.type("\u{4}")
            #expect(try repl.ended() == 0)
            #expect(try box.lastReport().faults.map(\.outcome) == [.reverted])
        }
    }

    @Test
    func `an input goes on until it is complete, and an error shows its line and ends nothing`()
        throws
    {
        try Sandbox.with { box in
            let terminal = try Terminal()
            let repl = try prompt(box, terminal)
            terminal.type("local function twice(x)\r")
            try terminal.shows("moonquake[1]>> ")
            terminal.type("return 2 * x\r")
            try terminal.shows("moonquake[1]>> ")
            terminal.type("end\r")
            try terminal.shows("moonquake[2]> ")
            terminal.type("twice(21), { a = { 1, 'x' } }\r")
            try terminal.shows("42\r\n{ a = { 1, \"x\" } }")
            try terminal.shows("moonquake[3]> ")
            terminal.type("inject(fault.process.paus {})\r")
            try terminal.shows("fault.process.paus: unknown; did you mean fault.process.pause?")
            try terminal.shows("(prompt[3]:1)")
            try terminal.shows("1 | inject(fault.process.paus {})")
            try terminal.shows("moonquake[4]> ")
            terminal.type("do\r")
            try terminal.shows(">> ")
            terminal.type("local nothing; nothing.field = 1 end\r")
            try terminal.shows("(prompt[4]:2)")
            try terminal.shows("2 | local nothing; nothing.field = 1 end")
            try terminal.shows("moonquake[5]> ")
            terminal.type("1 +* 2\r")
            try terminal.shows("syntax error: ")
            try terminal.shows("moonquake[6]> ")
            terminal.type("help fault.network.latency\r")
            try terminal.shows("network.latency: ")
            try terminal.shows("delay  (duration")
            try terminal.shows("moonquake[7]> ")
            terminal.type("metrics\r")
            try terminal.shows("no metric is watched")
            try terminal.shows("moonquake[8]> ")
            terminal.type("1 +\r")
            try terminal.shows("moonquake[8]>> ")
            terminal.type("65\r")
            try terminal.shows("\r\n66\r\n")
            terminal.type("exit\r")
            #expect(try repl.ended() == 0)
        }
    }

    @Test
    func `plan says what a fault would change and changes nothing`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let terminal = try Terminal()
            let repl = try prompt(box, terminal)
            terminal.type(
                "plan fault.process.pause { target = target.process { pid = \(sleeper.pid) } }\r"
            )
            try terminal.shows("process.pause: 1 of 1 matching")
            try terminal.shows("held by journal")
            try terminal.shows("nothing was changed")
            #expect(Proc.state(of: sleeper.pid) != "T")
            terminal.type("plan fault.process.pause { target = target.process { pid = 1 } }\r")
            try terminal.shows("moonquake[3]> ")
            terminal.type("\u{4}")
            #expect(try repl.ended() == 0)
            #expect(terminal.text.contains("protected"))
        }
    }

    @Test
    func `CtrlC ends the line or the call that runs, and a fault of before stays`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let terminal = try Terminal()
            let repl = try prompt(box, terminal)
            terminal.type(
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })\r"
            )
            try terminal.shows("moonquake[2]> ")
            terminal.type("print('never')")
            try terminal.shows("never")
            terminal.type("\u{3}")
            try terminal.shows("moonquake[2]> ")
            for (number, busy) in ["while true do end", "wait '60s'"].enumerated() {
                terminal.type("print('now') \(busy)\r")
                try terminal.shows("\r\nnow\r\n")
                terminal.type("\u{3}")
                try terminal.shows("interrupted", within: .seconds(5))
                try terminal.shows("moonquake[\(number + 3)]> ")
            }
            terminal.type("6 * 7\r")
            try terminal.shows("\r\n42\r\n")
            try terminal.shows("moonquake[5]> ")
            #expect(Proc.state(of: sleeper.pid) == "T")
            terminal.type("\u{4}")
            #expect(try repl.ended() == 0)
            #expect(Proc.state(of: sleeper.pid) != "T")
        }
    }

    @Test
    func `an abort from elsewhere ends the run, and the prompt goes on with its variables`() throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let terminal = try Terminal()
            let repl = try prompt(box, terminal)
            terminal.type("who = target.process { pid = \(sleeper.pid) }\r")
            try terminal.shows("moonquake[2]> ")
            terminal.type("inject(fault.process.pause { target = who })\r")
            try terminal.shows("moonquake[3]> ")
            #expect(try box.moonquake("abort", "--all").code == 0)
            #expect(Proc.state(of: sleeper.pid) != "T")
            try terminal.shows("the run was ended")
            try terminal.shows("moonquake[3]> ")
            terminal.type("inject(fault.process.pause { target = who })\r")
            try terminal.shows("injected ")
            try terminal.shows("moonquake[4]> ")
            #expect(Proc.state(of: sleeper.pid) == "T")
            terminal.type("\u{4}")
            #expect(try repl.ended() == 0)
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
                let terminal = try Terminal()
                let repl = try prompt(box, terminal)
                terminal.type(round == 1 ? "600 + 66\r" : "\u{1B}[A\r")
                try terminal.shows("\r\n666\r\n")
                // What is typed before the prompt is back is the terminal driver's to read, and Ctrl-D is lost in it.
                try terminal.shows("moonquake[2]> ")
                terminal.type("\u{4}")
                #expect(try repl.ended() == 0)
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

    @Test(.root, arguments: End.allCases)
    func `however the prompt ends, its faults are put back`(_ end: End) throws {
        try Sandbox.with { box in
            let terminal = try Terminal()
            let held = try HeldFaults(in: box) { script in
                let repl = try prompt(box, terminal)
                for line in script.split(separator: "\n") {
                    terminal.type(line + "\r")
                    try terminal.shows("injected ")
                    try terminal.shows("]> ")
                }
                return repl
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
            #expect(try #require(gone.partition) < 1000)
            #expect(try #require(gone.pause) < 1000)
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
