// The program's faults with two additions for tests: which of them are on is known, so that made-up metrics can follow
// them, and a test can let one fail as the kernel would.

import ChaosModel
import LuaBridge
import Synchronization

/// The faults of one made-up machine.
final class WatchedFaults: Sendable {
    private struct Active {
        var number: Int
        var name: String
        var options: LuaTable
    }

    private struct State {
        /// By the journaled form of the undo.
        var active: [String: Active] = [:]
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
            for active in state.active.values.sorted(by: { $0.number < $1.number }) {
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
            return instance
        }
        watched.revert = { undo, kernel throws(FaultError) in
            try await type.revert(undo, kernel)
            self.state.withLock { _ = $0.active.removeValue(forKey: Self.key(undo)) }
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
            state.active[Self.key(undo)] = Active(
                number: state.injected,
                name: descriptor.name,
                options: options
            )
        }
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
