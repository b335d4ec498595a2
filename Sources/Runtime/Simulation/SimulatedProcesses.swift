// Processes in memory: a table of them, signals that stop, continue and end, and a supervisor that starts anew.

package import ChaosModel

extension SimulatedKernel: ProcessPort {
    package func pids() throws(KernelError) -> [Int32] {
        try call("pids") { state throws(KernelError) in state.world.processes.keys.sorted() }
    }

    package func snapshot(pid: Int32) throws(KernelError) -> ProcessSnapshot? {
        try call("snapshot") { state throws(KernelError) in
            state.world.processes[pid].map { process in
                ProcessSnapshot(
                    identity: ProcessIdentity(pid: pid, startTime: process.startTime),
                    parent: process.parent,
                    shortName: String(process.name.prefix(15)),
                    arguments: process.arguments,
                    executable: process.arguments.first,
                    userID: process.userID,
                    state: process.state,
                    isKernelThread: process.isKernelThread
                )
            }
        }
    }

    package func controlGroup(of process: ProcessIdentity) throws(KernelError) -> String? {
        try call("controlGroup") { state throws(KernelError) in
            state.world.processes[process.pid]?.group
        }
    }

    package func pidNamespace(of process: ProcessIdentity) throws(KernelError) -> UInt64? {
        try call("pidNamespace") { state throws(KernelError) in
            state.world.processes[process.pid]?.pidNamespace
        }
    }

    package func listening(on port: Int) throws(KernelError) -> Set<Int32> {
        try call("listening") { state throws(KernelError) in
            Set(state.world.processes.filter { $0.value.ports.contains(port) }.keys)
        }
    }

    package func userID(named name: String) throws(KernelError) -> UInt32? {
        try call("userID") { state throws(KernelError) in name == "root" ? 0 : nil }
    }

    package func signal(_ process: ProcessIdentity, _ signal: Int32) throws(KernelError) -> Bool {
        try call("signal") { state throws(KernelError) in
            guard let found = state.world.processes[process.pid],
                found.startTime == process.startTime
            else {
                return false
            }
            switch signal {
            case 19: state.world.processes[process.pid]?.state = "T"
            case 18: if found.state == "T" { state.world.processes[process.pid]?.state = "S" }
            default:
                state.world.processes[process.pid] = nil
                guard found.isSupervised else { break }
                state.world.add(
                    name: found.name,
                    arguments: found.arguments,
                    userID: found.userID,
                    group: found.group,
                    ports: found.ports,
                    isSupervised: true
                )
            }
            return true
        }
    }

    package func ended(
        _ process: ProcessIdentity,
        within limit: Duration
    ) async throws(KernelError) -> Bool {
        try call("ended") { state throws(KernelError) in
            state.world.processes[process.pid]?.startTime != process.startTime
        }
    }

    package func start(_ arguments: [String]) throws(KernelError) -> ProcessIdentity {
        try call("start") { state throws(KernelError) in
            let name = arguments.first?.split(separator: "/").last.map(String.init) ?? "?"
            return state.world.add(name: name, arguments: arguments)
        }
    }
}
