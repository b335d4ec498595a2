// The state of real namespaces, processes and files as text: the same when nothing was changed, another when something was.

import ChaosModel
import Glibc
import Testing

@testable import ChaosLinux

@Suite(.serialized)
struct StateTests {
    private let state = LinuxState()

    @Test
    func
        `counters and traffic change nothing of a namespace's state, rules, queues and interfaces do`()
        throws
    {
        let network = try TestNetwork()
        let part = StatePart.network(namespace: network.near)
        func lines() throws -> [String] { try state.lines(of: part).map(\.description).sorted() }
        let rules =
            "add table inet t; add chain inet t c { type filter hook output priority 0; }; add rule inet t c counter"
        try TestNetwork.output("nft", [rules], in: network.near)
        let before = try lines()
        #expect(before.contains { $0.hasPrefix("link va: index 11 up mtu 1500 ") }, "\(before)")
        #expect(before.contains { $0.hasPrefix("table inet t: chain c") && $0.contains("counter") })
        let own = try TestSocket(.udp, "10.9.0.1", in: network.near)
        let far = try TestSocket(.udp, "10.9.0.2", in: network.far)
        #expect(own.reaches(far, at: "10.9.0.2"))
        #expect(try lines() == before)
        let changes = [
            (["nft", "add rule inet t c accept"], "table inet t: "),
            (["ip", "link", "set", "va", "mtu", "1400"], "link va: index 11 up mtu 1400"),
            (["ip", "link", "set", "va", "txqueuelen", "7"], "qlen 7"),
            (
                ["tc", "qdisc", "add", "dev", "va", "root", "handle", "5:", "prio"],
                "queue of va at root: prio 5:0"
            ),
            (
                [
                    "tc", "filter", "add", "dev", "va", "parent", "5:", "protocol", "ip", "prio",
                    "3", "u32", "match", "u32", "0", "0", "classid", "5:1",
                ],
                "filter of va at root 3 "
            ),
            (["ip", "link", "add", "dm", "type", "dummy"], "link dm: "),
        ]
        var last = before
        for (command, seen) in changes {
            do {
                try TestNetwork.output(command[0], Array(command.dropFirst()), in: network.near)
            } catch {
                // This kernel lacks what the change needs.
                continue
            }
            let now = try lines()
            #expect(now != last && now.contains { $0.contains(seen) }, "\(command): \(now)")
            last = now
        }
        #expect(last != before)
    }

    @Test
    func `a process that is stopped, traced or ended shows it`() throws {
        let process = try LinuxProcesses().start(["/bin/sleep", "60"])
        defer { kill(process.pid, SIGKILL) }
        let part = StatePart.process(identity: process)
        func value(_ name: String) throws -> String? {
            try state.lines(of: part).first { $0.name == name }?.value
        }
        #expect(try value("state") == "runs" && value("tracer") == "none")
        #expect(try Int(value("open files") ?? "") != nil)
        kill(process.pid, SIGSTOP)
        while try value("state") != "stopped" { usleep(1000) }
        kill(process.pid, SIGKILL)
        while try value("state") != "ended" { usleep(1000) }
    }

    @Test
    func
        `of a file of names there is the digest and our edits, and nothing that a reader might not see`()
        throws
    {
        let place = NamePlace(namespace: try LinuxNetwork().ownNamespace())
        let lines = try state.lines(of: .nameFile(place: place, method: .hosts))
        #expect(lines.count == 1 && lines[0].name == "/etc/hosts")
        #expect(lines[0].value.contains(", sha256 ") && !lines[0].value.contains("localhost"))
    }

    @Test(arguments: ["../../../etc/shadow", "shadow", "cgroup.procs", "cpu/../x", "memory"])
    func `no file but a setting of a controller is read for whoever asks`(file: String) throws {
        let group = ControlGroup(
            version: .v2,
            controller: .cpu,
            path: "/etc",
            folder: "/etc",
            inode: 1
        )
        #expect(throws: KernelError.self) {
            try state.lines(of: .setting(group: group, file: file, asked: "1"))
        }
    }

    @Test
    func `tables of a listing are told apart, and a long one by its digest`() {
        let long = (0..<500).map { "\t\tip saddr 10.0.0.\($0) drop" }.joined(separator: "\n")
        let lines = LinuxState.tables(
            in:
                "table inet a {\n}\ntable ip b { # progname x\n\tchain c {\n\t}\n}\ntable ip6 d {\n\(long)\n}\n"
        )
        #expect(lines.map(\.name) == ["table inet a", "table ip b", "table ip6 d"])
        #expect(lines[0].value == "empty" && lines[1].value == "chain c { }")
        #expect(lines[2].value.contains("bytes, sha256 "))
    }
}
