// Functions of a script that only look: those of `metric.lua` and of `abort_if`. They are called while the body
// waits, or in a state of their own, and must not act.

import ChaosModel
import LuaBridge

/// Calls functions that only look.
enum Judging {
    /// Whether the current task calls such a function.
    @TaskLocal
    static var isOn = false

    /// How long one may take.
    static let timeLimit = Duration.seconds(1)

    static func call(_ function: LuaFunction, in vm: LuaVM) async throws(LuaError) -> [LuaValue] {
        let outcome: Result<[LuaValue], LuaError> = await $isOn.withValue(true) {
            do throws(LuaError) {
                return .success(try await vm.call(function, timeout: timeLimit))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// What the function of a metric says.
    static func reading(of function: LuaFunction, in vm: LuaVM) async -> Reading {
        do throws(LuaError) {
            return Reading(results: try await call(function, in: vm))
        } catch {
            return .noData(error.description)
        }
    }
}

extension Reading {
    /// `return 3`, `return true`, or `return nil, "why there is no value"`.
    init(results: [LuaValue]) {
        switch results.first ?? .nil {
        case .integer(let number): self = .value(Double(number))
        case .number(let number): self = .value(number)
        case .boolean(let flag): self = .value(flag ? 1 : 0)
        case .nil:
            let reason = results.dropFirst().first?.string
            self = .noData(reason ?? "the function returned nothing")
        case let other: self = .noData("the function must return a number, got \(other.given)")
        }
    }
}
