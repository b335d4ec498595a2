// What only another process can show: rules of a live agent, of a killed one, of one without privileges.

import ChaosModel
import Glibc
import TestSupport
import Testing

@testable import ChaosLinux

@Suite(.serialized)
struct OwnerTests {
    private let network: TestNetwork
    private let filter = LinuxPacketFilter()

    init() throws { network = try TestNetwork() }

    @Test(.rounds)
    func `an owned table is gone at once when its holder is killed`() throws {
        let holder = try RuleHolder("moonquake_h", "10.9.0.2", in: network.near)
        let before = try filter.count("moonquake_h", with: .nftOwner, in: network.near)
        #expect(before == PacketCount(packets: 0, bytes: 0))
        let clock = ContinuousClock()
        let start = clock.now
        holder.end()
        var isGone = false
        while !isGone, clock.now - start < .seconds(5) {
            isGone = try filter.count("moonquake_h", with: .nftOwner, in: network.near) == nil
        }
        let time = clock.now - start
        print("the table was gone \(time.spelled) after SIGKILL was sent")
        #expect(isGone)
        #expect(time < .milliseconds(200), .ofFigure)
    }

    @Test
    func `an owned table of a live process is left alone, and said so`() throws {
        let holder = try RuleHolder("moonquake_h", "10.9.0.2", in: network.near)
        let error = #expect(throws: KernelError.self) {
            try filter.remove("moonquake_h", with: .nftOwner, in: network.near)
        }
        #expect(error?.kind == .notPermitted)
        #expect(error?.reason == "held by another live agent")
        #expect(try filter.residue(in: network.near).map(\.name) == ["moonquake_h"])
        holder.end()
    }

    @Test
    func `without CAP_NET_ADMIN each engine says what it needs`() throws {
        let output = try TestNetwork.output(
            "setpriv",
            [
                "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", RuleHolder.fixture(),
                "engines",
            ],
            in: network.near
        )
        let needs =
            "needs CAP_NET_ADMIN in the user namespace that owns the network namespace, to change packet filters"
        let lines = output.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(
            lines.prefix(2).elementsEqual(["nft-owner: \(needs)", "nft: \(needs)"]),
            "\(output)"
        )
        #expect(lines.last?.hasPrefix("iptables: ") == true)
        #expect(lines.last?.contains(needs) == true, "\(output)")
    }

    @Test
    func `without CAP_SYS_ADMIN entering a namespace says what it needs`() throws {
        let enter = [try RuleHolder.fixture(), "enter", network.nearName]
        #expect(try TestNetwork.output(enter[0], Array(enter.dropFirst())) == "entered\n")
        let options = ["--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
        #expect(
            try TestNetwork.output("setpriv", options + enter)
                == "enter network namespace \(network.near.path): Operation not permitted; "
                + "needs CAP_SYS_ADMIN in the user namespace that owns it\n"
        )
    }

    @Test
    func `without libnftables the reason names the package, and iptables is left`() throws {
        // The probe loads the library.
        #expect(try filter.engines(in: network.near).working.first == .nftOwner)
        let maps = try #require(try ProcFile.text("/proc/self/maps"))
        let line = try #require(
            maps.split(separator: "\n").first { $0.contains("/libnftables.so") }
        )
        let library = try #require(line.split(separator: " ").last.map(String.init))
        // Hidden in a mount namespace that ends with the shell.
        let output = try TestNetwork.output(
            "unshare",
            [
                "-m", "sh", "-c", "mount --bind /dev/null \"$1\" && exec \"$2\" engines", "sh",
                library,
            ]
                + [RuleHolder.fixture()],
            in: network.near
        )
        #expect(output.contains("nft-owner: "))
        #expect(output.contains("install libnftables1 (Debian, Ubuntu) or nftables (Fedora, RHEL)"))
        #expect(output.contains("iptables: works"), "\(output)")
    }

    @Test
    func `a namespace has one context, which is kept for the next table`() throws {
        let namespace = network.near
        let rules = PacketRules(name: "moonquake_f", pass: [], drop: [PacketMatch(.egress)])
        func sockets() throws -> Int {
            let names = try #require(try ProcFile.names(in: "/proc/self/fd"))
            // Netlink sockets of that namespace are told by its own list.
            let list = try LinuxNamespaces.within(namespace) { () throws(KernelError) in
                try ProcFile.text("/proc/thread-self/net/netlink") ?? ""
            }
            let inodes = Set(
                list.split(separator: "\n").compactMap {
                    $0.split(separator: " ").last.map(String.init)
                }
            )
            return names.filter { name in
                let link = ProcFile.link("/proc/self/fd/\(name)") ?? ""
                return SocketTable.inode(ofLink: link).map { inodes.contains(String($0)) } ?? false
            }.count
        }
        #expect(try sockets() == 0)
        try filter.add(rules, with: .nftOwner, in: namespace)
        #expect(try sockets() == 1)
        // Closing a context takes the kernel 14 ms, which no revert should wait for.
        for _ in 0..<2 {
            try filter.remove(rules.name, with: .nftOwner, in: namespace)
            #expect(try sockets() == 1)
            try filter.add(rules, with: .nftOwner, in: namespace)
            #expect(try sockets() == 1)
        }
        try filter.remove(rules.name, with: .nftOwner, in: namespace)
    }
}
