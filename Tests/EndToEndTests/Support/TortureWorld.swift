// A world in which every fault finds a target, and all that a fault could leave behind in it, as text.

import ChaosModel
import Glibc
import TestSupport

/// Namespaces with a resolver and a web server, a process in control groups of its own, and a file system.
struct TortureWorld {
    /// A fault as a script asks for it.
    struct Fault: Sendable {
        let name: String
        let text: String
    }

    /// The faults that hold nothing which a crash could leave, and why.
    static let exempt = [
        "noop": "it does nothing",
        "process.kill": "what it did cannot be undone",
    ]

    private static let limits = [
        "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us", "memory.max", "memory.limit_in_bytes",
        "pids.max", "cgroup.procs",
    ]

    let box: Sandbox
    let faults: [Fault]
    private let names: NameWorld
    private let victim: Program
    private let groups: [String]
    private let disk: String

    init(in box: Sandbox) throws {
        self.box = box
        names = try NameWorld(in: box)
        let (near, far) = (names.near, names.far)
        try RequestWorld.serve(["8080"], in: far, box)
        victim = try box.start([Moonquake.path, "wrap", "--", "sleep", "infinity"])
        disk = try box.fileSystem(megabytes: 64)
        groups = try box.groups(of: victim.pid)
        try box.write("64", to: "pids.max", in: groups)
        let pid = victim.pid
        guard eventually(holds: { Proc.commandLine(of: pid).hasPrefix("sleep") }) else {
            throw SetUpError("the wrapped process did not start: \(victim.errors)")
        }
        faults = Self.all(near: near, far: far, pid: pid, disk: disk)
    }

    private static func all(near: String, far: String, pid: pid_t, disk: String) -> [Fault] {
        func fault(_ name: String, _ target: String, _ options: String = "") -> Fault {
            Fault(name: name, text: "fault.\(name) { target = \(target), \(options) }")
        }
        let client = "target.netns { name = \"\(near)\" }"
        let server = "target.netns { name = \"\(far)\" }"
        let process = "target.process { pid = \(pid) }"
        let far = "to = \"10.98.0.2\""
        let host = "target.host {}"
        return [
            fault("network.partition", client, far),
            fault("network.latency", client, "\(far), delay = \"20ms\""),
            fault("network.loss", client, "\(far), percent = \"50%\""),
            fault("network.duplicate", client, "\(far), percent = \"50%\""),
            fault("network.corrupt", client, "\(far), percent = \"50%\""),
            fault("network.reorder", client, "\(far), percent = \"50%\", delay = \"20ms\""),
            fault("network.bandwidth", client, "\(far), rate = \"1mbit\""),
            fault("dns.error", client, "names = \"*\""),
            fault("dns.spoof", client, "names = \"*\", addresses = { \"192.0.2.7\" }"),
            fault("dns.delay", client, "names = \"*\", delay = \"20ms\""),
            fault("dns.drop", client, "names = \"*\""),
            fault("http.latency", server, "port = 8080, delay = \"20ms\""),
            fault("http.error", server, "port = 8080, status = 503"),
            fault("http.abort", server, "port = 8080"),
            fault("http.bandwidth", server, "port = 8080, rate = \"1mbit\""),
            fault("grpc.error", server, "port = 8080, code = \"INTERNAL\""),
            fault("grpc.latency", server, "port = 8080, delay = \"20ms\""),
            fault("process.pause", process),
            fault("cpu.stress", host, "load = \"5%\""),
            fault("cpu.limit", process, "quota = \"20%\""),
            fault("memory.pressure", host, "use = \"8MiB\""),
            fault("memory.limit", process, "limit = \"64MiB\""),
            fault("fd.exhaust", process),
            fault("pid.exhaust", process, "share = \"50%\""),
            fault("clock.skew", process, "offset = \"5m\""),
            fault("disk.fill", host, "path = \"\(disk)\", size = \"8MiB\""),
            fault(
                "disk.io",
                host,
                "path = \"\(disk)\", write = \"1MB/s\", file_size = \"1MiB\", direct = false"
            ),
        ]
    }

    /// A script that makes these faults, and says so.
    func script(_ names: [String], then rest: String) throws -> String {
        let texts = try names.map { name in
            guard let fault = faults.first(where: { $0.name == name }) else {
                throw SetUpError("there is no fault \(name)")
            }
            return "inject(\(fault.text))"
        }
        return (texts + [rest]).joined(separator: "\n")
    }

    /// Everything that a fault could have changed here.
    func dump() throws -> String {
        let mounts = File.text("/proc/self/mountinfo") ?? ""
        return "\(try box.world(names.near, names.far))\n\(mounts)\n\(quickDump())"
    }

    /// The same without what takes a program to read.
    func quickDump() -> String {
        var lines: [String] = []
        let status = (File.text("/proc/\(victim.pid)/status") ?? "").split(separator: "\n")
        let told = ["TracerPid:", "SigBlk:"]
        lines += status.filter { line in told.contains { line.hasPrefix($0) } }.map(String.init)
        lines.append("stands still: \(["T", "t"].contains(Proc.state(of: victim.pid)))")
        lines += (File.text("/proc/\(victim.pid)/limits") ?? "").split(separator: "\n")
            .map(String.init)
        for group in groups {
            lines += File.names(in: group).filter { Self.limits.contains($0) }.map {
                "\(group)/\($0): \(File.text("\(group)/\($0)") ?? "gone")"
            }
            lines += File.names(in: group).filter { $0.hasPrefix("moonquake") }
        }
        for hierarchy in Sandbox.hierarchies {
            // Others on this machine may run at the same time.
            lines += File.names(in: hierarchy).filter { name in
                ownMarks.contains { name.hasPrefix($0) }
            }
        }
        var space = statvfs()
        statvfs(disk, &space)
        lines.append("\(disk): \(space.f_bavail) blocks free, files \(File.names(in: disk))")
        for path in ["/etc/resolv.conf", "/etc/hosts", "/etc/netns/\(names.near)/resolv.conf"] {
            lines.append("\(path): \(File.text(path) ?? "none")")
        }
        return lines.joined(separator: "\n")
    }

    /// What the names of groups of this test's runs begin with.
    private var ownMarks: [String] {
        ["open", "closed"].flatMap { File.names(in: "\(box.state)/journals/\($0)") }
            .compactMap { name in
                name.split(separator: ".").first.map {
                    "moonquake_\(LeaseID.stem(of: String($0.split(separator: "-").prefix(3).joined(separator: "-"))))"
                }
            }
    }

    /// Whether the packet filters of both namespaces have nothing of ours.
    func hasNoRules() throws -> Bool {
        try box.hasNoTableOfOurs(names.near) && box.hasNoTableOfOurs(names.far)
    }
}
