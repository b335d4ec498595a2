// The state of a simulated machine, read past the calls that can fail: it is the observer's, and no step of a fault.

package import ChaosModel

extension SimulatedKernel: StatePort {
    package func lines(of part: StatePart) throws(KernelError) -> [StateLine] {
        let world = world
        switch part {
        case .network(let namespace): return world.rules(in: namespace.inode)
        case .process(let identity): return world.process(identity)
        case .setting(let group, let file, _):
            guard let found = world.groups[group.path] else {
                throw KernelError(.gone, "read the state of \(part)", "it was removed")
            }
            return [StateLine(file, found.files[file] ?? "none")]
        case .groups(let group):
            let prefix = (group.isRoot ? "" : group.path) + "/\(ControlGroup.ownPrefix)"
            return world.groups.keys.filter { $0.hasPrefix(prefix) }.map {
                StateLine("group \($0)", "there")
            }
        case .folder(let path):
            return world.loads.filter { $0.value.folder == path }.keys.map {
                StateLine("file \($0)", "there")
            }
        case .nameFile(let place, let method):
            let edits = world.names.values.filter { $0.method == method && $0.place == place }
            return [
                StateLine(
                    method.file ?? "",
                    "edits: \(edits.map(\.name).sorted().joined(separator: " "))"
                )
            ]
        }
    }
}

extension SimulatedWorld {
    fileprivate func rules(in namespace: UInt64) -> [StateLine] {
        let requests = requests.values.filter { $0.namespace.inode == namespace }
        let names = names.values.filter {
            $0.method == .redirect && $0.place.namespace.inode == namespace
        }
        let tables =
            Array((tables[namespace] ?? [:]).keys) + Array((shapes[namespace] ?? [:]).keys)
            + requests.map(\.rule.name) + names.map(\.name)
        return tables.map { StateLine("table \($0)", "there") }
    }

    fileprivate func process(_ identity: ProcessIdentity) -> [StateLine] {
        guard let process = processes[identity.pid], process.startTime == identity.startTime else {
            return [StateLine(StateWords.state, StateWords.ended)]
        }
        let isStopped = "Tt".contains(process.state)
        return [
            StateLine(StateWords.state, isStopped ? StateWords.stopped : "runs"),
            StateLine(StateWords.openFiles, "\(process.fileLimit)"),
            StateLine(
                StateWords.clock,
                clocks[UInt64(identity.pid)].map { "off by \($0) ns" } ?? "true"
            ),
        ]
    }
}

extension Load {
    /// The folder of its files; nil where it has none.
    fileprivate var folder: String? {
        switch self {
        case .space(let load): load.folder
        case .transfer(let load): load.folder
        case .processor, .memory: nil
        }
    }
}
