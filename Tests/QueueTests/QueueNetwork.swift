// Two namespaces with a cable between them, and a shaper with a worker of its own; gone with their owner.
//
//   near  10.9.0.1 fd09::1  va ─── vb  10.9.0.2 10.9.0.3 fd09::2  far

import ChaosModel
import Glibc

@testable import ChaosLinux

/// Namespaces of one test.
final class QueueNetwork: Sendable {
    let near: NetworkNamespace
    let far: NetworkNamespace
    let shaper: LinuxQueueShaper
    private let names: [String]

    /// Whether times mean something: the lab's processor is emulated.
    static let isTimed = getenv("MOONQUAKE_LAB_RESULTS") == nil
    /// How far a time in milliseconds may be off because the machine is slow.
    static let slack = isTimed ? 0.0 : 5

    static let both = [PacketDirection.egress, .ingress]

    init() throws {
        let number = String(UInt32.random(in: .min ... .max), radix: 16)
        names = ["mqq-\(number)-a", "mqq-\(number)-b"]
        shaper = LinuxQueueShaper(worker: [try Self.fixture()])
        do {
            try Self.ip(names.map { "netns add \($0)" }.joined(separator: "\n"))
            near = try Self.namespace(names[0])
            far = try Self.namespace(names[1])
            for namespace in [near, far] { try Self.skipDuplicateDetection(in: namespace) }
            try Self.ip(
                "link add va index 11 netns \(names[0]) type veth peer name vb index 12 netns \(names[1])"
            )
            try Self.ip(Self.setUp("va", ["10.9.0.1/24", "fd09::1/64"]), in: names[0])
            try Self.ip(
                Self.setUp("vb", ["10.9.0.2/24", "10.9.0.3/24", "fd09::2/64"]),
                in: names[1]
            )
            for _ in 0..<50 where (try? ping("fd09::2", count: 1)) != nil { return }
            throw KernelError(.failed, "make test namespaces", "no IPv6 between them")
        } catch {
            Self.remove(names)
            throw error
        }
    }

    deinit { Self.remove(names) }

    /// A match of all packets between near and an address of far.
    static func match(
        _ direction: PacketDirection,
        _ address: String = "10.9.0.2",
        protocols: [PacketProtocol] = [],
        remotePorts: [Int] = [],
        localPorts: [Int] = []
    ) -> PacketMatch {
        PacketMatch(
            direction,
            remote: [address].compactMap { NetworkAddress($0) },
            protocols: protocols,
            remotePorts: remotePorts,
            localPorts: localPorts
        )
    }

    /// Begins to impair near's traffic with far.
    func shape(
        _ impairment: Impairment,
        _ match: [PacketMatch],
        pass: [PacketMatch] = [],
        traffic: Double = 1,
        byConnection: Bool = true,
        name: String = "moonquake_q"
    ) async throws {
        let rules = ShapingRules(
            name: name,
            pass: pass,
            match: match,
            traffic: traffic,
            byConnection: byConnection,
            impairment: impairment,
            seed: 11
        )
        try await shaper.shape(rules, in: near)
    }

    func unshape(_ name: String = "moonquake_q") async throws {
        try await shaper.unshape(name, in: near)
    }

    func count(_ name: String = "moonquake_q") async throws -> ShapingCount? {
        try await shaper.count(name, in: near)
    }

    /// The tables of near that are named like ours.
    func tables() throws -> [String] {
        let listing = try Self.output("nft", ["list", "tables", "inet"], in: near)
        return NftListing.tables(in: listing).filter { $0.hasPrefix(RulePlan.namePrefix) }
    }

    /// What `ping` from near tells: the share of answers and the mean time in milliseconds.
    ///
    /// Of its own clock (`-U`): the kernel's stamp of an answer is from before the answer is queued.
    func ping(
        _ address: String,
        count: Int,
        every: Double = 0.005
    ) throws -> (answered: Double, meanMs: Double) {
        let text = try Self.output(
            "ping",
            ["-n", "-q", "-U", "-c\(count)", "-i\(every)", "-W1", address],
            in: near
        )
        let words = text.split(whereSeparator: { " /%=".contains($0) || $0.isNewline })
        guard let lost = words.firstIndex(of: "packet").flatMap({ Double(words[$0 - 1]) }),
            let start = words.lastIndex(of: "mdev"), let mean = Double(words[start + 2])
        else { throw KernelError(.failed, "read what ping said", text) }
        return (1 - lost / 100, mean)
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
            try tool.run(arguments, input: input, limit: .seconds(60))
        }
        let answer = try namespace.map { try LinuxNamespaces.within($0, run) } ?? run()
        guard answer.status == 0 else {
            throw KernelError(.failed, "\(name) \(arguments)", answer.reason + answer.output)
        }
        return answer.output
    }

    /// Runs lines of `ip`, in a namespace when one is named.
    static func ip(_ lines: String, in name: String? = nil) throws {
        let place = name.map { ["-n", $0] } ?? []
        try output("ip", place + ["-batch", "-"], input: lines + "\n")
    }

    /// The namespace of a name.
    static func namespace(_ name: String) throws -> NetworkNamespace {
        guard let found = try LinuxNetwork().namespace(named: name) else {
            throw KernelError(.gone, "find test namespace \(name)", "it is not there")
        }
        return found
    }

    /// The worker beside the test bundle.
    static func fixture() throws -> String {
        let candidates =
            [ProcFile.link("/proc/self/exe") ?? ""]
            + CommandLine.arguments.filter { $0.contains(".xctest") }
        for file in candidates {
            let folder = file.split(separator: "/").dropLast().joined(separator: "/")
            let path = "/\(folder)/queue-worker"
            if access(path, X_OK) == 0 { return path }
        }
        throw KernelError(.gone, "find the test's worker", "not beside \(candidates)")
    }

    private static func setUp(_ device: String, _ addresses: [String]) -> String {
        let lines = addresses.map { address in
            "addr add \(address) dev \(device)\(address.contains(":") ? " nodad" : "")"
        }
        return (lines + ["link set lo up", "link set \(device) up"]).joined(separator: "\n")
    }

    private static func skipDuplicateDetection(in namespace: NetworkNamespace) throws {
        try LinuxNamespaces.within(namespace) { () throws(KernelError) in
            let path = "/proc/sys/net/ipv6/conf/default/accept_dad"
            try Descriptor(open(path, O_WRONLY)).writeAll(Array("0".utf8), "write \(path)")
        }
    }

    private static func remove(_ names: [String]) {
        for name in names { _ = try? Tool(named: "ip")?.run(["netns", "del", name]) }
    }
}
