// A person at a prompt, over one or more runs. An abort, a breach or a lost agent ends a run, and its faults with it; the
// prompt, its variables and its history go on, and the next run begins.

import ChaosEngine
import ChaosModel
import ChaosScript
import Glibc
import Synchronization

/// Reads inputs and acts on them.
final class PromptSession: Sendable {
    private struct State {
        var number = 1
        var pending = ""
        /// The lines of each input, for messages.
        var inputs: [Int: [String]] = [:]
        var transcript: [String] = []
        var isLeaving = false
        var hasBody = false
        var work: Task<Void, Never>?
        var metrics: [String] = []
        var variables: [String] = []
    }

    let prompt: Prompt
    private let faults: FaultCatalogue
    private let names: PromptNames
    private let completion: PromptCompletion
    private let state = Mutex(State())
    private let opened = Mutex<LineEditor?>(nil)

    init(_ prompt: Prompt, faults: FaultCatalogue, names: PromptNames) {
        self.prompt = prompt
        self.faults = faults
        self.names = names
        completion = PromptCompletion(names, commands: PromptCommand.words.map { "\($0.word) " })
    }

    /// Gives the session its lines; once, before it is run.
    func attach(_ editor: LineEditor) { opened.withLock { $0 = editor } }

    private var editor: LineEditor? { opened.withLock { $0 } }

    /// Whether the person wants to leave.
    var isLeaving: Bool { state.withLock { $0.isLeaving } }

    /// What was entered so far, as a script.
    var transcript: String { state.withLock { $0.transcript.joined(separator: "\n") + "\n" } }

    /// What TAB means after a text.
    func complete(_ text: String) -> (insert: String, choices: [String]) {
        let (before, metrics, variables) = state.withLock { ($0.pending, $0.metrics, $0.variables) }
        let found = completion.complete(before + text, metrics: metrics, variables: variables)
        return (found.insert, found.choices)
    }

    func say(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        editor?.say(lines.joined(separator: "\n") + "\n", to: STDOUT_FILENO)
    }

    func complain(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        editor?.say(lines.joined(separator: "\n") + "\n", to: STDERR_FILENO)
    }

    // MARK: Interruptions

    /// Ends what runs, or the line that is written; false when the run itself is over.
    func interrupt() -> Bool {
        let (hasBody, work) = state.withLock { ($0.hasBody, $0.work) }
        guard hasBody else { return false }
        if let work { work.cancel() } else { editor?.cancel() }
        return true
    }

    /// Leaves as soon as what runs has ended.
    func leave() { state.withLock { $0.isLeaving = true } }

    /// Ends the line and what runs, since the run is over.
    func stop(reason: String) {
        prompt.stop(reason: reason)
        editor?.cancel()
    }

    // MARK: One run

    /// Reads and acts until the person leaves, or `isOver`.
    func run(_ controls: any PromptControls, isOver: @Sendable () -> Bool) async {
        prompt.begin(controls)
        state.withLock { $0.hasBody = true }
        defer {
            state.withLock { state in
                state.hasBody = false
                state.metrics = []
                state.pending = ""
            }
        }
        while !isOver(), !isLeaving, let editor {
            let (number, pending) = state.withLock { ($0.number, $0.pending) }
            let mark = pending.isEmpty ? ">" : ">>"
            switch await editor.line("moonquake[\(number)]\(mark) ") {
            case .cancelled: state.withLock { $0.pending = "" }
            case .over:
                if !pending.isEmpty { await take("", isLast: true, controls) }
                leave()
            case .text(let line):
                if line.contains(where: { !$0.isWhitespace }) { editor.remember(line) }
                await take(line, isLast: false, controls)
            }
        }
    }

    private func take(_ line: String, isLast: Bool, _ controls: any PromptControls) async {
        let (text, number) = state.withLock { ($0.pending + line, $0.number) }
        guard text.contains(where: { !$0.isWhitespace }) else { return }
        let work = Task { await self.act(text, number, isLast: isLast, controls) }
        state.withLock { $0.work = work }
        await work.value
        let metrics = await controls.metrics().map(\.metric.name)
        let variables = await prompt.variables()
        state.withLock { state in
            state.work = nil
            state.metrics = metrics
            state.variables = variables
        }
    }

    private func act(
        _ text: String,
        _ number: Int,
        isLast: Bool,
        _ controls: any PromptControls
    ) async {
        state.withLock {
            $0.inputs[number] = text.split(separator: "\n", omittingEmptySubsequences: false).map(
                String.init
            )
        }
        switch PromptCommand(text) {
        case .lua(let text):
            let answer = await prompt.evaluate(text, number: number)
            if case .values = answer { state.withLock { $0.transcript.append(text) } }
            show(answer, of: text, isLast: isLast)
        case .plan(let fault):
            switch await prompt.fault(fault, number: number) {
            case .fault(let spec): await plan(spec, controls)
            case .other(let answer): return show(answer, of: text, isLast: isLast)
            }
            advance()
        case .undo: await undo(controls)
        case .faults: await listFaults(controls)
        case .metrics: await listMetrics(controls)
        case .help(let name): help(name)
        case .leave: leave()
        }
    }

