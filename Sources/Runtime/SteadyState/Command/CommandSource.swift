// Runs the user's program at each sample, in a session of its own so that a time-out ends its children as well.
//
// A child that makes a session of its own escapes that; only a control group would hold it.

import ChaosModel
import Subprocess
import SystemPackage

/// A program's number or exit status.
struct CommandSource: MetricSource {
    let run: [String]
    let timeout: Duration
    let wantsStatus: Bool
    let time: any TimePort

    static let outputLimit = 65_536

    func start() async {}

    func sample() async -> Reading {
        await withTaskGroup(of: Reading?.self) { group in
            group.addTask { await execute() }
            group.addTask {
                try? await time.sleep(for: timeout)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            await group.waitForAll()
            return first ?? .noData("\(program) was killed after \(timeout.spelled)")
        }
    }

    func stop() async {}

    private var program: String { "\"\((run.first ?? "").escapedForDisplay)\"" }

    private func execute() async -> Reading {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .send(
                signal: .kill,
                toProcessGroup: true,
                allowedDurationToNextStep: .milliseconds(200)
            )
        ]
        let name = run.first ?? ""
        do {
            let result = try await Subprocess.run(
                name.contains("/") ? .path(FilePath(name)) : .name(name),
                arguments: Arguments(Array(run.dropFirst())),
                platformOptions: options,
                output: .bytes(limit: Self.outputLimit),
                error: .bytes(limit: Self.outputLimit)
            )
            return reading(
                result.terminationStatus,
                output: String(decoding: result.standardOutput, as: UTF8.self),
                complaint: String(decoding: result.standardError, as: UTF8.self)
            )
        } catch let error as SubprocessError {
            return .noData(words(error))
        } catch {
            return .noData("\(program) did not run: \(error)")
        }
    }

    private func reading(
        _ status: TerminationStatus,
        output: String,
        complaint: String
    ) -> Reading {
        guard case .exited(let code) = status else {
            return .noData("\(program) ended by \(status)")
        }
        if wantsStatus { return .value(Double(code)) }
        guard code == 0 else {
            let text = complaint.trimmingSpace.escapedForDisplay
            let said = text.isEmpty ? "" : ": \(text)"
            return .noData("\(program) exited with \(code)\(said)")
        }
        let text = output.trimmingSpace
        guard let number = Double(text), !number.isNaN else {
            let shown = "\"\(text.escapedForDisplay)\""
            return .noData("\(program) must print exactly one number, got \(shown)")
        }
        return .value(number)
    }

    private func words(_ error: SubprocessError) -> String {
        switch error.code {
        case .outputLimitExceeded: "\(program) printed more than 64KiB and was killed"
        case .executableNotFound: "there is no program \(program)"
        default: "\(program) did not run: \(error)"
        }
    }
}

extension String {
    fileprivate var trimmingSpace: String {
        let start = drop(while: \.isWhitespace)
        return String(start.reversed().drop(while: \.isWhitespace).reversed())
    }
}
