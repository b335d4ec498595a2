// The kernel in memory: the same ports as Linux, with two additions. It can fail its N-th call, with or without
// having done it, and its world can be compared before and after.

package import ChaosModel
import Synchronization

/// A kernel in memory.
package final class SimulatedKernel: Sendable {
    /// How a call fails.
    package enum Failure: Sendable, CaseIterable {
        /// Nothing was done.
        case before
        /// It was done, and the answer was lost.
        case after
    }

    /// The machine, and how its calls go.
    struct State {
        var world = SimulatedWorld()
        var calls: [String] = []
        var failAt: Int?
        var failure = Failure.before
        var staysDead = false
        var engines = PacketEngines(working: PacketEngine.allCases, reasons: [:])
        var shapingEngines = [ShapingEngine.nfqueue]
        var obstacles: [ShapingEngine: String] = [:]
        var traffic: TrafficShare?
        var capabilities: Set<String> = [
            "CAP_KILL", "CAP_NET_ADMIN", "CAP_SETUID", "CAP_SYS_ADMIN",
        ]
        var userID: UInt32 = 0
        var bootID = "boot-1"
        var watcher: (@Sendable (String, SimulatedWorld) -> Void)?
        var nextWaiter = 0
        /// Who waits for something in the machine, by number: each says whether it was that; nil is for those who
        /// wait no more.
        var waiters: [Int: @Sendable (SimulatedWorld?) -> Bool] = [:]

        /// Lets those who wait look at the machine.
        mutating func tellWaiters() {
            for (id, look) in waiters.sorted(by: { $0.key < $1.key }) where look(world) {
                waiters[id] = nil
            }
        }
    }

    let state = Mutex(State())

    /// The clock.
    package let time: SimulatedTime

    /// Makes a machine; its clock goes on by itself when somebody sleeps, unless told otherwise.
    package init(time: SimulatedTime = SimulatedTime(advancesBySleeping: true)) {
        self.time = time
    }

    /// The ports to it.
    package var kernel: Kernel {
        Kernel(
            processes: self,
            groups: self,
            loads: self,
            packets: self,
            shaping: self,
            requests: self,
            names: self,
            network: self,
            host: self,
            time: time,
            containers: self,
            tasks: self,
            clocks: self,
            state: self
        )
    }

    /// The machine now.
    package var world: SimulatedWorld { state.withLock { $0.world } }

    /// Changes the machine, as something other than a fault would.
    @discardableResult
    package func change<Value: Sendable>(_ body: @Sendable (inout SimulatedWorld) -> Value) -> Value
    {
        state.withLock { state in
            defer { state.tellWaiters() }
            return body(&state.world)
        }
    }

    /// Calls back after each call that changed the machine, with the call's name and the machine after it.
    package func watch(_ watcher: @escaping @Sendable (String, SimulatedWorld) -> Void) {
        state.withLock { $0.watcher = watcher }
    }

    /// The calls so far, by name.
    package var calls: [String] { state.withLock { $0.calls } }

    /// Makes the N-th call from now fail, counted from 1; nil for none.
    package func fail(call number: Int?, _ failure: Failure = .before) {
        state.withLock { state in
            state.failAt = number.map { state.calls.count + $0 }
            state.failure = failure
        }
    }

    /// Makes the agent die at its N-th call from now, counted from 1: no later call reaches the machine.
    package func die(at number: Int, _ failure: Failure) {
        state.withLock { state in
            state.failAt = state.calls.count + number
            state.failure = failure
            state.staysDead = true
        }
    }

    /// Whether the agent has died at its call.
    package var isDead: Bool {
        state.withLock { state in state.staysDead && state.calls.count >= state.failAt ?? .max }
    }

    /// Starts a new agent on the same machine, after what the kernel does when one dies.
    package func restartAgent() {
        state.withLock { state in
            state.failAt = nil
            state.staysDead = false
            state.world.agentDied()
            state.tellWaiters()
        }
    }

    /// Sets which packet engines work.
    package func setEngines(_ engines: PacketEngines) { state.withLock { $0.engines = engines } }

    /// Sets which shaping engines work, and what they cannot do of any rules.
    package func setShaping(_ working: [ShapingEngine], obstacles: [ShapingEngine: String] = [:]) {
        state.withLock {
            $0.shapingEngines = working
            $0.obstacles = obstacles
        }
    }

    /// Sets how much of the traffic that matches is hit.
    package func setTraffic(_ share: TrafficShare?) { state.withLock { $0.traffic = share } }

    /// Sets who the agent is.
    package func setUser(_ userID: UInt32, capabilities: Set<String>) {
        state.withLock {
            $0.userID = userID
            $0.capabilities = capabilities
        }
    }

    /// Boots again: processes and tables are gone.
    package func reboot() {
        state.withLock {
            $0.bootID += "+"
            $0.world.tables = [:]
            $0.world.shapes = [:]
            $0.world.requests = [:]
            $0.world.loads = [:]
            $0.world.processes = $0.world.processes.filter { $0.key == 1 }
            $0.world.add(pid: 42, name: "moonquake")
            $0.tellWaiters()
        }
    }

    /// Waits until `find` finds something in the machine; nil when the task is cancelled before.
    func first<Value: Sendable>(
        _ find: @escaping @Sendable (SimulatedWorld) -> Value?
    ) async -> Value? {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
                state.withLock { state in
                    if let found = find(state.world) {
                        return continuation.resume(returning: found)
                    }
                    guard !Task.isCancelled else { return continuation.resume(returning: nil) }
                    state.waiters[id] = { world in
                        let found = world.flatMap(find)
                        guard found != nil || world == nil else { return false }
                        continuation.resume(returning: found)
                        return true
                    }
                }
            }
        } onCancel: {
            _ = state.withLock { $0.waiters.removeValue(forKey: id) }?(nil)
        }
    }

    /// A call that needs only the world.
    func callWorld<Value: Sendable>(
        _ name: String,
        _ body: (inout SimulatedWorld) throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        try call(name) { state throws(KernelError) in try body(&state.world) }
    }

    /// A call of a port, in the file of the port: counted, and failing or dead when it is its turn.
    func call<Value: Sendable>(
        _ name: String,
        _ body: (inout State) throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        let result: Result<Value, KernelError> = state.withLock { state in
            state.calls.append(name)
            let fails = state.failAt == state.calls.count
            let error = KernelError(.failed, name, "simulated failure of call \(state.calls.count)")
            if state.staysDead, state.calls.count > state.failAt ?? .max { return .failure(error) }
            if fails, state.failure == .before { return .failure(error) }
            let before = state.world
            let result = Result { () throws(KernelError) in try body(&state) }
            if let watcher = state.watcher, state.world != before { watcher(name, state.world) }
            if !state.waiters.isEmpty { state.tellWaiters() }
            return fails ? .failure(error) : result
        }
        return try result.get()
    }
}
