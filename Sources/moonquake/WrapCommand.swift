// `moonquake wrap -- COMMAND…`: becomes a service whose wall clock `clock.skew` can shift later.

import ArgumentParser
import ChaosLinux
import ChaosModel
import Glibc

struct WrapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wrap",
        abstract: "Starts a service so that clock.skew can shift its wall clock later.",
        discussion: """
            The command replaces this process: pid, signals, input and output are its own. Until a fault shifts it, its \
            clock is true. Static programs, Go programs and set-user-ID programs cannot be wrapped.
            """
    )

    @Option(
        help: ArgumentHelp(
            "Start it in a time namespace whose monotonic and boot clocks are ahead by this, for its whole life.",
            valueName: "span"
        )
    )
    var monotonic: String?

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after `--`.")
    var command: [String]

    func run() throws {
        let span = try monotonic.map { text in
            guard let span = Units.duration(text), span > .zero else {
                throw CommandFailure(
                    .definition,
                    "wrap: --monotonic must be a span such as 30d, got \(text.escapedForDisplay)"
                )
            }
            return span
        }
        do throws(KernelError) {
            try WrappedProgram.become(
                command,
                library: OwnProgram.clockLibrary,
                monotonic: span
            )
        } catch {
            throw CommandFailure(.unavailable, "wrap: \(error)")
        }
    }
}

extension OwnProgram {
    /// The library that is preloaded: beside the program, as built, or in `lib/moonquake`, as installed.
    static var clockLibrary: String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.dropLast().joined(separator: "/")
        let name = "libmoonquake-clock.so"
        let installed = parts.dropLast(2).joined(separator: "/") + "/lib/moonquake/\(name)"
        return access(installed, R_OK) == 0 ? installed : "\(folder)/\(name)"
    }
}
