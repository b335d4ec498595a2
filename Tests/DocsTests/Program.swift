// The real program, beside the test bundle, run as a person would.

import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport

/// The program.
enum Program {
    /// What a run of it said.
    struct Answer: Sendable {
        var output: String
        var error: String
        var code: Int32
    }

    /// Runs the program; its state is in a folder that goes away.
    static func run(_ arguments: [String]) async throws -> Answer {
        let state = try TestFolder()
        let result = try await Subprocess.run(
            .path(FilePath(path)),
            arguments: Arguments(arguments),
            environment: .inherit.updating(["MOONQUAKE_STATE": state.path]),
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        )
        let code: Int32 = if case .exited(let code) = result.terminationStatus { code } else { -1 }
        return Answer(
            output: result.standardOutput,
            error: result.standardError,
            code: code
        )
    }

    /// The program is built beside the bundle that these tests are in.
    private static let path: String = {
        let bundle = CommandLine.arguments.first { $0.contains(".xctest") } ?? ""
        return URL(filePath: bundle).deletingLastPathComponent().appending(path: "moonquake").path()
    }()
}
