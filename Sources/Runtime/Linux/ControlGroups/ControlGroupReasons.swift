// Why a controller cannot be used, and what to do about it: the sentences that a user of a pure v2 host without
// delegation needs, instead of "not supported".

import ChaosModel
import Glibc

/// Reasons and ways out.
enum ControlGroupReasons {
    /// Why a controller has no hierarchy here.
    static func notMounted(_ controller: ControlGroupController) -> String {
        let name = controller.name(in: .v1)
        switch kernelState(of: name) {
        case .absent:
            return "this kernel has no \(name) controller (no line in /proc/cgroups)"
        case .disabled:
            return
                "the \(name) controller is switched off (cgroup_disable on the kernel's command line)"
        case .there:
            return "no control groups with the \(name) controller are mounted: "
                + "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
        }
    }

    /// Why a v2 group lacks a controller; nil when it has it.
    ///
    /// `point` is where the hierarchy is mounted; above it nothing can be seen.
    static func notEnabled(
        _ controller: ControlGroupController,
        in group: String,
        below point: String
    ) throws(KernelError) -> String? {
        let name = controller.name(in: .v2)
        // Usage of processors is counted in every group.
        if controller == .cpuacct { return nil }
        if try words("\(group)/cgroup.controllers").contains(name) { return nil }
        guard try words("\(point)/cgroup.controllers").contains(name) else {
            switch kernelState(of: controller.name(in: .v1)) {
            case .absent: return "this kernel has no \(name) controller"
            case .disabled:
                return
                    "the \(name) controller is switched off (cgroup_disable on the kernel's command line)"
            case .there:
                return "the \(name) controller is not in \(point)/cgroup.controllers: "
                    + "a v1 hierarchy or the host outside of this container has it"
            }
        }
        var folder = point
        for part in group.dropFirst(point.count).split(separator: "/") {
            guard try words("\(folder)/cgroup.subtree_control").contains(name) else { break }
            folder += "/\(part)"
        }
        let file = "\(folder)/cgroup.subtree_control"
        return "the \(name) controller is not in \(file): echo +\(name) > \(file) "
            + "(with systemd: Delegate=\(name) or a limit of that kind in the unit)"
    }

    /// What an error of opening or writing a file means.
    static func refused(_ code: Int32, _ path: String) -> String {
        switch code {
        case EROFS:
            return "control groups are mounted read-only at \(path): mount -o remount,rw, "
                + "or run where they are writable"
        case EACCES, EPERM:
            return "user \(geteuid()) may not write \(path): "
                + "run as its owner, or have the group delegated to this user"
        default:
            return "\(path): \(String(cString: strerror(code)))"
        }
    }

    /// What an error of opening the file above two groups means for moving a process from one to the other.
    static func refusedMove(_ code: Int32, _ path: String, from own: String) -> String {
        "a process that is in \(own) can be moved there only by who may write \(path): "
            + (code == EACCES || code == EPERM
                ? "run moonquake inside of what is delegated to user \(geteuid()) "
                    + "(systemd-run --user --scope), or as root"
                : String(cString: strerror(code)))
    }

    private enum KernelState { case absent, disabled, there }

    private static func kernelState(of name: String) -> KernelState {
        guard let text = try? ProcFile.text("/proc/cgroups") else { return .there }
        let line = text.split(separator: "\n").first {
            $0.split(separator: "\t").first == name[...]
        }
        guard let line else { return .absent }
        return line.hasSuffix("\t0") ? .disabled : .there
    }

    private static func words(_ path: String) throws(KernelError) -> Set<String> {
        let text = try ProcFile.text(path) ?? ""
        return Set(text.split(whereSeparator: \.isWhitespace).map(String.init))
    }
}
