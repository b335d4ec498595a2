// A GameDay at a terminal, with the real program: what a person sees of it, and what it does with what is typed.

import ChaosGameDay
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct `A GameDay at a terminal` {
    private func begin(_ box: Sandbox, _ terminal: Terminal, _ arguments: String...) throws
        -> Program
    {
        try box.begin(
            ["gameday", "run"] + arguments,
            environment: Program.environment.merging(["TERM": "xterm", "NO_COLOR": "1"]) { $1 },
            terminal: terminal.path
        )
    }

    /// The seconds that the countdowns of a place have shown so far, in their order, each once.
    private func countdown(_ terminal: Terminal, _ place: String) -> [Int] {
        let pattern = /: (\d+):(\d\d) left/
        var seconds: [Int] = []
        for part in terminal.text.split(separator: place).dropFirst() {
            guard let found = part.firstMatch(of: pattern), let minutes = Int(found.1),
                let rest = Int(found.2)
            else { continue }
            let left = 60 * minutes + rest
            if seconds.last != left { seconds.append(left) }
        }
        return seconds
    }

    /// The last lines of the screen.
    private func foot(_ terminal: Terminal, _ count: Int) -> [String] {
        Screen(terminal.text).text.suffix(count)
    }

    @Test
    func `it shows where the day is, what is next and how long it takes, and takes the answer`()
        throws
    {
        try Sandbox.with { box in
            let options = "approval = \"each\", approval_timeout = \"10m\", pause = \"3s\""
            let file = try box.harmlessDay(options)
            let terminal = try Terminal()
            let day = try begin(box, terminal, file, "--report", box.folder + "/day.json")
            try terminal.shows("== experiment \"one\" waits for 1 approval(s): moonquake approve ")
            try terminal.shows("approve experiment \"one\"? (plan sha256:")
            let gate = "0 of 2 done, gate "
            // While somebody types, the countdown goes on in the line above and what is typed stays.
            terminal.type("yes go")
            #expect(eventually { countdown(terminal, gate).count >= 3 }, "\(terminal.text)")
            #expect(foot(terminal, 1) == ["yes or no, and a comment if you like: yes go"])
            let line = try #require(foot(terminal, 2).first)
            #expect(line.contains(": experiment \"one\", next \"one\": 9:5"), "\(line)")
            let left = countdown(terminal, gate)
            #expect((595...600).contains(left[0]) && left == left.sorted(by: >), "\(left)")

            terminal.type(" ahead\r")
            try terminal.shows("experiment \"one\" was approved by ")
            try terminal.shows("(\"go ahead\")")
            try terminal.shows("== experiment \"one\" begins (1 of 2, next \"two\")")
            try terminal.shows("MONITORING")
            try terminal.shows("1 fault  ✓ well 1")
            try terminal.shows("== experiment \"one\": ")
            try terminal.shows("1 of 2 done, pause, next \"two\": 0:03 left")
            try terminal.shows("approve experiment \"two\"? (plan sha256:")
            #expect(
                countdown(terminal, "1 of 2 done, pause, next \"two\"").starts(with: [3, 2, 1])
            )

            try terminal.shows("comment if you like: ")
            terminal.type("perhaps\r")
            try terminal.shows("approve experiment \"two\"? (plan sha256:")
            try terminal.shows("comment if you like: ")
            terminal.type("NO the freeze began\r")
            try terminal.shows("experiment \"two\" was rejected by ")
            try terminal.shows("(\"the freeze began\")")
            #expect(try day.ended(within: .seconds(30)) == 3, "\(terminal.text)")
            let report = try box.gameDay(box.folder + "/day.json")
            #expect(report.experiments.map(\.outcome) == [.held, .skipped])
            #expect(report.gates.map(\.outcome) == ["approved", "rejected"])
            #expect(
                report.gates.flatMap(\.answers).map(\.comment) == ["go ahead", "the freeze began"]
            )
        }
    }

    @Test
    func `what was typed before the question is no answer`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"each\", pause = \"2s\"")
            let terminal = try Terminal()
            terminal.type("yes\r")
            let day = try begin(box, terminal, file)
            for name in ["one", "two"] {
                try terminal.shows("approve experiment \"\(name)\"?")
                try terminal.shows("comment if you like: ")
                let gate = "gate \(try #require(box.waitingGate()))"
                #expect(eventually { countdown(terminal, gate).count >= 3 }, "\(terminal.text)")
                #expect(!terminal.text.contains("experiment \"\(name)\" was approved"))
                terminal.type("y\r")
                try terminal.shows("experiment \"\(name)\" was approved by ")
                if name == "one" {
                    try terminal.shows("1 of 2 done, pause")
                    terminal.type("yes\r")
                }
            }
            #expect(try day.ended(within: .seconds(30)) == 0, "\(terminal.text)")
        }
    }

    @Test
    func `a yes here and one from elsewhere are those of two people`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"day\", approvers = 2")
            let terminal = try Terminal()
            let report = box.folder + "/day.json"
            let day = try begin(box, terminal, file, "--report", report)
            try terminal.shows("approve the GameDay \"rehearsal\"?")
            try terminal.shows("comment if you like: ")
            terminal.type("yes\r")
            // The question is over here, and the countdown goes on in the last line.
            #expect(eventually { foot(terminal, 1).first?.hasSuffix(" left") == true })
            let again = try box.moonquake("approve")
            #expect(again.code == 2 && again.errors.contains("has answered already"))
            #expect(try box.moonquake("approve", environment: box.person("grace")).code == 0)
            try terminal.shows("was approved by ")
            try terminal.shows(", grace")
            #expect(try day.ended(within: .seconds(30)) == 0, "\(terminal.text)")
            let gate = try #require(try box.gameDay(report).gates.first)
            #expect(gate.answers.map(\.who).contains("grace") && gate.answers.count == 2)
            #expect(gate.answers.allSatisfy { $0.planDigest == gate.gate.planDigest })
            #expect(gate.answers.allSatisfy { $0.at >= gate.gate.openedAt })
        }
    }

    @Test
    func `an answer from elsewhere ends the question, and later words at the terminal are none`()
        throws
    {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"each\"")
            let terminal = try Terminal()
            let day = try begin(box, terminal, file)
            try terminal.shows("approve experiment \"one\"?")
            try terminal.shows("comment if you like: ")
            terminal.type("ye")
            try terminal.shows("ye")
            #expect(try box.moonquake("approve", environment: box.person("ada")).code == 0)
            try terminal.shows("experiment \"one\" was approved by ada\r\n")
            terminal.type("s\r")
            try terminal.shows("approve experiment \"two\"?")
            try terminal.shows("comment if you like: ")
            // Ctrl-D is no answer either; the next gate may ask again.
            terminal.type("\u{4}")
            try terminal.shows("no answer here; it can still come from: moonquake approve ")
            let no = try box.moonquake("reject", environment: box.person("ada"))
            #expect(no.code == 0, "\(no.errors)")
            try terminal.shows("experiment \"two\" was rejected by ada")
            #expect(try day.ended(within: .seconds(30)) == 3, "\(terminal.text)")
        }
    }

    @Test
    func `while health is waited for, it says before what and for how much longer`() throws {
        try Sandbox.with { box in
            let port = try box.freePorts(1)
            let options = """
                recovery = "2m", health = steady_state { every = "100ms", metrics = {
                  errors = metric.http { url = "http://127.0.0.1:\(port)/", rate = "20/s", window = "1s", below = "1%" },
                } }
                """
            let file = try box.harmlessDay(options)
            let terminal = try Terminal()
            let day = try begin(box, terminal, file)
            let place = "0 of 2 done, health before \"one\", next \"one\""
            #expect(eventually { countdown(terminal, place).count >= 3 }, "\(terminal.text)")
            let left = countdown(terminal, place)
            #expect((115...120).contains(left[0]) && left == left.sorted(by: >), "\(left)")
            terminal.type("\u{3}")
            #expect(try day.ended(within: .seconds(30)) == 130, "\(terminal.text)")
        }
    }

    @Test
    func `CtrlC at the question halts the day, and nothing was run`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"day\"")
            let terminal = try Terminal()
            let day = try begin(box, terminal, file)
            try terminal.shows("comment if you like: ")
            terminal.type("\u{3}")
            try terminal.shows("halted: stopped by a signal (interrupt)")
            #expect(try day.ended(within: .seconds(30)) == 130, "\(terminal.text)")
            #expect(File.names(in: box.state + "/runs").isEmpty)
        }
    }
}

extension Sandbox {
    /// The name of the one gate that waits.
    fileprivate func waitingGate() -> String? {
        File.names(in: state + "/approvals").first { $0.hasSuffix(".json") }
            .map { String($0.dropLast(5)) }
    }
}
