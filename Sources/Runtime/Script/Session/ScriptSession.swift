// One state of Lua with one script in it: what its top level declared, and whom its verbs talk to.
//
// The top level runs in the stage `declaring`, in which nothing may act. The first verb there ends it: the file is a
// plain script, whatever follows. A body runs in a stage that has controls.

import ChaosEngine
import ChaosGameDay
import ChaosModel
import LuaBridge
import Synchronization

/// What the primitives of one state share.
final class ScriptSession: Sendable {
    /// What a state is being run for.
    enum Stage: Sendable {
        /// Its top level is read for what it defines.
        case declaring
        /// The body of an experiment runs.
        case experiment(any RunControls)
        /// A plain script runs.
        case plain(any RunControls)
        /// The body of a GameDay runs.
        case day(any DayControls)
    }

    /// The verb that made a file a plain script.
    struct FirstVerb: Sendable {
        var name: String
        var place: SourceLocation?
    }

    private struct State {
        var stage = Stage.declaring
        var experiments: [DeclaredExperiment] = []
        var gameDays: [DeclaredGameDay] = []
        var openTitles: [(title: String, primitive: TitledPrimitive, place: SourceLocation?)] = []
        var firstVerb: FirstVerb?
        var firstError: DefinitionError?
        var held: Set<Int> = []
        var functions: [String: LuaFunction] = [:]
        var log: LogPump?
        weak var vm: LuaVM?
    }

    let context: BuilderContext
    /// Stops the scripts of this state.
    let token: LuaAbortToken
    private let state = Mutex(State())

    init(context: BuilderContext, vm: LuaVM) {
        self.context = context
        token = vm.abortToken
        state.withLock { $0.vm = vm }
    }

    /// The state, nil when it is gone.
    ///
    /// The state keeps its session, not the other way round.
    var vm: LuaVM? { state.withLock { $0.vm } }

    var stage: Stage { state.withLock { $0.stage } }
    var experiments: [DeclaredExperiment] { state.withLock { $0.experiments } }
    var gameDays: [DeclaredGameDay] { state.withLock { $0.gameDays } }
    var firstVerb: FirstVerb? { state.withLock { $0.firstVerb } }
    /// The first definition error, also when the script caught it: what is wrong is wrong wherever it stands.
    var firstError: DefinitionError? { state.withLock { $0.firstError } }

    /// Leaves `declaring`.
    func begin(_ stage: Stage) {
        let pump: LogPump? =
            switch stage {
            case .declaring: nil
            case .experiment(let controls), .plain(let controls):
                LogPump { await controls.log($0) }
            case .day(let controls): LogPump { await controls.log($0) }
            }
        state.withLock { state in
            state.stage = stage
            state.log = pump
        }
    }

    /// A title that waits for its table.
    func open(title: String, of primitive: TitledPrimitive, at place: SourceLocation?) {
        state.withLock { $0.openTitles.append((title, primitive, place)) }
    }

    /// A title whose table has come.
    func close(title: String, of name: String) {
        state.withLock { state in
            state.openTitles.removeAll { $0.title == title && $0.primitive.name == name }
        }
    }

    /// Takes an experiment; titles tell experiments apart, so that each may be there once.
    func declare(_ experiment: DeclaredExperiment) throws(DefinitionError) {
        let title = experiment.definition.name
        let isNew = state.withLock { state in
            let isNew = !state.experiments.contains { $0.definition.name == title }
            if isNew { state.experiments.append(experiment) }
            return isNew
        }
        guard isNew else {
            throw DefinitionError(
                ExperimentOptions.subject,
                "two experiments have the title \"\(title)\": give each its own"
            )
        }
    }

    /// Takes a GameDay; a file has one, so that its schedule and its name are the file's.
    func declare(_ gameDay: DeclaredGameDay) throws(DefinitionError) {
        let earlier = state.withLock { state in
            let earlier = state.gameDays.first
            state.gameDays.append(gameDay)
            return earlier
        }
        if let earlier {
            throw DefinitionError(
                GameDayOptions.subject,
                "the file defines \"\(earlier.definition.name)\" already: give each GameDay a file of its own"
            )
        }
    }

    /// The error for a title that got no table.
    var openTitleError: DefinitionError? {
        guard let open = state.withLock({ $0.openTitles.first }) else { return nil }
        let name = open.primitive.name
        return DefinitionError(
            name,
            "the title is followed by no table: write \(name) \"\(open.title)\" \(open.primitive.spelling)",
            at: open.place
        )
    }

    func markPlain(by verb: String, at place: SourceLocation?) {
        state.withLock { $0.firstVerb = $0.firstVerb ?? FirstVerb(name: verb, place: place) }
    }

    func record(_ error: DefinitionError) {
        state.withLock { $0.firstError = $0.firstError ?? error }
    }
}

// Faults, functions and lines of a running body.
extension ScriptSession {
    func hold(_ handle: FaultHandle) {
        state.withLock { _ = $0.held.insert(handle.number) }
    }

    /// Forgets a fault that was put back, or all.
    func release(_ handle: FaultHandle?) {
        state.withLock { state in
            if let handle { state.held.remove(handle.number) } else { state.held = [] }
        }
    }

    /// Whether a scope's end still has to put the fault back.
    func holds(_ handle: FaultHandle) -> Bool {
        state.withLock { $0.held.contains(handle.number) }
    }

    /// Keeps the functions of metrics that the body itself declared.
    func keep(_ functions: [String: LuaFunction]) {
        state.withLock { $0.functions.merge(functions) { _, new in new } }
    }

    /// Keeps a function under a name of its own.
    func keep(_ function: LuaFunction, as name: String) -> String {
        state.withLock { state in
            var unique = name
            var number = 2
            while state.functions[unique] != nil {
                unique = "\(name)_\(number)"
                number += 1
            }
            state.functions[unique] = function
            return unique
        }
    }

    func function(of metric: String) -> LuaFunction? {
        state.withLock { $0.functions[metric] }
    }

    /// A line that the script printed; goes nowhere while declaring.
    func log(_ line: String) {
        state.withLock { $0.log }?.append(line)
    }

    /// Waits until every line before is on the time line.
    func flushLog() async {
        await state.withLock { $0.log }?.flush()
    }
}
