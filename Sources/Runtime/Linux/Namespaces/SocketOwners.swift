// By what the kernel can tell the packets of one process from those of others in the same network namespace: the
// control group (v2) that its sockets were made in, else its user. Neither is exact, so the plan says whom it hits.

import ChaosModel
import Glibc

/// Finds what tells a process's packets apart.
enum SocketOwners {
    private static let root = "/sys/fs/cgroup"

    /// What tells them apart; throws `.unsupported` with the reasons when nothing does.
    static func owner(of process: ProcessIdentity) throws(KernelError) -> SocketOwner {
        let operation = "tell the packets of process \(process.pid) from those of others here"
        guard let snapshot = try LinuxProcesses().snapshot(of: process) else {
            throw KernelError(.gone, operation, "that process has ended")
        }
        let group = try group(of: process.pid)
        if case .success(let owner) = group { return owner }
        guard case .failure(let reason) = group else { return .user(snapshot.userID) }
        guard snapshot.userID != geteuid(), snapshot.userID != 0 else {
            throw KernelError(
                .unsupported,
                operation,
                "\(reason.text), and its user \(snapshot.userID) is ours or root"
            )
        }
        return .user(snapshot.userID)
    }

    private struct Reason: Error { var text: String }

    private static func group(of pid: Int32) throws(KernelError) -> Result<SocketOwner, Reason> {
        guard isUnified else { return .failure(Reason(text: "no control groups v2 at \(root)")) }
        guard let path = unifiedPath(try ProcFile.text("/proc/\(pid)/cgroup") ?? ""), path != "/"
        else { return .failure(Reason(text: "it is in the root control group")) }
        let own = unifiedPath(try ProcFile.text("/proc/self/cgroup") ?? "") ?? "/"
        guard own != path, !own.hasPrefix(path + "/") else {
            return .failure(Reason(text: "its control group \(path) is also ours"))
        }
        var status = stat()
        guard stat(root + path, &status) == 0 else {
            return .failure(Reason(text: "its control group \(path) cannot be seen at \(root)"))
        }
        let relative = String(path.dropFirst())
        let owner = SocketOwner.controlGroup(
            path: relative,
            id: UInt64(status.st_ino),
            level: relative.split(separator: "/").count
        )
        if let obstacle = obstacle(to: owner) { return .failure(Reason(text: obstacle)) }
        return .success(owner)
    }

    /// Only the root of the v2 hierarchy has this file.
    private static var isUnified: Bool { access(root + "/cgroup.controllers", F_OK) == 0 }

    private static func unifiedPath(_ text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix("0::") }.map {
            String($0.dropFirst(3)).withoutDeletedMark
        }
    }

    /// Why rules cannot name a control group here, tried out in a namespace made for it.
    private static func obstacle(to owner: SocketOwner) -> String? {
        let drops = [PacketMatch(.egress, owner: owner), PacketMatch(.ingress, owner: owner)]
        do throws(KernelError) {
            let plan = try RulePlan(
                PacketRules(name: RulePlan.namePrefix + "probe", pass: [], drop: drops)
            )
            try LinuxNamespaces.withinNew { () throws(KernelError) in
                try NftEngine.tryOut(plan, isOwned: false)
            }
            return nil
        } catch {
            return "rules cannot name its control group (\(error.reason))"
        }
    }
}
