// Tracing and limits of processes in memory.

package import ChaosModel

extension SimulatedKernel {
    package func hold(_ process: ProcessIdentity) async throws(KernelError) -> Bool {
        try callWorld("hold") { world throws(KernelError) in
            guard world.isThere(process) else { return false }
            world.processes[process.pid]?.state = "t"
            return true
        }
    }

    package func letGo(_ process: ProcessIdentity) async throws(KernelError) {
        try callWorld("letGo") { world throws(KernelError) in
            guard world.isThere(process), world.processes[process.pid]?.state == "t" else { return }
            world.processes[process.pid]?.state = "S"
        }
    }

    package func tracer(of process: ProcessIdentity) throws(KernelError) -> Int32? {
        try callWorld("tracer") { world throws(KernelError) in
            world.isThere(process) && world.processes[process.pid]?.state == "t" ? 42 : nil
        }
    }

    package func fileLimit(of process: ProcessIdentity) throws(KernelError) -> FileLimit? {
        try callWorld("fileLimit") { world throws(KernelError) in
            guard world.isThere(process), let found = world.processes[process.pid] else {
                return nil
            }
            return FileLimit(soft: found.fileLimit, hard: 4096, open: found.openFiles)
        }
    }

    package func setFileLimit(
        _ soft: UInt64,
        of process: ProcessIdentity
    ) throws(KernelError) -> Bool {
        try callWorld("setFileLimit") { world throws(KernelError) in
            guard world.isThere(process) else { return false }
            world.processes[process.pid]?.fileLimit = soft
            return true
        }
    }
}

extension SimulatedWorld {
    fileprivate func isThere(_ process: ProcessIdentity) -> Bool {
        processes[process.pid]?.startTime == process.startTime
    }
}
