// The contract of every fault, on the simulated kernel: whatever call fails, before or after it was done,
// and whenever both processes die, the world is as before or the record names what is left.

import ChaosFaults
import ChaosModel
import ChaosSimulation
import Foundation
import Testing

struct FaultContractTests {
    @Test(arguments: SampleFault.allCases)
    func `inject and revert restore the world`(_ sample: SampleFault) async throws {
        let machine = SimulatedAgent()
        sample.prepare(machine.kernel)
        let before = machine.kernel.world
        _ = await machine.greet()
        guard case .injected(let leases) = await machine.inject(sample.spec) else {
            Issue.record("not injected")
            return
        }
        #expect(!leases.isEmpty)
        if sample != .noop { #expect(machine.kernel.world != before) }
        let records = await machine.revertAll()
        #expect(records.count == leases.count)
        #expect(records.map(\.lease) == leases.map(\.lease).reversed(), "newest first")
        #expect(records.allSatisfy { $0.outcome == .reverted }, "\(records)")
        if sample.isReversible {
            #expect(machine.kernel.world.differences(from: before) == [])
        }
        #expect(await machine.revertAll() == [], "revert twice equals revert once")
    }

    @Test(arguments: SampleFault.allCases, SimulatedKernel.Failure.allCases)
    func `any failing call leaves the world restored or named`(
        _ sample: SampleFault,
        _ failure: SimulatedKernel.Failure
    ) async throws {
        for number in 1...200 {
            let machine = SimulatedAgent()
            sample.prepare(machine.kernel)
            let before = machine.kernel.world
            _ = await machine.greet()
            let callsBefore = machine.kernel.calls.count
            machine.kernel.fail(call: number, failure)
            let reply = await machine.inject(sample.spec)
            let first = await machine.revertAll()
            let didFail = machine.kernel.calls.count - callsBefore >= number
            let leakedFirst = first.contains { $0.outcome == .leaked } || reply.isLeak
            let differences = machine.kernel.world.differences(from: before)
            if sample.isReversible, !leakedFirst {
                #expect(
                    differences == [],
                    "call \(number) of \(machine.kernel.calls) failed \(failure)"
                )
            }
            machine.kernel.fail(call: nil)
            let second = await machine.revertAll()
            #expect(second.allSatisfy { $0.outcome != .leaked }, "\(second)")
            if sample.isReversible {
                #expect(machine.kernel.world.differences(from: before) == [])
            }
            guard didFail else { return }
        }
        Issue.record("more than 200 calls for one fault")
    }

    @Test(arguments: SampleFault.allCases, SimulatedKernel.Failure.allCases)
    func `runner and agent killed at any call are recovered from the journal`(
        _ sample: SampleFault,
        _ failure: SimulatedKernel.Failure
    ) async throws {
        for number in 1...200 {
            let machine = SimulatedAgent()
            sample.prepare(machine.kernel)
            let before = machine.kernel.world
            _ = await machine.greet()
            machine.kernel.die(at: number, failure)
            _ = await machine.inject(sample.spec)
            _ = await machine.revertAll()
            let didFail = machine.kernel.isDead
            let records = try await machine.dieAndRecover()
            #expect(records.allSatisfy { $0.revert.outcome != .leaked }, "\(records)")
            if sample.isReversible {
                #expect(
                    machine.kernel.world.differences(from: before) == [],
                    "call \(number) \(failure)"
                )
            }
            let again = try await machine.dieAndRecover()
            #expect(again == [], "a second recovery finds nothing")
            #expect(machine.journals.open.isEmpty)
            guard didFail else { return }
        }
    }

    @Test(arguments: SampleFault.allCases, [0, 1, 40, 10_000])
    func `a journal torn at any line and byte is recovered`(_ sample: SampleFault, _ bytes: Int)
        async throws
    {
        for append in 1...12 {
            let machine = SimulatedAgent()
            sample.prepare(machine.kernel)
            let before = machine.kernel.world
            _ = await machine.greet()
            machine.journals.fail(append: append, tornAfter: bytes)
            _ = await machine.inject(sample.spec)
            let records = try await machine.dieAndRecover()
            #expect(records.allSatisfy { $0.revert.outcome != .leaked }, "\(records)")
            if sample.isReversible {
                #expect(machine.kernel.world.differences(from: before) == [], "append \(append)")
            }
        }
    }

    @Test
    func `every fault goes through this contract`() {
        let samples = Set(SampleFault.allCases.map(\.spec.fault))
        // One implementation with the options of `network.latency`: what differs is what a packet meets.
        let shaping: Set = [
            "network.loss", "network.duplicate", "network.corrupt", "network.reorder",
            "network.bandwidth",
        ]
        let all = Set(FaultCatalogue.all.types.map(\.descriptor.name))
        #expect(samples.union(shaping) == all)
    }

    @Test
    func `the list of faults is the folder's`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/Runtime/Faults").standardizedFileURL
        let files = try #require(
            FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        )
        var declared = 0
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            declared +=
                text.components(separatedBy: "package struct ").dropFirst().filter { declaration in
                    declaration.prefix { $0 != "{" }.hasSuffix("Fault ")
                }.count
        }
        #expect(declared == FaultCatalogue.all.types.count)
    }
}

extension AgentReply {
    var isLeak: Bool {
        if case .failed(let failure) = self { return failure.kind == .leaked }
        return false
    }
}
