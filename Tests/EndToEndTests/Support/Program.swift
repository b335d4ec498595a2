// A program that a test started, in a session of its own, known by its pid and ended by it.

import Glibc
import TestSupport

/// Why the set-up of a test failed.
struct SetUpError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A running program.
final class Program {
    /// Its pid; its children are in the session of the same number.
    let pid: pid_t
    private let outputPath: String
    private let errorPath: String
    private var status: Int32?

    /// Whether it has ended, and with it the last of its session.
    private var isSessionOver = false

    /// Starts a program with its outputs in files, or on a terminal when one is given.
    init(
        _ arguments: [String],
        environment: [String: String]? = nil,
        outputsIn folder: String,
        terminal: String? = nil
    ) throws {
        let stem = "\(folder)/\(UInt32.random(in: .min ... .max))"
        outputPath = stem + ".out"
        errorPath = stem + ".err"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let write = O_WRONLY | O_CREAT | O_APPEND
        // Opened by the leader of a new session, a terminal becomes the one that controls it.
        posix_spawn_file_actions_addopen(
            &actions,
            0,
            terminal ?? "/dev/null",
            terminal == nil ? O_RDONLY : O_RDWR,
            0
        )
        posix_spawn_file_actions_addopen(
            &actions,
            1,
            terminal ?? outputPath,
            terminal == nil ? write : O_RDWR,
            0o644
        )
        posix_spawn_file_actions_addopen(
            &actions,
            2,
            terminal ?? errorPath,
            terminal == nil ? write : O_RDWR,
            0o644
        )
        pid = try Self.spawn(arguments, environment ?? Self.environment, &actions)
    }

    private static func spawn(
        _ arguments: [String],
        _ environment: [String: String],
        _ actions: inout posix_spawn_file_actions_t
    ) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID, which Swift's Glibc does not show.
        let newSession: Int32 = 0x80
        let flags = newSession | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var pid: pid_t = 0
        let words = environment.map { "\($0.key)=\($0.value)" }
        let code = withStrings(arguments) { argv in
            withStrings(words) { envp in
                posix_spawnp(&pid, arguments[0], &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else {
            throw SetUpError("\(arguments[0]): \(String(cString: strerror(code)))")
        }
        return pid
    }

    private static func withStrings<Result>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) } + [nil]
        defer { copies.forEach { free($0) } }
        return body(copies)
    }

    /// What the tests themselves were started with.
    static var environment: [String: String] {
        var found: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let pair = String(cString: entry).split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            found[String(pair[0])] = pair.count > 1 ? String(pair[1]) : ""
            next += 1
        }
        return found
    }

    /// The files that it writes to.
    var outputPaths: [String] { [outputPath, errorPath] }

    /// What it has written so far.
    var output: String { File.text(outputPath) ?? "" }
    var errors: String { File.text(errorPath) ?? "" }

    /// The exit code, or 128 and the signal; nil while it runs.
    var exitCode: Int32? {
        if let status { return status }
        var raw: Int32 = 0
        guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
        status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f)
        // Once nobody is left in its session, the number may become somebody else's, whom `end` must not hit.
        isSessionOver = !Proc.pids().contains { Proc.session(of: $0) == pid }
        return status
    }

    /// Waits for its end.
    @discardableResult
    func ended(within limit: Duration = .seconds(60)) throws -> Int32 {
        if let code = eventually(within: limit, { exitCode }) { return code }
        throw SetUpError(
            "process \(pid) has not ended within \(limit); it said: \(output)\(errors)"
        )
    }

    /// Sends a signal, unless it was waited for.
    func signal(_ number: Int32) {
        if exitCode == nil { kill(pid, number) }
    }

    /// Ends it and whoever is left of its session.
    func end() {
        guard exitCode == nil || !isSessionOver else { return }
        signal(SIGTERM)
        signal(SIGCONT)
        if eventually(within: .seconds(5), { exitCode }) == nil { signal(SIGKILL) }
        for other in Proc.pids() where Proc.session(of: other) == pid { kill(other, SIGKILL) }
        _ = try? ended(within: .seconds(5))
    }
}

/// Whole files.
enum File {
    static func text(_ path: String) -> String? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }

    static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "wb") else { throw SetUpError("cannot write \(path)") }
        fputs(text, file)
        guard fclose(file) == 0 else { throw SetUpError("cannot write \(path)") }
    }

    static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// What /proc says of processes.
enum Proc {
    static func pids() -> [pid_t] { File.names(in: "/proc").compactMap { pid_t($0) } }

    /// Whether it is there and no zombie.
    static func isAlive(_ pid: pid_t) -> Bool {
        guard let state = state(of: pid) else { return false }
        return state != "Z" && state != "X"
    }

    /// `T` when it is stopped.
    static func state(of pid: pid_t) -> Character? { fields(of: pid)?[0].first }

    static func parent(of pid: pid_t) -> pid_t? { fields(of: pid).flatMap { pid_t($0[1]) } }

    /// Now, on the clock that Python's time.monotonic() reads.
    static var monotonicSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func session(of pid: pid_t) -> pid_t? { fields(of: pid).flatMap { pid_t($0[3]) } }

    /// In clock ticks since boot.
    static func startTime(of pid: pid_t) -> UInt64? { fields(of: pid).flatMap { UInt64($0[19]) } }

    /// The seconds that it has used of all cores together.
    static func processorSeconds(of pid: pid_t) -> Double? {
        guard let fields = fields(of: pid), let user = Double(fields[11]),
            let system = Double(fields[12])
        else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The most memory that it ever had resident.
    static func peakKiB(of pid: pid_t) -> Int? {
        let line = (File.text("/proc/\(pid)/status") ?? "").split(separator: "\n").first {
            $0.hasPrefix("VmHWM:")
        }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    }

    static func commandLine(of pid: pid_t) -> String {
        (File.text("/proc/\(pid)/cmdline") ?? "").replacing("\0", with: " ")
    }

    /// The fields of /proc/PID/stat from the third on.
    private static func fields(of pid: pid_t) -> [Substring]? {
        guard let text = File.text("/proc/\(pid)/stat"), let close = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: close)...].split(separator: " ")
        return fields.count > 20 ? fields : nil
    }
}
