// Journals broken without end: recovery never crashes, puts back what it can read, says what it cannot, and touches nothing
// that no readable line speaks of.

import ChaosAgent
import ChaosFaults
import ChaosModel
import ChaosSimulation
import Foundation
import Testing

@Suite
struct `Broken journals` {
    private static let seed =
        ProcessInfo.processInfo.environment["MOONQUAKE_SEED"].flatMap { UInt64($0) } ?? 1

    private static let words = [
        "{", "}", "[]", "null", "\"granted\"", "\"reverted\"", "\"closed\"", "\"lease\":\"x\"",
        "\"undo\":{}", "noop", "\"pid\":1", "1e999", "\\ud800", String(repeating: "[", count: 3000),
    ]

    /// What a machine and its journal are after the agent died with processes paused.
    private func crash() async -> (world: SimulatedWorld, baseline: SimulatedWorld, lines: [String])
    {
        let machine = SimulatedAgent()
        SampleFault.noop.prepare(machine.kernel)
        let baseline = machine.kernel.world
        _ = await machine.greet()
        _ = await machine.inject(SampleFault.noop.spec)
        for name in ["shop", "kept", "plain"] {
            var spec = SampleFault.pause.spec
            spec.target.options = ["name": .string(name)]
            _ = await machine.inject(spec)
        }
        machine.kernel.restartAgent()
        return (machine.kernel.world, baseline, machine.journals.open["run-1"] ?? [])
    }

    /// Recovers from journals on a machine; what is left there, and what was said.
    private func recover(
        _ journals: [String: [String]],
        on world: SimulatedWorld
    ) async -> (SimulatedWorld, JournalError?) {
        let kernel = SimulatedKernel()
        kernel.change { $0 = world }
        let store = SimulatedJournals(left: journals)
        let recovery = Recovery(kernel: kernel.kernel, catalogue: .all, store: store)
        do throws(JournalError) {
            _ = try await recovery.run()
            return (kernel.world, nil)
        } catch {
            return (kernel.world, error)
        }
    }

    @Test
    func `what can be read is put back, and nothing else is touched`() async {
        let (world, baseline, lines) = await crash()
        let held = world.differences(from: baseline)
        #expect(held.count == 4 && lines.count >= 8, "\(held)")
        var (refused, whole) = (0, 0)
        for seed in Self.seed..<Self.seed + 800 {
            var random = SeededGenerator(seed: seed)
            let index = Int.random(in: 0..<lines.count, using: &random)
            let text = random.broken(lines[index], words: Self.words)
            let broken =
                lines[..<index] + text.split(separator: "\n").map(String.init)
                + lines[(index + 1)...]
            let again = "again: MOONQUAKE_SEED=\(seed)\n\(text)"
            let (alone, problem) = await recover(["broken": Array(broken)], on: world)
            if let problem {
                refused += 1
                #expect(problem.description.contains("cannot be read"), "\(problem); \(again)")
            } else {
                whole += 1
            }
            // One line is of one lease; but the first says of which boot they all are.
            let left = alone.differences(from: baseline)
            let most = index == 0 ? held.count : 2
            #expect(left.count <= most && Set(left).isSubset(of: held), "\(left); \(again)")
            // One that is damaged does not keep another from being applied.
            let (both, _) = await recover(["broken": Array(broken), "other": lines], on: world)
            #expect(both.differences(from: baseline).isEmpty, "\(again)")
            guard left.count <= most else { return }
        }
        #expect(refused > 200 && whole > 50, "both kinds came: \(refused) and \(whole)")
    }
}
