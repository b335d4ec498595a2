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
        let (controls, error) = await rehearse(holding: true)
        var length = controls.notes.isEmpty ? controls.length : nil
        let watched = controls.steadyState ?? definition.steadyState
        // A loop that waits until a check holds is longest when it never does; only scraped metrics ask for that.
        if error == nil, length != nil, controls.checks > 0,
            watched.metrics.contains(where: \.isScraped)
        {
            let (doubtful, _) = await rehearse(holding: false)
            length = doubtful.notes.isEmpty ? max(length, doubtful.length) : nil
        }
        return Rehearsal(
            faults: controls.faults,
            steadyState: controls.steadyState,
            error: error,
            notes: controls.notes,
            length: length
        )
    }

    /// Runs the body once; every check answers as told.
    private func rehearse(holding holds: Bool) async -> (RehearsalControls, DefinitionError?) {
        let controls = RehearsalControls(
            environment.context.faults,
            watching: definition.steadyState,
            holds: holds
        )
        let start = environment.host.clock?() ?? Date().timeIntervalSince1970
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
        return (controls, body.firstError ?? refusal)
    }

    private func max(_ left: Duration?, _ right: Duration?) -> Duration? {
        guard let left, let right else { return left ?? right }
        return Swift.max(left, right)
    }
}
