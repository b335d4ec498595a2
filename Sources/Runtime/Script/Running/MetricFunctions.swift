// The functions of an experiment's `metric.lua` metrics, in a state that the body cannot block.

import ChaosModel
import LuaBridge

/// Asks the metric functions of one experiment.
actor MetricFunctions {
    private typealias Opening = Task<Result<OpenScript, LuaError>, Never>

    private static let limits = LuaLimits(time: .seconds(5))

    private let title: String
    private let environment: ScriptEnvironment
    private var opening: Opening?

    init(of title: String, in environment: ScriptEnvironment) {
        self.title = title
        self.environment = environment
    }

    /// What a metric says now.
    func reading(of name: String) async -> Reading {
        let opening = opening ?? open()
        self.opening = opening
        do throws(LuaError) {
            let script = try await opening.value.get()
            let declared = script.session.experiments.first { $0.definition.name == title }
            guard let function = declared?.functions[name] else {
                return .noData("the script has no function for \(name)")
            }
            return Reading(results: try await Judging.call(function, in: script.vm))
        } catch {
            // A function that could not be stopped holds its thread: the next is asked in a fresh state.
            if error.kind == .limit, self.opening == opening { self.opening = nil }
            return .noData(error.description)
        }
    }

    private func open() -> Opening {
        let environment = environment
        return Task {
            do throws(LuaError) {
                return .success(try await environment.declare(limits: Self.limits))
            } catch {
                return .failure(error)
            }
        }
    }
}
