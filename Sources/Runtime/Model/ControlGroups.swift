// The port to control groups. Versions differ in where a process is (one path, or one for each controller) and in
// the names of files; a group here is one folder of one hierarchy, and what is read from it says what it means.
//
// What a fault may write depends on mounts, owners, delegation and controllers that are switched on, and on no
// capability. So nothing is concluded from privileges: the file itself is opened.

/// A part of the kernel that control groups steer.
package enum ControlGroupController: String, Sendable, Hashable, Codable, CaseIterable {
    /// Shares and quotas of processor time.
    case cpu
    /// Processor time used: a controller of its own in v1, always there in v2.
    case cpuacct
    /// Memory.
    case memory
    /// The number of tasks.
    case pids
    /// Block devices: `blkio` in v1.
    case io

    /// Its name in a version.
    package func name(in version: ControlGroup.Version) -> String {
        self == .io && version == .v1 ? "blkio" : rawValue
    }
}

/// One control group, as one hierarchy has it.
///
/// The inode tells it apart from a later one of the same path.
package struct ControlGroup: Sendable, Hashable, Codable {
    /// The kinds of hierarchies.
    package enum Version: Int, Sendable, Hashable, Codable {
        case v1 = 1
        case v2 = 2
    }

    /// Which kind of hierarchy it is in.
    package var version: Version
    /// What was asked of it when it was looked up.
    package var controller: ControlGroupController
    /// Its path in the hierarchy, as /proc/PID/cgroup has it.
    package var path: String
    /// Where its files are.
    package var folder: String
    /// The inode of the folder.
    package var inode: UInt64

    /// Makes a group from its parts.
    package init(
        version: Version,
        controller: ControlGroupController,
        path: String,
        folder: String,
        inode: UInt64
    ) {
        self.version = version
        self.controller = controller
        self.path = path
        self.folder = folder
        self.inode = inode
    }

    /// Whether it is the root of its hierarchy, which nothing can limit.
    package var isRoot: Bool { path == "/" }

    /// Whether another group of the same hierarchy is this one or below it.
    package func contains(_ other: ControlGroup) -> Bool {
        guard version == other.version else { return false }
        return isRoot || other.path == path || other.path.hasPrefix(path + "/")
    }

    /// What the names of groups of ours begin with.
    package static let ownPrefix = "moonquake_"

    /// Whether it is one of ours, by its name.
    package var isOurs: Bool {
        path.split(separator: "/").last?.hasPrefix(Self.ownPrefix) == true
    }
}

extension ControlGroup: CustomStringConvertible {
    package var description: String { "control group \(path.escapedForDisplay)" }
}

/// Control groups.
package protocol ControlGroupPort: Sendable {
    /// The group of a process where a controller can be used.
    ///
    /// - Throws: `unsupported` when the controller cannot be used in that group, with the reason and the way to
    ///   get it; `gone` when the process is.
    func group(of process: ProcessIdentity, for controller: ControlGroupController)
        throws(KernelError) -> ControlGroup

    /// A group by its path in the hierarchy of a controller; nil when there is none.
    ///
    /// - Throws: `unsupported` as above.
    func group(at path: String, for controller: ControlGroupController) throws(KernelError)
        -> ControlGroup?

    /// The text of a file of a group; nil when the group has no such file.
    ///
    /// - Throws: `gone` when the group is.
    func read(_ file: String, of group: ControlGroup) throws(KernelError) -> String?

    /// Writes to a file of a group.
    ///
    /// - Throws: `gone` when the group is; else what the kernel answered, and the way to get it.
    func write(_ text: String, to file: String, of group: ControlGroup) throws(KernelError)

    /// Why a file of a group cannot be written, and the way to get it; nil when it can.
    func obstacle(to file: String, of group: ControlGroup) throws(KernelError) -> String?

    /// Makes a group of ours below another; one that is there already is taken.
    ///
    /// The name begins with `ControlGroup.ownPrefix`.
    func make(_ name: String, below parent: ControlGroup) throws(KernelError) -> ControlGroup

    /// Ends what is in a group of ours and removes it; one that is gone is no error.
    func remove(_ group: ControlGroup) async throws(KernelError)

    /// Moves a process, with all its threads, into a group.
    func move(_ pid: Int32, into group: ControlGroup) throws(KernelError)

    /// The processes in a group, without those in groups below.
    func members(of group: ControlGroup) throws(KernelError) -> [Int32]

    /// The groups below a group, at any depth.
    func groups(below group: ControlGroup) throws(KernelError) -> [ControlGroup]
}
