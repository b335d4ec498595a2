// One Lua state as an actor on a thread of its own.
//
//     let vm = LuaVM(scriptFolder: "scripts")
//     await vm.registerAsync("wait") { call in
//         try await clock.sleep(for: parse(call.string(1, "time")))
//         return []
//     }
//     let script = try await vm.load(file: "scripts/slow-db.lua")
//     try await vm.run(script)                       // throws LuaError
//     vm.abortToken.abort("p99 over 2s")             // from anywhere
//
// Scripts run as coroutines: a function that waits suspends its script and frees the thread, so
// other functions of the same state can be called meanwhile.

/// A Lua 5.4 state with a sandbox, limits and a kill switch.
///
/// Its scripts run on one thread of their own, so one that cannot be stopped holds nothing else.
/// The state is closed when the last reference goes. A handler that captures the actor must
/// capture it weakly, since the actor keeps the handler.
public actor LuaVM {
    private let executor: LuaExecutor
    let state: LuaState
    /// What the scripts may use.
    public nonisolated let limits: LuaLimits
    /// Stops the scripts, from any thread.
    public nonisolated let abortToken: LuaAbortToken

    /// Opens a state.
    ///
    /// - Parameters:
    ///   - limits: The bounds of each run and of the memory of all.
    ///   - scriptFolder: Where `require` looks first.
    ///   - libraryFolders: Where it looks next, in this order.
    ///   - modules: What was read of the script's folder before, and is taken instead of its files.
    ///   - jobs: Runs the steps of this state; a thread of its own does without it.
    public init(
        limits: LuaLimits = .default,
        scriptFolder: String? = nil,
        libraryFolders: [String] = [],
        modules: LuaModuleTexts = LuaModuleTexts(),
        jobs: (@Sendable (LuaJob) -> Void)? = nil
    ) {
        let token = LuaAbortToken()
        executor = LuaExecutor(jobs)
        self.limits = limits
        abortToken = token
        state = LuaState(
            limits: limits,
            stop: token.stop,
            modules: LuaModules(
                scriptFolder: scriptFolder,
                libraryFolders: libraryFolders,
                mostBytes: limits.allocationBytes,
                known: modules
            )
        )
    }

    /// The thread of this state.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// Runs several steps of a set-up without a hop between them.
    public func configure<Result: Sendable>(
        _ body: @Sendable (isolated LuaVM) throws -> Result
    ) rethrows -> Result {
        try body(self)
    }

    /// Takes what scripts print, a call at a time and without a line end; standard output otherwise.
    public func onPrint(_ handler: @escaping @Sendable (String, LuaLocation?) -> Void) {
        state.onPrint = handler
    }

    /// Seeds `math.random`; equal seeds give equal numbers.
    ///
    /// A state begins with the seed 0.
    public func seedRandom(_ seed: UInt64) {
        state.seedRandom(seed)
    }

    /// Replaces the clock behind `os.time` and `os.date`: seconds since 1970, UTC.
    public func setClock(_ clock: @escaping @Sendable () -> Double) {
        state.clock = clock
    }

    /// Where `require` looks first, for a state that runs scripts of several folders.
    public func setScriptFolder(_ folder: String?) {
        state.modules.scriptFolder = folder
    }

    /// Bytes that the state holds now.
    public var memoryUsed: Int {
        state.memoryUsed
    }
}
