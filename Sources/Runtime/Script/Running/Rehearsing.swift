// What a body would do, found by running it with controls that touch nothing.
//
// A definition error of any primitive is the rehearsal's error, also when the script catches it. An error of the
// script's own is a note, since the rehearsal's answers are made up: a real run may never come there.

import ChaosEngine
import ChaosModel
import FoundationEssentials
import LuaBridge

/// Rehearses the body of a script.
struct Rehearsing {
    private static let limits = LuaLimits(instructions: 50_000_000, time: .seconds(5))

    let entry: ScriptBody.Entry
    let definition: ExperimentDefinition
    let environment: ScriptEnvironment

    func rehearse() async -> Rehearsal {
        let controls = RehearsalControls(
            environment.context.faults,
            watching: definition.steadyState
        )
        let start = Date().timeIntervalSince1970
        let body = ScriptBody(entry, in: environment, limits: Self.limits) {
            start + controls.waited.inSeconds
        }
        var refusal: DefinitionError?
        do throws(BodyError) {
            try await body.run(controls)
        } catch {
            switch error {
            case .stopped: break
            case .control(.definition(let found), _): refusal = found
            case .control(let failure, _): controls.note("the rehearsal ended early: \(failure)")
            case .raised(let message, _): controls.note("the rehearsal ended early: \(message)")
            }
        }
        return Rehearsal(
            faults: controls.faults,
            steadyState: controls.steadyState,
            error: body.firstError ?? refusal,
            notes: controls.notes
        )
    }
}
