// The processes of a group, from one pass over all processes: a control group or a pid namespace has many.

import ChaosModel

/// All processes at one moment.
struct ProcessTable {
    let processes: [ProcessSnapshot]

    init(_ kernel: Kernel) throws(TargetError) {
        processes = try TargetError.kernel { () throws(KernelError) in
            var found: [ProcessSnapshot] = []
            for pid in try kernel.processes.pids().sorted() {
                guard let process = try kernel.processes.snapshot(pid: pid),
                    process.state != "Z", process.state != "X"
                else { continue }
                found.append(process)
            }
            return found
        }
    }

    /// A process and all that descend from it, in the order of their pids, it first.
    func family(of leader: ProcessIdentity) -> [ProcessSnapshot] {
        var children: [Int32: [ProcessSnapshot]] = [:]
        for process in processes { children[process.parent, default: []].append(process) }
        var found = processes.filter { $0.identity == leader }
        var next = 0
        while next < found.count {
            found += children[found[next].identity.pid] ?? []
            next += 1
        }
        return found
    }
}

extension TargetGroup {
    /// What a fault hits of the group, given its processes.
    func parts(
        _ reach: GroupReach,
        members: () throws(TargetError) -> [ProcessSnapshot],
        on kernel: Kernel
    ) throws(TargetError) -> [Target] {
        switch reach {
        case .leader:
            return [.process(name: name, leader, of: self)]
        case .namespace:
            let namespace = try TargetError.kernel { () throws(KernelError) in
                try kernel.network.namespace(of: leader)
            }
            return [.netns(name: name, namespace, of: self)]
        case .processes:
            return try members().map { .process(name: $0.displayName, $0.identity, of: self) }
        }
    }
}
