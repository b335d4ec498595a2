// Podman as a test needs it: its own folder for images, containers and the socket; all ends with the test.

import Glibc

/// An engine of one test.
final class Podman {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static let isThere =
        geteuid() == 0
        && (["/usr/bin/podman", "/usr/sbin/runc", "/bin/busybox"] as [String]).allSatisfy {
            access($0, X_OK) == 0
        }

    let folder: String
    var socket: String { folder + "/engine.sock" }
    private let service: pid_t

    init() throws {
        var template = Array("/tmp/mqc-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp failed") }
        let folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        self.folder = folder
        let settings = """
            [containers]
            default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
            [engine]
            runtime = "runc"
            cgroup_manager = "cgroupfs"
            events_logger = "none"

            """
        guard let file = fopen(folder + "/containers.conf", "w") else {
            throw Failure(description: "no containers.conf")
        }
        fputs(settings, file)
        fclose(file)
        try Self.shell(
            """
            mkdir -p \(folder)/image/bin && cp /bin/busybox \(folder)/image/bin/ &&
            tar -C \(folder)/image -cf \(folder)/image.tar . &&
            \(Self.command(folder)) import \(folder)/image.tar localhost/box:1
            """
        )
        service = try Self.spawn(
            "\(Self.command(folder, "exec ")) system service --time 0 unix://\(folder)/engine.sock"
        )
        for _ in 0..<2000 where access(socket, F_OK) != 0 { usleep(5000) }
        guard access(socket, F_OK) == 0 else { throw Failure(description: "podman has no socket") }
    }

    deinit {
        _ = try? call(["rm", "--all", "--force", "-t", "0"])
        kill(service, SIGKILL)
        waitpid(service, nil, 0)
        _ = try? Self.shell("rm -rf \(folder)")
    }

    /// Starts a container and returns its id.
    @discardableResult
    func run(_ name: String, labels: [String], _ script: String) throws -> String {
        let labels = labels.flatMap { ["--label", $0] }
        let busybox = ["/bin/busybox", "sh", "-c", script]
        return try call(
            ["run", "-d", "--name", name, "--network", "none"] + labels + ["localhost/box:1"]
                + busybox
        )
    }

    @discardableResult
    func call(_ arguments: [String]) throws -> String {
        let words = arguments.map {
            "'"
                + $0.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "'\\''") + "'"
        }
        return try Self.shell(Self.command(folder) + " " + words.joined(separator: " "))
    }

    private static func command(_ folder: String, _ prefix: String = "") -> String {
        "export CONTAINERS_CONF=\(folder)/containers.conf; \(prefix)podman --root \(folder)/root --runroot \(folder)/run "
            + "--tmpdir \(folder)/tmp --storage-driver vfs"
    }

    @discardableResult
    private static func shell(_ text: String) throws -> String {
        guard let pipe = popen("exec 2>&1; " + text, "r") else {
            throw Failure(description: "no shell")
        }
        var output = ""
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), pipe) != nil {
            output += String(
                decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
                as: UTF8.self
            )
        }
        guard pclose(pipe) == 0 else { throw Failure(description: "\(text): \(output)") }
        return output.split(separator: "\n").last.map(String.init) ?? ""
    }

    private static func spawn(_ text: String) throws -> pid_t {
        var pid: pid_t = 0
        let words =
            (["/bin/sh", "-c", text + " >/dev/null 2>&1"] as [String]).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        guard posix_spawn(&pid, "/bin/sh", nil, nil, words, environ) == 0 else {
            throw Failure(description: "no shell")
        }
        return pid
    }
}
