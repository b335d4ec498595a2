// Control groups on Linux: files below a mount, nothing else.
//
// A path says where a process should be; that its folder is the right one is proved by the process being listed
// there, since mounts may be hidden, bound elsewhere, or of another namespace.

package import ChaosModel
import Glibc

/// Control groups on Linux.
package struct LinuxControlGroups: ControlGroupPort {
    /// How long a group of ours may take to become empty after its processes were killed.
    private static let emptyLimit = Duration.seconds(2)

    /// Makes the port.
    package init() {}

    package func group(
        of process: ProcessIdentity,
        for controller: ControlGroupController
    ) throws(KernelError) -> ControlGroup {
        let operation = "find the control group of process \(process.pid)"
        let processes = LinuxProcesses()
        guard try processes.isThere(process),
            let text = try ProcFile.text("/proc/\(process.pid)/cgroup"),
            try processes.isThere(process)
        else { throw KernelError(.gone, operation, "it has ended") }
        let (mounts, version) = try hierarchy(of: controller, operation)
        guard let path = ControlGroupFile.path(of: text, for: controller, in: version) else {
            throw KernelError(
                .unsupported,
                operation,
                ControlGroupReasons.notMounted(controller)
            )
        }
        guard !path.hasSuffix(" (deleted)") else {
            throw KernelError(.unsupported, operation, "its group \(path) was removed")
        }
        for folder in mounts.folders(of: path, controller, in: version) {
            guard let inode = Self.inode(of: folder), try lists(process.pid, folder) else {
                continue
            }
            let group = ControlGroup(
                version: version,
                controller: controller,
                path: path,
                folder: folder,
                inode: inode
            )
            try requireController(group, operation)
            return group
        }
        throw KernelError(
            .unsupported,
            operation,
            "its group \(path) is not below a mount that this process sees: it is in another cgroup "
                + "namespace or container; run the agent on the host"
        )
    }

    package func group(
        at path: String,
        for controller: ControlGroupController
    ) throws(KernelError) -> ControlGroup? {
        let operation = "find control group \(path.escapedForDisplay)"
        let parts = path.split(separator: "/")
        guard !parts.contains(".."), !parts.contains("."), !path.utf8.contains(0) else {
            throw KernelError(.failed, operation, "not a path of a control group")
        }
        let (mounts, version) = try hierarchy(of: controller, operation)
        let clean = "/" + parts.joined(separator: "/")
        for folder in mounts.folders(of: clean, controller, in: version) {
            guard let inode = Self.inode(of: folder) else { continue }
            let group = ControlGroup(
                version: version,
                controller: controller,
                path: clean,
                folder: folder,
                inode: inode
            )
            try requireController(group, operation)
            return group
        }
        return nil
    }

    package func read(_ file: String, of group: ControlGroup) throws(KernelError) -> String? {
        try requireThere(group)
        let text = try ProcFile.text("\(group.folder)/\(file)")
        if text == nil { try requireThere(group) }
        return text
    }

    package func write(
        _ text: String,
        to file: String,
        of group: ControlGroup
    ) throws(KernelError) {
        try requireThere(group)
        let path = "\(group.folder)/\(file)"
        let operation = "write \(text.escapedForDisplay) to \(path)"
        let target = try opened(path, operation)
        let bytes = Array(text.utf8)
        // One write: the kernel takes each as a whole value.
        while true {
            let count = bytes.withUnsafeBytes {
                Glibc.write(target.number, $0.baseAddress, $0.count)
            }
            if count == bytes.count { return }
            if count < 0, errno == EINTR { continue }
            let code = count < 0 ? errno : EIO
            throw Self.error(code, operation, path)
        }
    }

    package func obstacle(
        to file: String,
        of group: ControlGroup
    ) throws(KernelError) -> String? {
        try requireThere(group)
        let path = "\(group.folder)/\(file)"
        guard let code = Self.refusal(toWrite: path) else {
            return file == "cgroup.procs" ? try obstacle(toMovingInto: group) : nil
        }
        guard code == ENOENT else { return ControlGroupReasons.refused(code, path) }
        if group.isRoot {
            return "it is the root of its hierarchy, which has no limits: "
                + "start the process in a group of its own"
        }
        return "the group has no file \(file): this kernel's control groups do not know it"
    }

    package func make(
        _ name: String,
        below parent: ControlGroup
    ) throws(KernelError) -> ControlGroup {
        let separator = parent.isRoot ? "" : parent.path
        var group = parent
        group.path = "\(separator)/\(name)"
        group.folder = "\(parent.folder)/\(name)"
        try Self.requireOurs(group, "make")
        try requireThere(parent)
        if mkdir(group.folder, 0o755) != 0, errno != EEXIST {
            throw Self.error(errno, "make \(group.folder)", parent.folder)
        }
        guard let inode = Self.inode(of: group.folder) else {
            throw KernelError(.gone, "make \(group.folder)", "it was removed at once")
        }
        group.inode = inode
        return group
    }

    package func remove(_ group: ControlGroup) async throws(KernelError) {
        try Self.requireOurs(group, "remove")
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: Self.emptyLimit)
        var pause = Duration.milliseconds(1)
        while true {
            guard Self.inode(of: group.folder) == group.inode else { return }
            if rmdir(group.folder) == 0 || errno == ENOENT { return }
            let code = errno
            guard code == EBUSY, clock.now < end else {
                throw Self.error(code, "remove \(group.folder)", group.folder)
            }
            try endMembers(of: group)
            // Ending takes the kernel a moment, and v1 tells nobody when a group is empty.
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    package func move(_ pid: Int32, into group: ControlGroup) throws(KernelError) {
        try write("\(pid)", to: "cgroup.procs", of: group)
    }

    package func members(of group: ControlGroup) throws(KernelError) -> [Int32] {
        guard let text = try read("cgroup.procs", of: group) else { return [] }
        return text.split(separator: "\n").compactMap { Int32($0) }
    }

    package func groups(below group: ControlGroup) throws(KernelError) -> [ControlGroup] {
        try requireThere(group)
        var found: [ControlGroup] = []
        var left = [group]
        while let next = left.popLast() {
            for name in try ProcFile.names(in: next.folder) ?? [] {
                var below = next
                below.path = (next.isRoot ? "" : next.path) + "/\(name)"
                below.folder = "\(next.folder)/\(name)"
                guard let inode = Self.inode(of: below.folder) else { continue }
                below.inode = inode
                found.append(below)
                left.append(below)
            }
        }
        return found
    }
}

extension LinuxControlGroups {
    private func hierarchy(
        of controller: ControlGroupController,
        _ operation: String
    ) throws(KernelError) -> (ControlGroupMounts, ControlGroup.Version) {
        let mounts = ControlGroupMounts(mountinfo: try ProcFile.text("/proc/self/mountinfo") ?? "")
        guard let version = mounts.version(of: controller) else {
            throw KernelError(.unsupported, operation, ControlGroupReasons.notMounted(controller))
        }
        return (mounts, version)
    }

    private func requireController(_ group: ControlGroup, _ operation: String) throws(KernelError) {
        guard group.version == .v2 else { return }
        let depth = group.path == "/" ? 0 : group.path.count
        let point = String(group.folder.dropLast(group.folder.hasSuffix(group.path) ? depth : 0))
        let reason = try ControlGroupReasons.notEnabled(
            group.controller,
            in: group.folder,
            below: point
        )
        if let reason { throw KernelError(.unsupported, operation, reason) }
    }

    /// Whether a folder lists a process; one of threads only, which cannot say, is taken at its word.
    private func lists(_ pid: Int32, _ folder: String) throws(KernelError) -> Bool {
        do throws(KernelError) {
            guard let text = try ProcFile.text("\(folder)/cgroup.procs") else { return false }
            return text.split(separator: "\n").contains { $0 == "\(pid)" }
        } catch {
            guard error.kind == .unsupported else { throw error }
            return true
        }
    }

    /// Why no process of ours may be moved into a group; nil when it may.
    ///
    /// In v2 that takes the right to write to what is above both places (cgroups(7), delegation).
    private func obstacle(toMovingInto group: ControlGroup) throws(KernelError) -> String? {
        guard group.version == .v2, let text = try ProcFile.text("/proc/self/cgroup"),
            let own = ControlGroupFile.path(of: text, for: group.controller, in: .v2)
        else { return nil }
        let parts = group.path.split(separator: "/")
        let shared = zip(own.split(separator: "/"), parts).prefix { $0 == $1 }.count
        let folders = group.folder.split(separator: "/").dropLast(parts.count - shared)
        let path = "/" + folders.joined(separator: "/") + "/cgroup.procs"
        guard let code = Self.refusal(toWrite: path) else { return nil }
        // Of a hierarchy that is seen only in part, what is above both is not always seen.
        return code == ENOENT ? nil : ControlGroupReasons.refusedMove(code, path, from: own)
    }

    /// The errno with which a file may not be written; nil when it may.
    ///
    /// Opening alone changes nothing, and asks the very rights that a write needs.
    private static func refusal(toWrite path: String) -> Int32? {
        let number = open(path, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { return errno }
        close(number)
        return nil
    }

    private func requireThere(_ group: ControlGroup) throws(KernelError) {
        guard Self.inode(of: group.folder) == group.inode else {
            throw KernelError(.gone, "use \(group)", "it was removed")
        }
    }

    private static func requireOurs(_ group: ControlGroup, _ verb: String) throws(KernelError) {
        guard group.isOurs else {
            throw KernelError(
                .failed,
                "\(verb) \(group)",
                "it is not named \(ControlGroup.ownPrefix)…"
            )
        }
    }

    private func opened(_ path: String, _ operation: String) throws(KernelError) -> Descriptor {
        let number = open(path, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { throw Self.error(errno, operation, path) }
        return Descriptor(number)
    }

    private func endMembers(of group: ControlGroup) throws(KernelError) {
        let all = "\(group.folder)/cgroup.kill"
        let number = open(all, O_WRONLY | O_CLOEXEC)
        if number >= 0 {
            let file = Descriptor(number)
            try file.writeAll([UInt8(ascii: "1")], "write 1 to \(all)")
            return
        }
        // A group of ours holds only processes that we started, so its list is enough to know whom.
        let text = try ProcFile.text("\(group.folder)/cgroup.procs") ?? ""
        for pid in text.split(separator: "\n").compactMap({ Int32($0) }) { kill(pid, SIGKILL) }
    }

    private static func inode(of folder: String) -> UInt64? {
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return UInt64(status.st_ino)
    }

    private static func error(_ code: Int32, _ operation: String, _ path: String) -> KernelError {
        switch code {
        case EROFS: KernelError(.unsupported, operation, ControlGroupReasons.refused(code, path))
        case EACCES, EPERM:
            KernelError(.notPermitted, operation, ControlGroupReasons.refused(code, path))
        case ENODEV: KernelError(.gone, operation, "the group was removed")
        default: KernelError.system(code, operation)
        }
    }
}
