// Two namespaces, `near` and `far`, with a cable between them; gone with their owner.
//
//   near  10.9.0.1 fd09::1  va ─── vb  10.9.0.2 10.9.0.3 fd09::2 fd09::3  far

import ChaosModel
import Glibc

@testable import ChaosLinux

/// Namespaces of one test.
final class TestNetwork: Sendable {
    let near: NetworkNamespace
    let far: NetworkNamespace
    let nearName: String
    let farName: String

    init() throws {
        let number = String(UInt32.random(in: .min ... .max), radix: 16)
        nearName = "mqt-\(number)-a"
        farName = "mqt-\(number)-b"
        do {
            try Self.ip("netns add \(nearName)\nnetns add \(farName)")
            guard let near = try LinuxNetwork().namespace(named: nearName),
                let far = try LinuxNetwork().namespace(named: farName)
            else { throw KernelError(.gone, "make test namespaces", "they are not there") }
            self.near = near
            self.far = far
            for namespace in [near, far] { try Self.skipDuplicateDetection(in: namespace) }
            // Two indexes, or the kernel takes the ends for one device and tells of the cable a second late.
            try Self.ip(
                """
                link add va index 11 netns \(nearName) type veth peer name vb index 12 netns \(farName)
                """
            )
            try Self.ip(
                "addr add 10.9.0.1/24 dev va\naddr add fd09::1/64 dev va nodad",
                in: nearName
            )
            try Self.ip(
                """
                addr add 10.9.0.2/24 dev vb
                addr add 10.9.0.3/24 dev vb
                addr add fd09::2/64 dev vb nodad
                addr add fd09::3/64 dev vb nodad
                """,
                in: farName
            )
            try Self.ip("link set lo up\nlink set va up", in: nearName)
            try Self.ip("link set lo up\nlink set vb up", in: farName)
            try Self.waitForIPv6(from: near)
        } catch {
            Self.remove([nearName, farName])
            throw error
        }
    }

    /// Addresses serve at once instead of a second later.
    private static func skipDuplicateDetection(in namespace: NetworkNamespace) throws {
        try LinuxNamespaces.within(namespace) { () throws(KernelError) in
            let path = "/proc/sys/net/ipv6/conf/default/accept_dad"
            try Descriptor(open(path, O_WRONLY)).writeAll(Array("0".utf8), "write \(path)")
        }
    }

    /// IPv6 hears of the cable a moment later, and there is no event for "ready".
    private static func waitForIPv6(from namespace: NetworkNamespace) throws {
        for _ in 0..<50 where pings("fd09::2", from: namespace) { return }
        throw KernelError(.failed, "make test namespaces", "no IPv6 between them")
    }

    deinit { Self.remove([nearName, farName]) }

    /// Runs lines of `ip`, in a namespace when one is named.
    static func ip(_ lines: String, in name: String? = nil) throws {
        _ = try output(
            "ip",
            (name.map { ["-n", $0] } ?? []) + ["-batch", "-"],
            input: lines + "\n"
        )
    }

    private static func remove(_ names: [String]) {
        for name in names { _ = try? Tool(named: "ip")?.run(["netns", "del", name]) }
    }

    /// What a tool prints, run in a namespace when one is given; throws when it fails.
    @discardableResult
    static func output(
        _ name: String,
        _ arguments: [String],
        input: String = "",
        in namespace: NetworkNamespace? = nil
    ) throws -> String {
        guard let tool = Tool(named: name) else {
            throw KernelError(.unsupported, "run \(name)", "not installed")
        }
        let run: @Sendable () throws(KernelError) -> Tool.Answer = { () throws(KernelError) in
            try tool.run(arguments, input: input)
        }
        let answer = try namespace.map { try LinuxNamespaces.within($0, run) } ?? run()
        guard answer.status == 0 else {
            throw KernelError(.failed, "\(name) \(arguments)", answer.reason)
        }
        return answer.output
    }

    /// Whether one ping is answered.
    static func pings(_ address: String, from namespace: NetworkNamespace) -> Bool {
        (try? output("ping", ["-n", "-c1", "-W0.2", address], in: namespace)) != nil
    }
}
