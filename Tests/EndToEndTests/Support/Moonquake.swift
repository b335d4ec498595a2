// The real program, beside the test bundle.

import ChaosModel
import Glibc
import TestSupport
import Testing

/// Runs the program.
enum Moonquake {
    /// How a run of the program ended.
    struct Ended {
        let code: Int32
        let output: String
        let errors: String
        let took: Duration
    }

    /// The executable that was built with these tests.
    static let path: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own
        return [own, bundle].map { folder(of: $0) + "/moonquake" }.first { access($0, X_OK) == 0 }
            ?? "moonquake"
    }()

    private static func folder(of path: String) -> String {
        "/" + path.split(separator: "/").dropLast().joined(separator: "/")
    }

    /// The root of the tree that was built.
    static let tree = folder(of: folder(of: folder(of: folder(of: String(#filePath)))))
}

/// The user that stands for every ordinary one.
let nobody: UInt32 = 65534

extension Sandbox {
    private func command(_ arguments: [String], asNobody: Bool) -> [String] {
        let user = [
            "setpriv", "--reuid", "\(nobody)", "--regid", "\(nobody)", "--clear-groups", "--",
        ]
        return (asNobody ? user : []) + [Moonquake.path] + arguments + [
            "--state-dir", asNobody ? stateOfNobody : state,
        ]
    }

    /// Locks and policy of this test alone: what others do on this machine must not decide.
    private func surroundings(_ given: [String: String]?, asNobody: Bool) -> [String: String] {
        let home = asNobody ? stateOfNobody : state
        let own = ["MOONQUAKE_LOCKS": "\(home)-locks", "MOONQUAKE_POLICY": "\(folder)/policy.json"]
        return own.merging(given ?? Program.environment) { $1 }
    }

    /// The state directory of the runs of the ordinary user.
    var stateOfNobody: String {
        let home = folder + "/nobody"
        if mkdir(home, 0o700) == 0 { chown(home, nobody, nobody) }
        return home + "/state"
    }

    /// Starts a command of the program with the state directory of this test.
    func begin(
        _ arguments: String...,
        asNobody: Bool = false,
        environment: [String: String]? = nil,
        terminal: String? = nil
    ) throws -> Program {
        try begin(
            arguments,
            asNobody: asNobody,
            environment: environment,
            terminal: terminal
        )
    }

    /// Starts a command of the program with the state directory of this test.
    func begin(
        _ arguments: [String],
        asNobody: Bool = false,
        environment: [String: String]? = nil,
        terminal: String? = nil
    ) throws -> Program {
        try start(
            command(arguments, asNobody: asNobody),
            environment: surroundings(environment, asNobody: asNobody),
            terminal: terminal
        )
    }

    /// Runs a command of the program to its end.
    @discardableResult
    func moonquake(
        _ arguments: String...,
        asNobody: Bool = false,
        environment: [String: String]? = nil,
        within limit: Duration = .seconds(60)
    ) throws -> Moonquake.Ended {
        try moonquake(
            arguments,
            asNobody: asNobody,
            environment: environment,
            within: limit
        )
    }

    /// Runs a command of the program, whose arguments are a list, to its end; in a control group of its own if one is
    /// given.
    func moonquake(
        _ arguments: [String],
        asNobody: Bool = false,
        environment: [String: String]? = nil,
        group: String? = nil,
        within limit: Duration = .seconds(60)
    ) throws -> Moonquake.Ended {
        let start = ContinuousClock.now
        let place = group.map {
            ["bash", "-c", "echo $$ >\($0)/cgroup.procs; exec \"$@\"", "moonquake"]
        }
        let program = try self.start(
            (place ?? []) + command(arguments, asNobody: asNobody),
            environment: surroundings(environment, asNobody: asNobody)
        )
        let code = try program.ended(within: limit)
        return Moonquake.Ended(
            code: code,
            output: program.output,
            errors: program.errors,
            took: ContinuousClock.now - start
        )
    }

    /// The report that the last run left in the state directory.
    func lastReport(asNobody: Bool = false) throws -> RunReport {
        let folder = (asNobody ? stateOfNobody : state) + "/runs"
        let names = File.names(in: folder)
        let last = try #require(names.last, "no run left a report in \(folder)")
        // Those of one second have no order by their names.
        let reports = try names.filter { $0.prefix(15) == last.prefix(15) }.map { name in
            try WireJSON.value(
                RunReport.self,
                from: try #require(File.text("\(folder)/\(name)"))
            )
        }
        return try #require(reports.max { $0.startedAtSeconds < $1.startedAtSeconds })
    }

    /// The journals of live agents or crashed ones, as their lines.
    func openJournals(asNobody: Bool = false) -> [[JournalEntry]] {
        let folder = (asNobody ? stateOfNobody : state) + "/journals/open"
        return File.names(in: folder).filter { $0.hasSuffix(".jsonl") }.map { name in
            (File.text("\(folder)/\(name)") ?? "").split { $0 == "\n" || $0 == "\0" }.compactMap {
                try? WireJSON.value(JournalEntry.self, from: String($0))
            }
        }
    }

    /// Waits until so many faults are in force; returns the agents that hold them.
    @discardableResult
    func injected(_ count: Int, by program: Program, asNobody: Bool = false) throws -> [pid_t] {
        let agents: [pid_t]? = eventually(within: .seconds(30)) {
            let journals = openJournals(asNobody: asNobody)
            let made = journals.joined().count { $0.entry == .injected }
            if made >= count { return journals.compactMap { $0.first?.agent?.pid } }
            return program.exitCode == nil ? nil : []
        }
        guard let agents, !agents.isEmpty else {
            throw SetUpError("no \(count) faults were injected: \(program.output)\(program.errors)")
        }
        return agents
    }
}
