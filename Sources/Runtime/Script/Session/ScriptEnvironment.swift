// Opens states with one script in them. Every run, rehearsal and metric function gets a fresh one, with the same text
// and the same seed, so that nothing is left over from another.

import ChaosModel
import LuaBridge

/// A state with the script compiled and the primitives in it.
struct OpenScript: Sendable {
    let vm: LuaVM
    let session: ScriptSession
    /// The top level.
    let main: LuaFunction
}

/// What every state of one script has in common.
struct ScriptEnvironment: Sendable {
    let context: BuilderContext
    let libraryFolders: [String]
    let seed: UInt64
    /// How long the top level may take.
    let topLevelTime: Duration
    let host: ScriptHost

    /// Opens a state; the top level has not run yet.
    ///
    /// - Parameters:
    ///   - limits: What the script may use.
    ///   - clock: What `os.time` says, in seconds since 1970; the host's time otherwise.
    /// - Returns: The state, with the script compiled.
    /// - Throws: the syntax error of the script.
    func open(
        limits: LuaLimits = .default,
        clock: (@Sendable () -> Double)? = nil
    ) async throws(LuaError) -> OpenScript {
        var limits = limits
        limits.instructions = limits.instructions ?? host.instructions
        let vm = LuaVM(
            limits: limits,
            scriptFolder: context.file.folder,
            libraryFolders: libraryFolders,
            modules: context.file.modules,
            jobs: host.jobs
        )
        let session = ScriptSession(context: context, vm: vm)
        await vm.configure { vm in
            vm.seedRandom(seed)
            if let clock = clock ?? host.clock { vm.setClock(clock) }
            vm.onPrint { line, _ in session.log(line) }
            vm.installPrimitives(of: session)
        }
        try await vm.nameAgain("print", as: "log")
        let main = try await vm.load(source: context.file.text, name: context.file.path)
        return OpenScript(vm: vm, session: session, main: main)
    }

    /// Opens a state and runs the top level for what it defines.
    func declare(
        limits: LuaLimits = .default,
        clock: (@Sendable () -> Double)? = nil
    ) async throws(LuaError) -> OpenScript {
        let script = try await open(limits: limits, clock: clock)
        try await script.vm.call(script.main, timeout: topLevelTime)
        return script
    }
}

extension LuaVM {
    /// Gives a built-in function a second name.
    fileprivate func nameAgain(_ name: String, as other: String) async throws(LuaError) {
        let reader = try load(source: "return \(name)", name: name)
        let value = try await run(reader).first ?? .nil
        do {
            try register(other, value: value)
        } catch {
            throw LuaError(kind: .runtime, message: "\(error)", underlying: error)
        }
    }
}
