// Clocks of wrapped services, in memory: every process here is wrapped.

package import ChaosModel

extension SimulatedKernel: ClockPort {
    package func clock(of process: ProcessIdentity) throws(KernelError) -> ServiceClock? {
        try callWorld("clock") { world throws(KernelError) in
            guard world.processes[process.pid]?.startTime == process.startTime else {
                throw KernelError(.gone, "read a clock", "it has ended")
            }
            let inode = UInt64(process.pid)
            // A shifted time is handed out each time somebody looks.
            let offset = world.clocks[inode] ?? 0
            return ServiceClock(inode: inode, offset: offset, reads: offset == 0 ? 7 : 8)
        }
    }

    package func shift(
        _ process: ProcessIdentity,
        by nanoseconds: Int64
    ) async throws(KernelError) {
        try callWorld("shift") { world throws(KernelError) in
            world.clocks[UInt64(process.pid)] = nanoseconds
        }
    }

    package func unshift(_ inode: UInt64) async throws(KernelError) {
        try callWorld("unshift") { world throws(KernelError) in world.clocks[inode] = nil }
    }
}
