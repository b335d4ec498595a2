// Control groups of ours that nothing is in any more: what a load leaves when agent and worker die at once.

package import ChaosModel
import Glibc

/// Empty control groups that are named after a lease.
package enum EmptyGroups {
    /// All of them, in every hierarchy, deepest first.
    package static func find() throws(KernelError) -> [ControlGroup] {
        let port = LinuxControlGroups()
        var found: [ControlGroup] = []
        var roots: Set<String> = []
        for controller in ControlGroupController.allCases {
            // A hierarchy that is not mounted here has nothing of ours.
            guard let root = (try? port.group(at: "/", for: controller)) ?? nil,
                roots.insert(root.folder).inserted
            else { continue }
            for group in try port.groups(below: root) where isLease(group) {
                if try port.members(of: group).isEmpty { found.append(group) }
            }
        }
        return found.sorted { $0.path.utf8.count > $1.path.utf8.count }
    }

    /// The name of a lease's rules and groups: `moonquake_9d4e401`.
    package static func name(of group: ControlGroup) -> String {
        String(group.path.split(separator: "/").last ?? "")
    }

    /// Removes one; the kernel refuses if something has moved in meanwhile.
    package static func remove(_ group: ControlGroup) throws(KernelError) {
        guard rmdir(group.folder) == 0 || errno == ENOENT else {
            throw .system(errno, "remove \(group.folder)")
        }
    }

    /// A lease is letters and digits: others, of tests for instance, are not ours to judge.
    private static func isLease(_ group: ControlGroup) -> Bool {
        let lease = name(of: group).dropFirst(ControlGroup.ownPrefix.count)
        return group.isOurs && !lease.isEmpty
            && lease.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }
}
