// The program: one file per subcommand. This is the only place that builds a real kernel.

import ArgumentParser
import ChaosModel
import Glibc

/// The program's version, in `--version`, the agent's greeting and the journal.
let programVersion = "0.1.0"

@main
struct Moonquake: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "moonquake",
        abstract: "Chaos experiments whose faults cannot outlive you.",
        discussion: """
            An experiment is a Lua script. Faults are leases: they end when the run ends, when a metric breaches, \
            when you press Ctrl-C, and when this process is killed.

            Exit codes: 0 held; 1 deviated; 2 the definition or usage is wrong; 3 aborted by safety; 4 something \
            leaked; 5 baseline unhealthy; 6 missing privilege or kernel feature; 7 inconclusive; 130 interrupted.
            """,
        version: programVersion,
        subcommands: [
            RunCommand.self, ReplCommand.self, CheckCommand.self, FaultsCommand.self,
            TargetsCommand.self,
            DoctorCommand.self, AbortCommand.self, ApproveCommand.self, RejectCommand.self,
            GameDayCommand.self, CatalogCommand.self, RecoverCommand.self, ReportCommand.self,
            RunsCommand.self,
            TestCommand.self, SchemaCommand.self, MetaCommand.self, WrapCommand.self,
            AgentCommand.self,
            WorkerCommand.self,
        ]
    )

    /// Runs the command; wrong usage is exit code 2, as everywhere in the program.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Console.error(failure.message)
            Glibc.exit(failure.code.rawValue)
        } catch {
            let code = exitCode(for: error)
            guard code != .success else { exit(withError: error) }
            Console.error(fullMessage(for: error))
            Glibc.exit(
                code == .validationFailure ? ChaosModel.ExitCode.definition.rawValue : code.rawValue
            )
        }
    }
}

/// Why a command ends before it did what it is for: one message and the exit code.
struct CommandFailure: Error {
    var code: ChaosModel.ExitCode
    var message: String

    init(_ code: ChaosModel.ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }
}
