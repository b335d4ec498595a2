// Control groups of one test: v2 has all controllers in one hierarchy, v1 one hierarchy for each.

import Glibc

/// Groups that were handed to the ordinary user.
struct DelegatedGroups {
    /// Those with the process.
    let groups: [String]
    /// In v2, where moonquake has to run to move a worker into them.
    let own: String?
}

extension Sandbox {
    /// The hierarchies with processor time, memory and tasks.
    static let hierarchies: [String] = {
        let root = "/sys/fs/cgroup"
        if access("\(root)/cgroup.controllers", F_OK) == 0 { return [root] }
        let found = ["cpu", "cpuacct", "memory", "pids"].map { "\(root)/\($0)" }
            .filter { access("\($0)/cgroup.procs", W_OK) == 0 }
        // Two controllers may share a hierarchy: `cpuacct` is a link to it then.
        return found.enumerated().filter { index, folder in
            !found[..<index].contains { Sandbox.inode(of: $0) == Sandbox.inode(of: folder) }
        }.map(\.element)
    }()

    private static func inode(of folder: String) -> [UInt64] {
        var status = stat()
        return stat(folder, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : []
    }

    /// Puts a process into a new group of each hierarchy; they are gone with the test.
    func groups(of pid: pid_t) throws -> [String] {
        let name = "mqe-\(UInt32.random(in: .min ... .max))"
        let groups = Self.hierarchies.map { "\($0)/\(name)" }
        for group in groups {
            guard mkdir(group, 0o755) == 0 else { throw SetUpError("cannot make \(group)") }
            adopt(group: group)
            try File.write("\(pid)", to: "\(group)/cgroup.procs")
        }
        return groups
    }

    /// Writes the first of these files that one of the groups has.
    func write(_ text: String, to files: String..., in groups: [String]) throws {
        let paths = groups.flatMap { group in files.map { "\(group)/\($0)" } }
        guard let path = paths.first(where: { access($0, F_OK) == 0 }) else {
            throw SetUpError("no group has any of \(files)")
        }
        try File.write(text, to: path)
    }

    /// Puts a process into groups that the ordinary user may change, as a service manager delegates them.
    func delegatedGroups(of pid: pid_t) throws -> DelegatedGroups {
        let name = "mqe-\(UInt32.random(in: .min ... .max))"
        let isUnified = Self.hierarchies == ["/sys/fs/cgroup"]
        let outer = Self.hierarchies.map { "\($0)/\(name)" }
        let groups = isUnified ? outer.map { "\($0)/app" } : outer
        let own = isUnified ? outer.first.map { "\($0)/own" } : nil
        for group in outer + (own.map { groups + [$0] } ?? []) {
            guard mkdir(group, 0o755) == 0 else { throw SetUpError("cannot make \(group)") }
            if isUnified, outer.contains(group) {
                try File.write("+cpu +memory +pids", to: "\(group)/cgroup.subtree_control")
            }
        }
        // Inner groups are removed first.
        for group in groups + (own.map { [$0] } ?? []) + (isUnified ? outer : []) {
            adopt(group: group)
            chown(group, nobody, nobody)
            for file in File.names(in: group) { chown("\(group)/\(file)", nobody, nobody) }
        }
        for group in groups { try File.write("\(pid)", to: "\(group)/cgroup.procs") }
        return DelegatedGroups(groups: groups, own: own)
    }
}
