// What senders are told of the packets that are dropped: nothing, ICMP, or a reset.

import ChaosModel
import Testing

@testable import ChaosLinux

@Suite(.serialized)
struct AnswerTests {
    private let network: TestNetwork
    private let filter = LinuxPacketFilter()

    init() throws { network = try TestNetwork() }

    /// How a connection attempt from the near end to a closed port of the far end ends: the name of its error.
    ///
    /// The port is closed, so that without a fault the answer is a reset of the far end. A rejection may only be
    /// heard at the second SYN, a second later: the kernel does not wake the socket that it is sending for.
    private static let attempt = """
        import errno, socket, sys
        s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
        s.settimeout(float(sys.argv[2]))
        try:
            s.connect((sys.argv[1], 4321))
            print("connected")
        except TimeoutError:
            print("silence")
        except OSError as error:
            print(errno.errorcode[error.errno])
        """

    private func attempt(_ address: String, patience: Double = 2.5) throws -> String {
        let text = try TestNetwork.output(
            "python3",
            ["-c", Self.attempt, address, "\(patience)"],
            in: network.near
        )
        return text.split(separator: "\n").first.map(String.init) ?? ""
    }

    @Test(arguments: PacketEngine.allCases, ["10.9.0.2", "fd09::2"])
    func `each answer reaches the sender, and is counted`(
        _ engine: PacketEngine,
        _ address: String
    ) throws {
        let remote = try #require(NetworkAddress(address))
        for (answer, expected) in [
            (PacketAnswer.silence, ["silence"]), (.reject, ["EHOSTUNREACH", "EACCES"]),
            (.reset, ["ECONNREFUSED"]),
        ] {
            let rules = PacketRules(
                name: "moonquake_a1",
                pass: [],
                drop: [PacketMatch(.egress, remote: [remote], protocols: [.tcp])],
                answer: answer
            )
            try filter.add(rules, with: engine, in: network.near)
            let ending = try attempt(address, patience: answer == .silence ? 0.3 : 2.5)
            #expect(expected.contains(ending), "\(answer): \(ending)")
            let count = try filter.count(rules.name, with: engine, in: network.near)
            #expect((count?.packets ?? 0) > 0)
            try filter.remove(rules.name, with: engine, in: network.near)
        }
        #expect(try attempt(address) == "ECONNREFUSED", "the far end's own answer")
    }
}
