// Gives notices to a program of the user's, as JSON on its standard input.

import ChaosModel
import Subprocess
import SystemPackage

/// Sends to a program.
struct CommandSender: NoticeSender {
    let arguments: [String]

    func send(_ notice: Notice) async throws {
        guard let program = arguments.first else { return }
        let executable: Executable =
            program.contains("/") ? .path(FilePath(program)) : .name(program)
        var options = PlatformOptions()
        options.createSession = true
        // A sender that takes too long is cancelled: its program ends then.
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(1))]
        let line = try WireJSON.line(notice) + "\n"
        let result = try await run(
            executable,
            arguments: Arguments(Array(arguments.dropFirst())),
            platformOptions: options,
            input: .inputWriter,
            output: .discarded,
            error: .string(limit: 4096)
        ) { execution in
            // A program need not read what it is given: how it ends is what counts.
            _ = try? await execution.standardInputWriter.write(line)
            try? await execution.standardInputWriter.finish()
        }
        guard result.terminationStatus.isSuccess else {
            let words = result.standardError.escapedForDisplay
            throw NoticeRefused(reason: "it ended with \(result.terminationStatus): \(words)")
        }
    }
}
