// Runs the user's program at each sample, in a session of its own: its children end with it, at the time-out at the
// latest, so that samples do not pile up processes.
//
// A child that makes a session of its own escapes that; only a control group would hold it.

import ChaosModel
import Glibc
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
                input: .none,
                output: .sequence,
                error: .sequence
            ) { execution in
                // The program is not reaped while this runs, so its group is still its own. The library's teardown
                // spares a group whose leader has ended, and a child may hold the output open for ever.
                let kill = { @Sendable in
                    try? execution.send(signal: .kill, toProcessGroup: true)
                    return
                }
                return try await withTaskCancellationHandler {
                    async let complaint = Self.collect(execution.standardError, orElse: kill)
                    let output = try await Self.collect(execution.standardOutput, orElse: kill)
                    let both = (output: output, complaint: try await complaint)
                    try await Self.end(of: execution.processIdentifier)
                    kill()
                    return both
                } onCancel: {
                    kill()
                }
            }
            return reading(
                result.terminationStatus,
                output: result.closureResult.output,
                complaint: result.closureResult.complaint
            )
        } catch is TooLong {
            return .noData("\(program) printed more than 64KiB and was killed")
        } catch let error as SubprocessError {
            return .noData(words(error))
        } catch {
            return .noData("\(program) did not run: \(error)")
        }
    }

    private struct TooLong: Error {}

    /// Waits for the end of a program by its pidfd, which does not reap it.
    private static func end(of program: ProcessIdentifier) async throws {
        var descriptor = pollfd(fd: program.processDescriptor, events: Int16(POLLIN), revents: 0)
        while descriptor.fd >= 0, poll(&descriptor, 1, 0) == 0 {
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Reads to the end, or to the limit; then it kills, so that nobody waits for the other stream.
    private static func collect(
        _ stream: SubprocessOutputSequence,
        orElse kill: @Sendable () -> Void
    ) async throws -> String {
        var bytes: [UInt8] = []
        for try await chunk in stream {
            chunk.withUnsafeBytes { bytes.append(contentsOf: $0) }
            guard bytes.count <= outputLimit else {
                kill()
                throw TooLong()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
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
