// Loading and running. The caller never waits for the script's thread: it waits for an outcome,
// which the thread, a time-out, an abort or the caller's own cancellation may bring.

extension LuaVM {
    /// Compiles a file to a function; `run` executes it.
    ///
    /// The path is what messages show. Its text may be as large as one allocation.
    public func load(file path: String) throws(LuaError) -> LuaFunction {
        let text: String
        do {
            text = try state.modules.read(path)
        } catch {
            throw LuaError(
                kind: .runtime,
                message: String(describing: error),
                underlying: error
            )
        }
        return try state.load(text, name: path)
    }

    /// Compiles a text to a function; messages call it by this name.
    public func load(source: String, name: String) throws(LuaError) -> LuaFunction {
        try state.load(source, name: name)
    }

    /// Runs a script within the limits and returns its results.
    ///
    /// - Throws: the error that ended it; `.aborted` after `abortToken` or a cancelled task.
    @discardableResult
    public nonisolated func run(
        _ script: LuaFunction,
        arguments: [LuaValue] = []
    ) async throws(LuaError) -> [LuaValue] {
        try await call(script, arguments)
    }

    /// Calls a function, also while a script of this state waits.
    ///
    /// - Parameters:
    ///   - function: A function of this state, or one of Swift.
    ///   - arguments: What it is given.
    ///   - timeout: The time that it may take; the limits' time otherwise. It also ends a call that
    ///     cannot begin because a script is busy and does not wait for anything.
    /// - Returns: The function's results.
    /// - Throws: the error that ended it; `.limit` after the time-out.
    @discardableResult
    public nonisolated func call(
        _ function: LuaFunction,
        _ arguments: [LuaValue] = [],
        timeout: Duration? = nil
    ) async throws(LuaError) -> [LuaValue] {
        let activation = LuaActivation(grace: limits.abortGrace)
        abortToken.add(activation)
        defer { abortToken.remove(activation) }
        let driver = Task {
            await self.drive(function, arguments, activation)
        }
        let outcome = await withTaskCancellationHandler {
            await activation.outcome(timeout: timeout ?? limits.time, driver: driver)
        } onCancel: {
            activation.stop(.cancelled)
        }
        return try outcome.get()
    }

    private func drive(
        _ function: LuaFunction,
        _ arguments: [LuaValue],
        _ activation: LuaActivation
    ) async {
        guard activation.begin() else {
            activation.resolve(.failure(.stopped(activation.reason ?? .cancelled, phase: .stopped)))
            return
        }
        let thread: LuaThread
        do {
            thread = try state.makeThread(function, arguments)
        } catch {
            activation.resolve(.failure(error))
            return
        }
        let outcome = await advance(thread, activation)
        state.drop(thread)
        activation.resolve(outcome)
    }

    private func advance(
        _ thread: LuaThread,
        _ activation: LuaActivation
    ) async -> LuaActivation.Outcome {
        while true {
            switch state.resume(thread, activation.flag) {
            case .finished(let values):
                return .success(values)
            case .failed(let error):
                return .failure(error)
            case .stopped(let isOverBudget):
                return stopped(thread, activation, isOverBudget: isOverBudget)
            case .waiting(let pending):
                if activation.reason == nil {
                    let result = await pending.perform()
                    state.deliver(result, at: pending.call, to: thread)
                }
                if activation.reason != nil {
                    return stopped(thread, activation, isOverBudget: false)
                }
            }
        }
    }

    /// Closes a stopped thread and says why and where it was stopped.
    private func stopped(
        _ thread: LuaThread,
        _ activation: LuaActivation,
        isOverBudget: Bool
    ) -> LuaActivation.Outcome {
        let reason =
            activation.reason
            ?? (isOverBudget ? .instructions(limits.instructions ?? 0) : nil)
            ?? .aborted(abortToken.reason ?? "stopped")
        let (frames, failure) = state.close(thread)
        var error = LuaError.stopped(reason, phase: .stopped)
        error.location = frames.first?.location
        error.traceback = frames.text
        if let failure {
            error.traceback += (frames.isEmpty ? "" : "\n") + "while closing: \(failure)"
        }
        return .failure(error)
    }
}

extension LuaPending {
    nonisolated(nonsending) func perform() async -> Result<[LuaValue], any Error> {
        do {
            return .success(try await handler(call))
        } catch {
            return .failure(error)
        }
    }
}
