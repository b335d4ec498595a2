// Whether netem works on this machine, tried out in a namespace that is made for it and ends with it.

import ChaosModel
import Glibc
import Synchronization

/// Finds out once.
final class NetemProbe: Sendable {
    private let known = Mutex<String??>(nil)

    /// Why it does not work, and how to get it; nil when it does.
    var absence: String? {
        known.withLock { known in
            if let known { return known }
            let found = Self.find()
            known = .some(found)
            return found
        }
    }

    private static func find() -> String? {
        do throws(KernelError) {
            return try LinuxNamespaces.withinNew { () throws(KernelError) in try tryOut() }
        } catch {
            return error.description
        }
    }

    /// Does in the calling thread's namespace what `shape` does, on its loopback interface.
    private static func tryOut() throws(KernelError) -> String? {
        let rtnetlink = try Rtnetlink()
        let index: Int32
        do throws(Rtnetlink.Refusal) {
            index = try rtnetlink.addIfb("mqprobee")
        } catch {
            guard error.code == EOPNOTSUPP else { return error.error("add an ifb").description }
            return "the kernel has no ifb (CONFIG_IFB); \(ways(module: "ifb"))"
        }
        let delay = Impairment(delay: PacketDelay(delayMs: 1))
        do throws(Rtnetlink.Refusal) {
            try rtnetlink.addNetems([NetemOptions(impairment: delay, seed: 1)], to: index)
        } catch {
            guard error.code == ENOENT else { return error.error("add netem").description }
            return "the kernel has no netem (CONFIG_NET_SCH_NETEM); \(ways(module: "sch_netem"))"
        }
        if let obstacle = NftContext.obstacle() { return obstacle.description }
        return try tryOutTable(to: index)
    }

    private static func tryOutTable(to index: Int32) throws(KernelError) -> String? {
        let context = try NftContext()
        let table = "netdev moonquake_probe"
        let steps = [
            (
                "create table \(table) { flags owner; }",
                "no `flags owner`: needs Linux 5.12 and nftables 0.9.9"
            ),
            (
                "add chain \(table) e { type filter hook egress device \"lo\" priority 0; policy accept; }",
                "no egress hook in tables of family netdev: needs Linux 5.16 and nftables 1.0.1"
            ),
            (
                "add rule \(table) e ip daddr 192.0.2.1 counter fwd to \(index)",
                "no `fwd` in nf_tables (CONFIG_NFT_FWD_NETDEV); \(ways(module: "nft_fwd_netdev"))"
            ),
        ]
        for (commands, reason) in steps {
            do throws(NftContext.Refusal) {
                _ = try context.run(commands + "\n")
            } catch {
                return "\(reason) (\(error.text))"
            }
        }
        return nil
    }

    private static func ways(module: String) -> String {
        "try `modprobe \(module)`; where there is no such module, install kernel-modules-extra (Fedora, RHEL), "
            + "linux-modules-extra-$(uname -r) (Ubuntu) or a linux-image that is not a cloud one (Debian)"
    }
}
