// The fixture as another process that holds rules.

import ChaosModel
import Glibc
import Testing

@testable import ChaosLinux

/// A process that holds an owned table, killed at the end.
final class RuleHolder {
    let pid: pid_t
    private var isEnded = false

    init(
        _ name: String,
        _ address: String,
        kind: String = "hold",
        in namespace: NetworkNamespace
    ) throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let reader = Descriptor(ends[0])
        let writer = Descriptor(ends[1])
        let path = try Self.fixture()
        pid = try Spawn.start(
            path,
            [path, kind, namespace.path, String(namespace.inode), name, address],
            output: writer.number,
            newSession: true
        )
        #expect(Poll.firstReadable([reader.number], within: .seconds(10)) != nil)
        var text = [UInt8](repeating: 0, count: 5)
        #expect(read(reader.number, &text, 5) == 5)
        #expect(String(decoding: text, as: UTF8.self) == "held\n")
    }

    func end() {
        guard !isEnded else { return }
        isEnded = true
        kill(pid, SIGKILL)
        Spawn.reap(pid)
    }

    deinit { end() }

    /// The fixture beside the test bundle.
    static func fixture() throws -> String {
        let own = try #require(ProcFile.link("/proc/self/exe"))
        let folder = own.split(separator: "/").dropLast().joined(separator: "/")
        let path = "/\(folder)/hold-rules"
        guard access(path, X_OK) != 0 else { return path }
        // The tests run in a bundle that another program loads: look beside the bundle.
        let bundle = try #require(CommandLine.arguments.first { $0.contains(".xctest") })
        let beside = bundle.split(separator: "/").dropLast().joined(separator: "/")
        return "/\(beside)/hold-rules"
    }
}
