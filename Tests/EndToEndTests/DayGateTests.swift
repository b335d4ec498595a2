// Gates of GameDays with the real program: who is asked, what an answer is for, and what comes of none.

import ChaosGameDay
import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct `Gates of a GameDay` {
    @Test
    func `killed with -9 at a gate, --resume asks again, and an answer given meanwhile counts`()
        throws
    {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"day\", approvers = 2")
            let day = try box.begin("gameday", "run", file)
            #expect(eventually { day.errors.contains("moonquake approve") }, "\(day.errors)")
            #expect(try box.moonquake("approve", environment: box.person("ada")).code == 0)
            day.signal(SIGKILL)
            let report = box.folder + "/day.json"
            let again = try box.begin("gameday", "run", "--resume", file, "--report", report)
            #expect(eventually { again.errors.contains("moonquake approve") }, "\(again.errors)")
            #expect(try box.moonquake("approve", environment: box.person("grace")).code == 0)
            #expect(try again.ended(within: .seconds(30)) == 0, "\(again.errors)")
            let gates = try box.gameDay(report).gates
            #expect(gates.map(\.outcome) == ["approved"])
            #expect(gates[0].answers.map(\.who).sorted() == ["ada", "grace"])
        }
    }

    @Test
    func `one person who approves twice is one, and the audit trail says who, when and what`()
        throws
    {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"each\", approvers = 2")
            let report = box.folder + "/day.json"
            let day = try box.begin("gameday", "run", file, "--report", report)
            for gate in 1...2 {
                #expect(eventually { day.errors.contains("-gate\(gate)") }, "\(day.errors)")
                let yes = ["approve", "--comment", "seen \(gate)"]
                #expect(try box.moonquake(yes, environment: box.person("ada")).code == 0)
                let twice = try box.moonquake(yes, environment: box.person("ada"))
                #expect(twice.code == 2 && twice.errors.contains("ada has answered already"))
                #expect(!day.errors.contains("experiment \"\(gate == 1 ? "one" : "two")\" was"))
                #expect(try box.moonquake(yes, environment: box.person("grace")).code == 0)
            }
            #expect(try day.ended(within: .seconds(30)) == 0, "\(day.errors)")
            let result = try box.gameDay(report)
            #expect(
                result.gates.map(\.gate.subject) == ["experiment \"one\"", "experiment \"two\""]
            )
            for (index, record) in result.gates.enumerated() {
                #expect(record.answers.map(\.who).sorted() == ["ada", "grace"])
                #expect(record.answers.allSatisfy { $0.comment == "seen \(index + 1)" })
                #expect(record.answers.allSatisfy { $0.planDigest == result.planDigest })
                #expect(
                    record.answers.allSatisfy {
                        ($0.at - record.gate.openedAt >= 0) && $0.at <= record.decidedAt
                    }
                )
            }
        }
    }

    @Test(.rounds)
    func `with no terminal and no answer a gate neither hangs nor approves itself`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let rule = "approval = \"day\", approval_timeout = \"1s\","
            let file = try site.gameDay(experiments: ["slow"], rule)
            let ended = try box.moonquake("gameday", "run", file)
            #expect(ended.code == 3, "\(ended.output)\(ended.errors)")
            #expect(ended.took < .seconds(20), .ofFigure)
            #expect(ended.output.contains("was not approved by 1 within 1s"))
            #expect(File.names(in: box.state + "/runs").isEmpty)
        }
    }

    @Test
    func `an experiment edited while the gate waits is refused`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow"], "approval = \"day\",")
            let day = try box.begin("gameday", "run", file)
            let isAsked = eventually(within: .seconds(30)) {
                day.errors.contains("moonquake approve")
            }
            #expect(isAsked)
            try site.write(
                "slow",
                fault: "fault.network.latency { delay = \"9s\", \(site.target) }"
            )
            try box.approve(day)
            #expect(try day.ended(within: .seconds(30)) == 2)
            #expect(day.output.contains("has changed since the day began"))
            #expect(File.names(in: box.state + "/runs").isEmpty)
        }
    }

    @Test
    func `a GameDay edited while its gate waits is refused`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"day\"")
            let day = try box.begin("gameday", "run", file)
            #expect(eventually { day.errors.contains("moonquake approve") }, "\(day.errors)")
            _ = try box.harmlessDay("approval = \"day\", description = \"another\"")
            try box.approve(day)
            #expect(try day.ended(within: .seconds(30)) == 2)
            #expect(day.output.contains("the GameDay has changed since the day began"))
            #expect(File.names(in: box.state + "/runs").isEmpty)
        }
    }

    @Test
    func `a rejection from elsewhere halts the day and is in its report`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow"], "approval = \"each\",")
            let day = try box.begin("gameday", "run", file)
            #expect(eventually(within: .seconds(30)) { day.errors.contains("moonquake approve") })
            let no = try box.moonquake("reject", "--comment", "the freeze began")
            #expect(no.code == 0, "\(no.errors)")
            #expect(try day.ended(within: .seconds(30)) == 3)
            #expect(day.output.contains("was rejected by root (\"the freeze began\")"))
        }
    }
}
