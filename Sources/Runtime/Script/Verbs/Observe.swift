// `observe("text")` puts a human observation on the time line, of a run or of a GameDay. At the top level of a file it says nothing.

import ChaosModel
import LuaBridge

/// The primitive `observe`.
enum Observe: Primitive {
    static let signature = Signature(
        name: "observe",
        help: "Puts an observation on the time line of the report.",
        parameters: [SignaturePart("text", "string", "What was seen.")]
    )

    private static let mostCharacters = 4096

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let text = try call.text("a text such as \"the queue drained\"")
        switch session.stage {
        case .declaring: break
        case .experiment(let controls), .plain(let controls):
            await session.flushLog()
            await controls.observe(String(text.prefix(mostCharacters)))
        case .day(let controls):
            await session.flushLog()
            await controls.observe(String(text.prefix(mostCharacters)))
        }
        return []
    }
}
