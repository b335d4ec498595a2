// One test while it runs: its clock, and what it has run so far.

package import ChaosModel
import ChaosScript
import ChaosSimulation
import LuaBridge
import Synchronization

/// What tests need of the program.
package struct TestParts: Sendable {
    /// The faults that scripts may name.
    package var faults: FaultCatalogue
    /// Where `require` looks after the script's own folder.
    package var libraryFolders: [String]
    /// The seed of every choice left to chance.
    package var seed: UInt64

    /// The most instructions of a body, or of any function of a script.
    static let instructions = 200_000_000

    /// Makes parts.
    package init(faults: FaultCatalogue, libraryFolders: [String], seed: UInt64) {
        self.faults = faults
        self.libraryFolders = libraryFolders
        self.seed = seed
    }

    func loader(
        _ inputs: DefinitionInputs,
        _ seed: UInt64,
        _ clock: SimulatedTime
    ) -> ScriptLoader {
        ScriptLoader(
            faults: faults,
            inputs: inputs,
            libraryFolders: libraryFolders,
            seed: seed,
            host: ScriptHost(
                jobs: { OneThread.shared.append($0) },
                clock: { clock.secondsSince1970 },
                instructions: Self.instructions
            )
        )
    }
}

/// One test while it runs.
final class Trial: Sendable {
    private struct State {
        var runs = 0
        var records: [TestRecord] = []
    }

    let parts: TestParts
    /// The state of the test's file.
    let vm: LuaVM
    let clock = SimulatedTime(advancesBySleeping: false)
    private let folder: String
    private let state = Mutex(State())

    init(parts: TestParts, vm: LuaVM, folder: String) {
        self.parts = parts
        self.vm = vm
        self.folder = folder
    }

    /// The runs so far.
    var records: [TestRecord] { state.withLock { $0.records } }

    func keep(_ record: TestRecord) { state.withLock { $0.records.append(record) } }

    /// The name of the next run: it tells runs of one test apart, and is the same each time.
    func nextRunID() -> String {
        let number = state.withLock { state in
            state.runs += 1
            return state.runs
        }
        let digits = String(repeating: "0", count: max(0, 6 - "\(number)".count)) + "\(number)"
        return "\(Timestamp.compact(clock.secondsSince1970))-\(digits)"
    }

    /// A file as the test names it, from the test's own folder.
    func path(of file: String) -> String {
        file.hasPrefix("/") || folder.isEmpty ? file : "\(folder)/\(file)"
    }

    /// What `t` is in the test.
    var table: LuaValue {
        var fields = Expectations.functions(vm)
        fields["run"] = .function(
            LuaFunction(asyncName: "t.run") { call in
                let options = try TestOptions(call)
                guard let file = call[1].string else {
                    throw TestMistake("t.run expects the path of a script, got \(call[1])")
                }
                OneThread.shared.follow(self.clock)
                let report = try await TestRun(options, in: self).run(file)
                return [try ReportTable.of(report, self.records.last?.journal ?? [])]
            }
        )
        fields["gameday"] = .function(
            LuaFunction(asyncName: "t.gameday") { call in
                let options = try TestOptions(call)
                guard let file = call[1].string else {
                    throw TestMistake("t.gameday expects the path of a script, got \(call[1])")
                }
                OneThread.shared.follow(self.clock)
                return [try await TestDay(TestRun(options, in: self)).run(file)]
            }
        )
        return .table(LuaTable(fields: fields))
    }
}

/// Reports as tests see them: with the keys of the JSON report, the metrics also by their names, and the journal.
enum ReportTable {
    static func of(_ report: some Encodable, _ journal: [String]) throws -> LuaValue {
        let value = LuaValue(
            try WireJSON.value(ParameterValue.self, from: try WireJSON.line(report))
        )
        guard var table = value.table else { return value }
        if var metrics = table["metrics"].table {
            for metric in metrics.array {
                guard let name = metric.table?["name"].string else { continue }
                metrics[name] = metric
            }
            table["metrics"] = .table(metrics)
        }
        table["journal"] = .table(LuaTable(array: journal.map { .string($0) }))
        return .table(table)
    }
}
