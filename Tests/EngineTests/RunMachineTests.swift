// The phases, with no clock and no I/O.

import ChaosModel
import Testing

@testable import ChaosEngine

struct RunMachineTests {
    @Test
    func `an experiment goes through every phase in order`() {
        var machine = RunMachine(baselineFirst: true)
        #expect(machine.handle(.began) == [.makePlan])
        #expect(machine.handle(.planned) == [.checkBaseline])
        #expect(machine.phase == .baseline)
        #expect(machine.handle(.baselineHealthy) == [.startBody])
        #expect(machine.handle(.injectionBegan) == [])
        #expect(machine.phase == .injection)
        #expect(machine.handle(.injectionEnded) == [])
        #expect(machine.phase == .monitoring)
        #expect(machine.handle(.bodyEnded) == [.rollBack])
        #expect(machine.handle(.rolledBack) == [.awaitRecovery])
        #expect(machine.handle(.recovered) == [.makeReport])
        #expect(machine.phase == .report)
    }

    @Test
    func `a plain script has its baseline checked by its first fault`() {
        var machine = RunMachine(baselineFirst: false)
        _ = machine.handle(.began)
        #expect(machine.handle(.planned) == [.startBody])
        #expect(machine.phase == .initialize)
        #expect(machine.handle(.faultWanted) == [.checkBaseline])
        #expect(machine.handle(.faultWanted) == [])
        #expect(machine.handle(.baselineHealthy) == [])
        #expect(machine.takesFaults)
    }

    @Test(arguments: Phase.allCases)
    func `a stop reaches the report from every phase, and rolls back before it`(_ phase: Phase) {
        var machine = RunMachine(baselineFirst: true)
        var actions: [RunMachine.Action] = []
        let events: [RunMachine.Event] = [
            .began, .planned, .baselineHealthy, .injectionBegan, .injectionEnded, .bodyEnded,
            .rolledBack, .recovered,
        ]
        for event in events where machine.phase != phase { actions += machine.handle(event) }
        let begunBody = actions.contains(.startBody)
        let rolledBack = actions.contains(.rollBack)
        var after = machine.handle(.stopped(.signal(2)))
        #expect(
            after.contains(.stopBody(reason: "interrupted by SIGINT")) == (begunBody && !rolledBack)
        )
        after += machine.handle(.rolledBack)
        #expect((actions + after).contains(.rollBack))
        #expect(
            machine.phase == .report || after.contains(.makeReport) || actions.contains(.makeReport)
        )
        #expect(!machine.takesFaults)
    }

    @Test
    func `the first reason to stop wins and the others are kept`() {
        var machine = RunMachine(baselineFirst: true)
        _ = machine.handle(.began)
        _ = machine.handle(.stopped(.rule("first")))
        #expect(machine.handle(.stopped(.signal(2))) == [])
        #expect(machine.stop == .rule("first"))
        #expect(machine.laterStops == [.signal(2)])
    }

    @Test
    func `a body that ends after a stop does not roll back twice`() {
        var machine = RunMachine(baselineFirst: true)
        for event: RunMachine.Event in [.began, .planned, .baselineHealthy] {
            _ = machine.handle(event)
        }
        #expect(machine.handle(.stopped(.rule("x"))).contains(.rollBack))
        #expect(machine.handle(.bodyEnded) == [])
        #expect(
            machine.handle(.rolledBack) == [.makeReport],
            "nothing was injected, so nothing has to recover"
        )
    }
}
