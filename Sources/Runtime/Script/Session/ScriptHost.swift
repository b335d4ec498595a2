// What the states of scripts live in: a machine's own threads and time, or a program's that runs everything in one order.

package import LuaBridge

/// The surroundings of the states of scripts.
package struct ScriptHost: Sendable {
    /// Runs the steps of states; each has a thread of its own without it.
    package var jobs: (@Sendable (LuaJob) -> Void)?
    /// What `os.time` says, in seconds since 1970; the system's time without it.
    package var clock: (@Sendable () -> Double)?
    /// The most instructions of one run or call that has no other bound.
    package var instructions: Int?

    /// Makes surroundings; without anything, those of this machine.
    package init(
        jobs: (@Sendable (LuaJob) -> Void)? = nil,
        clock: (@Sendable () -> Double)? = nil,
        instructions: Int? = nil
    ) {
        self.jobs = jobs
        self.clock = clock
        self.instructions = instructions
    }
}
