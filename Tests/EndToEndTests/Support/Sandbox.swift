// Everything that a test makes on this machine: a folder, programs, network namespaces. All of it ends with the test,
// however the test ends.

import Glibc
import TestSupport

/// The world of one test.
final class Sandbox {
    /// Of this test alone; its path is in the command line of every process that the test starts.
    let folder: String
    private var programs: [Program] = []
    private var namespaces: [String] = []
    private var folders: [String] = []
    private var mounts: [String] = []
    private var groups: [String] = []

    private init() throws {
        var template = Array("/tmp/mqe-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SetUpError("mkdtemp failed") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(folder, 0o755)
    }

    /// Runs a test in a sandbox.
    static func with<Result>(_ body: (Sandbox) throws -> Result) throws -> Result {
        let sandbox = try Sandbox()
        defer { sandbox.cleanUp() }
        return try body(sandbox)
    }

    /// The state directory of the runs of this test.
    var state: String { folder + "/state" }

    /// Writes a file and returns its path.
    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(folder)/\(name)"
        try File.write(text, to: path)
        return path
    }

    /// Starts a program that ends with the test.
    @discardableResult
    func start(
        _ arguments: [String],
        environment: [String: String]? = nil,
        in namespace: String? = nil,
        terminal: String? = nil
    ) throws -> Program {
        let prefix = namespace.map { ["ip", "netns", "exec", $0] } ?? []
        let program = try Program(
            prefix + arguments,
            environment: environment,
            outputsIn: folder,
            terminal: terminal
        )
        programs.append(program)
        return program
    }

    /// Runs a tool to its end and returns what it printed; throws when it fails.
    @discardableResult
    func tool(_ arguments: String..., in namespace: String? = nil) throws -> String {
        let program = try start(arguments, in: namespace)
        guard try program.ended() == 0 else {
            throw SetUpError("\(arguments) failed: \(program.output)\(program.errors)")
        }
        return program.output
    }

    /// A process that does nothing, for faults to hit.
    func sleeper() throws -> Program { try start(["sleep", "600"]) }

    /// Two namespaces with a cable between them: 10.98.0.1 and fd98::1 here, 10.98.0.2 and fd98::2 there.
    func network() throws -> (near: String, far: String) {
        let number = String(UInt32.random(in: .min ... .max), radix: 16)
        let (near, far) = ("mqe-\(number)-a", "mqe-\(number)-b")
        for name in [near, far] {
            try tool("ip", "netns", "add", name)
            namespaces.append(name)
        }
        let lines = """
            link add va index 11 netns \(near) type veth peer name vb index 12 netns \(far)
            """
        let batch = try write("links.ip", lines + "\n")
        try tool("ip", "-batch", batch)
        for (name, device, number) in [(near, "va", 1), (far, "vb", 2)] {
            let batch = try write(
                "\(device).ip",
                """
                link set \(device) addrgenmode none
                addr add 10.98.0.\(number)/24 dev \(device)
                addr add fd98::\(number)/64 dev \(device) nodad
                link set lo up
                link set \(device) up

                """
            )
            try tool("ip", "-n", name, "-batch", batch)
        }
        // What the kernel changes by itself a moment after is no change of the fault's.
        for name in [near, far] {
            let isUp = try eventually {
                try tool("ip", "-o", "link", "show", "type", "veth", in: name).contains("state UP")
            }
            guard isUp else {
                throw SetUpError("the cable between \(near) and \(far) does not come up")
            }
        }
        return (near, far)
    }

    /// Takes over namespaces that a program of the test made, in case it does not remove them itself.
    func adopt(namespaces names: [String]) { namespaces += names }

    /// Takes over a folder elsewhere, which is removed with the test.
    func adopt(folder path: String) { folders.append(path) }
    /// Takes over a mount point in the same way.
    func adopt(mount path: String) { mounts.append(path) }
    /// Takes over a control group in the same way.
    func adopt(group path: String) { groups.append(path) }

    /// Whether an agent of this test lives.
    var hasAgents: Bool {
        Proc.pids().contains {
            let command = Proc.commandLine(of: $0)
            return command.contains(folder) && command.contains(" agent ") && Proc.isAlive($0)
        }
    }

    /// Makes a file system of its own; gone with the test.
    func fileSystem(megabytes: Int) throws -> String {
        let path = "/run/mqe-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        guard mkdir(path, 0o700) == 0 else { throw SetUpError("cannot make \(path)") }
        adopt(mount: path)
        try tool("mount", "-t", "tmpfs", "-o", "size=\(megabytes)M", "mqe", path)
        return path
    }

    private func cleanUp() {
        for program in programs.reversed() { program.end() }
        // Agents have sessions of their own, but the folder in their command line.
        for pid in Proc.pids() where pid != getpid() && Proc.commandLine(of: pid).contains(folder) {
            kill(pid, SIGKILL)
        }
        for name in namespaces where access("/run/netns/\(name)", F_OK) == 0 {
            let removal = try? Program(["ip", "netns", "del", name], outputsIn: folder)
            _ = try? removal?.ended()
        }
        for path in mounts where access(path, F_OK) == 0 {
            umount2(path, Int32(MNT_DETACH))
            rmdir(path)
        }
        for path in groups {
            _ = eventually(within: .seconds(2)) { rmdir(path) == 0 || errno == ENOENT }
        }
        let removal = try? Program(["rm", "-rf", folder] + folders, outputsIn: "/tmp")
        _ = try? removal?.ended()
        removal?.forgetOutputs()
    }
}

extension Program {
    /// Removes the files of its outputs.
    func forgetOutputs() {
        for path in outputPaths { unlink(path) }
    }
}
