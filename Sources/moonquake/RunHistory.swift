// What is kept of each run: its report, and the exact definition that it was made with, so that it can be run again.

import ChaosCatalog
import ChaosLinux
import ChaosModel
import ChaosScript

/// The history of a state directory.
struct RunHistory {
    let state: StateOptions

    /// Keeps a run, and says what could not be kept: no run fails for that.
    func keep(_ report: RunReport, of content: DefinitionContent) -> [String] {
        var problems: [String] = []
        do {
            try RunFolder(stateDirectory: state.path).save(report)
        } catch {
            let reason = (error as? CommandFailure)?.message ?? "\(error)"
            problems.append("this run is not in the history: \(reason)")
        }
        do throws(CommandFailure) {
            try state.using { (catalog) throws(CatalogError) in
                try catalog.keep(content, ofRun: report.runID)
            }
        } catch {
            problems.append("the definition of this run is not kept: \(error.message)")
        }
        return problems
    }
}

/// A past run, to be run again.
struct PastRun {
    private let report: RunReport
    private let content: DefinitionContent

    /// Finds a run and its definition.
    init(_ run: String, _ state: StateOptions) throws {
        report = try RunFolder(stateDirectory: state.path).report(of: run)
        let id = report.runID
        let found = try state.using { (catalog) throws(CatalogError) in
            try catalog.content(ofRun: id)
        }
        guard let found else {
            throw CommandFailure(
                .definition,
                "--again: the definition of run \(id.escapedForDisplay) is not kept in \(state.path)"
            )
        }
        content = found
    }

    /// The options that it was run with; what is given goes first.
    func options(_ given: ScriptOptions) throws(CommandFailure) -> ScriptOptions {
        var script = given
        script.seed = given.seed ?? report.seed
        script.experiment = given.experiment ?? report.definition.name
        script.parameters += try parameters(beside: given.parameters)
        return script
    }

    /// Loads it as it was run.
    ///
    /// Not inlined: the optimizer of Swift 6.3.1 crashes when this and `ScriptOptions.load` are, in the one coroutine of
    /// `RunCommand`.
    @inline(never)
    func load(_ script: ScriptOptions) async throws -> LoadedExperiment {
        let name = report.definition.file
        let all = try await script.loadAll(
            stored: content,
            called: name,
            version: report.definition.version
        )
        return try script.chosen(from: all, of: name)
    }

    private func parameters(beside given: [String]) throws(CommandFailure) -> [String] {
        let named = Set(given.map { String($0.prefix { $0 != "=" }) })
        var found: [String] = []
        for (name, value) in report.definition.parameters ?? [:] where !named.contains(name) {
            let text: String
            switch value {
            case .string(let string): text = string
            case .number(let number): text = ParameterValue.shortest(number)
            case .boolean(let isTrue): text = isTrue ? "true" : "false"
            case .list, .table: continue
            }
            guard !text.contains("[secret ") else {
                throw CommandFailure(
                    .definition,
                    "--again: the parameter \(name) was a secret and is not kept: give --param \(name)=…"
                )
            }
            found.append("\(name)=\(text)")
        }
        return found
    }
}
