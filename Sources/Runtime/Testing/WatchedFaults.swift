// The program's faults with two additions for tests: which of them are on is known, so that made-up metrics can follow
// them, and a test can let one fail as the kernel would.

import ChaosModel
import LuaBridge
import Synchronization

/// The faults of one made-up machine.
final class WatchedFaults: Sendable {
    private struct Active {
        var name: String
        var options: LuaTable
    }

    private struct State {
        /// By their number.
        var active: [Int: Active] = [:]
        /// The numbers by the journaled forms of the undos; one that is looked after gets new ones.
        var numbers: [String: Int] = [:]
        var injected = 0
    }

    private let failures: [String: String]
    private let state = Mutex(State())

    /// Makes faults.
    ///
    /// - Parameter failures: Why those of these names cannot be made.
    init(failing failures: [String: String]) { self.failures = failures }

    /// What is on, by the fault's name: its options in base units, and how many `targets` it is on.
    var table: LuaTable {
        state.withLock { state in
            var table = LuaTable()
            for (_, active) in state.active.sorted(by: { $0.key < $1.key }) {
                let before = table[active.name].table?["targets"].integer ?? 0
                var options = active.options
                options["targets"] = .integer(before + 1)
                table[active.name] = .table(options)
            }
            return table
        }
    }

    /// What an agent can make: `faults`, watched.
    func catalogue(of faults: FaultCatalogue) -> FaultCatalogue { faults.map(watched) }

    /// What the kernel ends with the agent.
    func forgetAll() { state.withLock { $0.active = [:] } }

    private func watched(_ type: FaultType) -> FaultType {
        var watched = type
        watched.make = { parameters throws(DefinitionError) in
            var instance = try type.make(parameters)
            let inject = instance.inject
            instance.inject = { undo, kernel throws(FaultError) in
                if let why = self.failures[type.descriptor.name] { throw .refused(why) }
                try await inject(undo, kernel)
                self.add(undo, type.descriptor, parameters)
            }
            let followUp = instance.followUp
            instance.followUp = { undo, kernel throws(FaultError) in
                let next = try await followUp(undo, kernel)
                if let next { self.rename(undo, to: next.undo) }
                return next
            }
            return instance
        }
        watched.revert = { undo, kernel throws(FaultError) in
            try await type.revert(undo, kernel)
            self.state.withLock { state in
                guard let number = state.numbers[Self.key(undo)] else { return }
                state.active[number] = nil
            }
        }
        return watched
    }

    private func add(_ undo: AnyUndo, _ descriptor: FaultDescriptor, _ parameters: Parameters) {
        var options = LuaTable()
        for parameter in descriptor.parameterSet.parameters {
            guard let value = parameters.values[parameter.name] else { continue }
            options[parameter.name] = LuaValue(value, inBaseUnitsOf: parameter.shape)
        }
        state.withLock { state in
            state.injected += 1
            state.active[state.injected] = Active(name: descriptor.name, options: options)
            state.numbers[Self.key(undo)] = state.injected
        }
    }

    private func rename(_ undo: AnyUndo, to new: AnyUndo) {
        state.withLock { $0.numbers[Self.key(new)] = $0.numbers[Self.key(undo)] }
    }

    private static func key(_ undo: AnyUndo) -> String { (try? WireJSON.line(undo)) ?? "" }
}

extension LuaValue {
    /// A value as Lua has it; a whole number is an integer.
    init(_ value: ParameterValue) {
        switch value {
        case .string(let text): self = .string(text)
        case .number(let number):
            self = Int64(exactly: number).map { .integer($0) } ?? .number(number)
        case .boolean(let flag): self = .boolean(flag)
        case .list(let items): self = .table(LuaTable(array: items.map { LuaValue($0) }))
        case .table(let fields):
            self = .table(LuaTable(fields: fields.mapValues { LuaValue($0) }))
        }
    }

    /// An option as a number where it has a unit: seconds, shares, bytes, events a second.
    fileprivate init(_ value: ParameterValue, inBaseUnitsOf shape: ParameterShape) {
        var number: Double?
        if case .string(let text) = value {
            number =
                switch shape.type {
                case "duration": Units.seconds(text)
                case "percent": Units.share(text)
                case "size": Units.bytes(text)
                case "rate": Units.perSecond(text)
                default: nil
                }
        }
        self = number.map { .number($0) } ?? LuaValue(value)
    }
}
