// Control groups in memory: one hierarchy, whose groups may be of either version.

package import ChaosModel

extension SimulatedKernel: ControlGroupPort {
    package func group(
        of process: ProcessIdentity,
        for controller: ControlGroupController
    ) throws(KernelError) -> ControlGroup {
        try callWorld("groupOf") { world throws(KernelError) in
            guard let found = world.processes[process.pid], found.startTime == process.startTime
            else {
                throw KernelError(.gone, "find the group of process \(process.pid)", "it has ended")
            }
            return world.group(found.group, controller)
        }
    }

    package func group(
        at path: String,
        for controller: ControlGroupController
    ) throws(KernelError) -> ControlGroup? {
        try callWorld("groupAt") { world throws(KernelError) in
            path == "/" || world.groups[path] != nil ? world.group(path, controller) : nil
        }
    }

    /// Limits of memory that nobody meets: none, and what a made-up group has.
    private static let roomy = ["", "max\n", "\(SimulatedWorld.roomyMemory)\n"]

    package func read(_ file: String, of group: ControlGroup) throws(KernelError) -> String? {
        try callWorld("readGroup") { world throws(KernelError) in
            let files = try world.there(group).files
            // A limit is reached again each time somebody looks.
            switch file {
            case "cpu.stat" where files["cpu.max"]?.hasPrefix("max") == false:
                return files[file]?.countingOn("nr_throttled")
            case "memory.events" where !Self.roomy.contains(files["memory.max"] ?? ""):
                return files[file]?.countingOn("max")
            default: return files[file]
            }
        }
    }

    package func write(
        _ text: String,
        to file: String,
        of group: ControlGroup
    ) throws(KernelError) {
        try callWorld("writeGroup") { world throws(KernelError) in
            guard try world.there(group).files[file] != nil else {
                throw KernelError(.gone, "write \(file)", "No such file or directory")
            }
            world.groups[group.path]?.files[file] = text.hasSuffix("\n") ? text : text + "\n"
        }
    }

    package func obstacle(
        to file: String,
        of group: ControlGroup
    ) throws(KernelError) -> String? {
        try callWorld("groupObstacle") { world throws(KernelError) in
            if file == "cgroup.procs" { return nil }
            if group.isRoot { return "it is the root of its hierarchy, which has no limits" }
            return try world.there(group).files[file] == nil ? "the group has no file \(file)" : nil
        }
    }

    package func make(
        _ name: String,
        below parent: ControlGroup
    ) throws(KernelError) -> ControlGroup {
        try callWorld("makeGroup") { world throws(KernelError) in
            let path = (parent.isRoot ? "" : parent.path) + "/\(name)"
            if world.groups[path] == nil {
                world.addGroup(path, parent.version, files: ["cgroup.procs": ""])
            }
            return world.group(path, parent.controller)
        }
    }

    package func remove(_ group: ControlGroup) async throws(KernelError) {
        try callWorld("removeGroup") { world throws(KernelError) in
            guard world.groups[group.path]?.inode == group.inode else { return }
            for (pid, process) in world.processes where process.group == group.path {
                world.processes[pid] = nil
            }
            world.groups[group.path] = nil
        }
    }

    package func move(_ pid: Int32, into group: ControlGroup) throws(KernelError) {
        try callWorld("moveIntoGroup") { world throws(KernelError) in
            _ = try world.there(group)
            world.processes[pid]?.group = group.path
        }
    }

    package func members(of group: ControlGroup) throws(KernelError) -> [Int32] {
        try callWorld("membersOfGroup") { world throws(KernelError) in
            world.processes.filter { $0.value.group == group.path }.keys.sorted()
        }
    }

    package func groups(below group: ControlGroup) throws(KernelError) -> [ControlGroup] {
        try callWorld("groupsBelow") { world throws(KernelError) in
            let prefix = group.isRoot ? "/" : group.path + "/"
            let paths = world.groups.keys.filter { $0.hasPrefix(prefix) && $0 != "/" }
            return paths.sorted().map { world.group($0, group.controller) }
        }
    }
}

extension SimulatedWorld {
    fileprivate func group(_ path: String, _ controller: ControlGroupController) -> ControlGroup {
        ControlGroup(
            version: groups[path]?.version ?? .v2,
            controller: controller,
            path: path,
            folder: "/sys/fs/cgroup" + path,
            inode: groups[path]?.inode ?? 1
        )
    }

    fileprivate func there(_ group: ControlGroup) throws(KernelError) -> Group {
        if group.isRoot { return groups["/"] ?? Group(version: .v2, inode: 1, files: [:]) }
        guard let found = groups[group.path], found.inode == group.inode else {
            throw KernelError(.gone, "use \(group)", "it was removed")
        }
        return found
    }
}

extension String {
    /// The counters of a file with one of them one further.
    fileprivate func countingOn(_ counter: String) -> String {
        split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            guard words.first == counter[...], let count = words.last.flatMap({ Int($0) }) else {
                return String(line)
            }
            return "\(counter) \(count + 1)"
        }
        .joined(separator: "\n") + "\n"
    }
}
