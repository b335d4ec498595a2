// The types for editors are those of the builders.

import ChaosFaults
import ChaosModel
import ChaosScript
import ChaosSteadyState
import FoundationEssentials
import Testing

@Suite
struct `Types for editors` {
    private let file = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../stdlib/_meta/moonquake.lua").standardized

    @Test
    func `the file in the tree is what the descriptors say`() throws {
        let text = MetaFile.text(faults: .all, metrics: MetricCatalogue())
        if ProcessInfo.processInfo.environment["MOONQUAKE_UPDATE"] == "1" {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(text.utf8).write(to: file)
        }
        let written = try String(decoding: Data(contentsOf: file), as: UTF8.self)
        #expect(
            written == text,
            "MOONQUAKE_UPDATE=1 swift test --filter ScriptTests writes it again"
        )
    }

    @Test
    func `every builder and verb is in it`() {
        let text = MetaFile.text(faults: .all, metrics: MetricCatalogue())
        let names =
            TargetKind.allCases.map { "target.\($0.rawValue)" }
            + MetricCatalogue().descriptors.map { "metric.\($0.name)" }
            + FaultCatalogue.all.types.map { "fault.\($0.descriptor.name)" }
            + [
                "experiment", "steady_state", "inject", "rollback", "check_metric", "abort_if",
                "abort", "wait", "observe", "log",
            ]
        for name in names { #expect(text.contains("\nfunction \(name)("), "\(name)") }
    }
}