    /// The next input has the next number.
    private func advance() {
        state.withLock { state in
            state.number += 1
            state.pending = ""
        }
    }

    private func show(_ answer: Prompt.Answer, of text: String, isLast: Bool) {
        switch answer {
        case .incomplete(let message):
            guard isLast else { return state.withLock { $0.pending = text + "\n" } }
            complain(["syntax error: \(message)"])
        case .values(let values): say(values)
        case .failed(let message, let place): complain(Self.lines(message) + excerpt(place))
        case .interrupted: complain(["interrupted"])
        case .stopped: break
        }
        advance()
    }

    private static func lines(_ message: String) -> [String] {
        message.split(separator: "\n", omittingEmptySubsequences: false).map {
            String($0).replacing("\t", with: "  ").escapedForDisplay(limit: 2000)
        }
    }

    /// The line that a message is about.
    private func excerpt(_ place: SourceLocation?) -> [String] {
        guard let place else { return [] }
        let inputs = state.withLock { $0.inputs }
        let input = inputs.first { Prompt.name(of: $0.key) == place.file }?.value
        guard let input, input.indices.contains(place.line - 1) else { return [] }
        return ["  \(place.line) | " + input[place.line - 1].escapedForDisplay(limit: 200)]
    }
}

// The commands.
extension PromptSession {
    private func plan(_ spec: FaultSpec, _ controls: any PromptControls) async {
        let plan: PlanReply
        do throws(ControlError) {
            plan = try await controls.plan(of: spec)
        } catch {
            return complain(Self.lines(error.description) + excerpt(spec.location))
        }
        var lines = ["\(spec.fault): \(plan.units.count) of \(plan.candidates) matching"]
        for target in plan.targets {
            lines += target.changes.map { "  \($0); held by \(target.heldBy.rawValue)" }
        }
        say(lines + ["nothing was changed"])
    }

    private func undo(_ controls: any PromptControls) async {
        defer { advance() }
        guard let last = await controls.faults().last else { return say(["no fault is in force"]) }
        do throws(ControlError) {
            try await controls.rollback(last.handle)
            prompt.release(last.handle)
        } catch {
            complain(Self.lines(error.description))
        }
    }

    private func listFaults(_ controls: any PromptControls) async {
        defer { advance() }
        let held = await controls.faults()
        var lines = held.isEmpty ? ["no fault is in force"] : ["in force:"]
        for fault in held {
            let targets = fault.targets.map { "\($0)" }.joined(separator: ", ")
            lines.append(
                "  \(fault.handle.number)  \(fault.handle.fault) on \(targets), for \(fault.age.spelled)"
            )
        }
        let names = faults.types.map(\.descriptor.name)
        say(lines + ["known: " + names.joined(separator: ", ")])
    }

    private func listMetrics(_ controls: any PromptControls) async {
        defer { advance() }
        let watched = await controls.metrics()
        var lines =
            watched.isEmpty ? ["no metric is watched: declare some with steady_state {…}"] : []
        for entry in watched {
            let value = entry.value.map(entry.metric.unit.spelled) ?? "no data yet"
            let threshold = entry.metric.healthy.map {
                ", must be \($0.spelled(in: entry.metric.unit))"
            }
            lines.append("  \(entry.metric.name)  \(value)\(threshold ?? "")")
        }
        let known = names.all.map(\.name).filter { $0.hasPrefix("metric.") }
        say(lines + ["known: " + known.joined(separator: ", ")])
    }

    private func help(_ name: String) {
        defer { advance() }
        guard !name.isEmpty else { return say(Self.overview(names)) }
        let short = name.hasPrefix("fault.") ? String(name.dropFirst("fault.".count)) : name
        if let fault = faults[short] { return say(fault.descriptor.lines) }
        if let lines = names.help(name) { return say(lines) }
        let hint = NearestName.hint(for: name, among: names.all.map(\.name))
        complain(["help: nothing is called \(name.escapedForDisplay)\(hint)"])
    }

    private static func overview(_ names: PromptNames) -> [String] {
        let commands = PromptCommand.words.map { "  \($0.word)  \($0.help)" }
        let verbs = names.all.map(\.name).filter { !$0.contains(".") }
        return commands + [
            "Lua: \(verbs.joined(separator: ", "))",
            "  fault.FAMILY.KIND {…}, metric.KIND {…}, target.KIND {…}: TAB completes names and options",
            "Ctrl-C ends the line or what runs. Whatever ends the prompt puts every fault back.",
        ]
    }
}
