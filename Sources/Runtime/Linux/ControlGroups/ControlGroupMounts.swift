// Where the hierarchies are mounted (/proc/PID/mountinfo) and where a process is in them (/proc/PID/cgroup), as
// values. Both are told from the reader's cgroup namespace, so that they fit together.

import ChaosModel

/// The hierarchies of control groups as one process sees them.
struct ControlGroupMounts: Sendable {
    /// A mounted hierarchy, or a part of it.
    struct Mount: Sendable, Equatable {
        /// The path in the hierarchy that is mounted there: `/`, another for a bind mount or a container.
        var root: String
        /// Where.
        var point: String
        var version: ControlGroup.Version
        /// The controllers of a v1 hierarchy.
        var controllers: Set<String>
    }

    /// In the order of mountinfo: of two at the same point, the later hides the earlier.
    var mounts: [Mount]

    /// Reads the text of mountinfo, proc_pid_mountinfo(5).
    init(mountinfo text: String) {
        mounts = text.split(separator: "\n").compactMap { Mount(line: $0) }
    }

    /// The hierarchy of a controller; v1 where it is mounted as that, as the kernel gives it to one only.
    func version(of controller: ControlGroupController) -> ControlGroup.Version? {
        let name = controller.name(in: .v1)
        if mounts.contains(where: { $0.version == .v1 && $0.controllers.contains(name) }) {
            return .v1
        }
        return mounts.contains { $0.version == .v2 } ? .v2 : nil
    }

    /// The folders that a path of a hierarchy may have here, the best first.
    func folders(
        of path: String,
        _ controller: ControlGroupController,
        in version: ControlGroup.Version
    ) -> [String] {
        let fitting = mounts.reversed().filter { mount in
            mount.version == version
                && (version == .v2 || mount.controllers.contains(controller.name(in: .v1)))
        }
        return fitting.compactMap { $0.folder(of: path) }
    }
}

extension ControlGroupMounts.Mount {
    /// Reads a line; nil for mounts of other kinds.
    init?(line: Substring) {
        let fields = line.split(separator: " ")
        guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else {
            return nil
        }
        switch fields[dash + 1] {
        case "cgroup": version = .v1
        case "cgroup2": version = .v2
        default: return nil
        }
        root = Self.unescaped(fields[3])
        point = Self.unescaped(fields[4])
        controllers =
            version == .v1 ? Set(fields[dash + 3].split(separator: ",").map(String.init)) : []
    }

    /// Where a path of the hierarchy is, when this mount shows it.
    func folder(of path: String) -> String? {
        // Above the namespace's root: nothing here can say where that is.
        guard !path.hasPrefix("/.."), !root.hasPrefix("/..") else { return nil }
        let rest: Substring
        if root == "/" {
            rest = path[...]
        } else if path == root {
            rest = ""
        } else if path.hasPrefix(root + "/") {
            rest = path.dropFirst(root.count)
        } else {
            return nil
        }
        return rest.isEmpty || rest == "/" ? point : point + rest
    }

    /// The kernel writes blanks, tabs, newlines and backslashes in octal: `\040`.
    static func unescaped(_ field: Substring) -> String {
        guard field.contains("\\") else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let first = rest.first {
            if first == UInt8(ascii: "\\"), rest.count >= 4,
                let code = UInt8(
                    String(decoding: rest.dropFirst().prefix(3), as: UTF8.self),
                    radix: 8
                )
            {
                bytes.append(code)
                rest = rest.dropFirst(4)
            } else {
                bytes.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ControlGroupFile {
    /// The path of a process in the hierarchy of a controller; nil when the text has no line for it.
    static func path(
        of text: String,
        for controller: ControlGroupController,
        in version: ControlGroup.Version
    ) -> String? {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isThis =
                version == .v2
                ? parts[0] == "0" && parts[1].isEmpty
                : parts[1].split(separator: ",").contains { $0 == controller.name(in: .v1) }
            if isThis { return String(parts[2]) }
        }
        return nil
    }
}
