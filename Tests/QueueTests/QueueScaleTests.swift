// What many namespaces cost, and how many packets go through one.

import ChaosModel
import ChaosThreads
import Glibc
import TestSupport
import Testing

@testable import ChaosLinux

extension QueueTests {
    /// One after the other with the rest: these tests keep both cores busy.
    @Suite(.serialized, .enabled(if: QueueNetwork.isTimed, "the lab's processor is emulated"))
    struct Scale {
        /// A debug build may take longer where processes take longer too; the bench holds a release build to the half second.
        @Test(.rounds)
        func
            `200 namespaces are impaired and freed in half a second, or half the time of processes`()
            async throws
        {
            let number = String(UInt32.random(in: .min ... .max), radix: 16)
            let names = (0..<200).map { "mqq-\(number)-\($0)" }
            defer {
                let lines = names.map { "netns del \($0)" }.joined(separator: "\n")
                _ = try? QueueNetwork.output("ip", ["-force", "-batch", "-"], input: lines + "\n")
            }
            try QueueNetwork.ip(names.map { "netns add \($0)" }.joined(separator: "\n"))
            let namespaces = try names.map { try QueueNetwork.namespace($0) }
            let shaper = LinuxQueueShaper(worker: [try QueueNetwork.fixture()])
            let impairment = Impairment(delay: PacketDelay(delayMs: 100, jitterMs: 10))
            let rules = ShapingRules(
                name: "moonquake_s",
                pass: QueueNetwork.both.map { QueueNetwork.match($0, "10.9.0.9") },
                match: QueueNetwork.both.map { QueueNetwork.match($0) },
                impairment: impairment,
                seed: 3
            )
            let clock = ContinuousClock()
            // The first time pages the worker in.
            var shaping = Duration.zero
            var freeing = Duration.zero
            for _ in 0..<2 {
                shaping = try await clock.measure {
                    for namespace in namespaces { try await shaper.shape(rules, in: namespace) }
                }
                var inForce = 0
                let counting = try await clock.measure {
                    for namespace in namespaces
                    where try await shaper.count("moonquake_s", in: namespace) != nil {
                        inForce += 1
                    }
                }
                #expect(inForce == 200)
                freeing = try await clock.measure {
                    for namespace in namespaces {
                        try await shaper.unshape("moonquake_s", in: namespace)
                    }
                }
                print(
                    "200 namespaces: shaped in \(shaping), counted in \(counting), unshaped in \(freeing)"
                )
            }
            let processes = try Self.processes(in: Array(names.prefix(20)))
            print(
                "10 times 20 tables by processes: made in \(processes.making * 10), removed in \(processes.removing * 10)"
            )
            #expect(shaping < max(.milliseconds(500), processes.making * 5), .ofFigure)
            #expect(freeing < max(.milliseconds(500), processes.removing * 5), .ofFigure)
        }

        /// How long `nft` as a process takes to make a table with a rule in each namespace, and to remove it.
        private static func processes(
            in names: [String]
        ) throws -> (making: Duration, removing: Duration) {
            let table =
                "table inet peer { chain out { type filter hook output priority 0; "
                + "ip daddr 10.9.0.9 counter; }; }\n"
            let clock = ContinuousClock()
            let making = try clock.measure {
                for name in names {
                    let nft = ["netns", "exec", name, "nft", "-f", "-"]
                    _ = try QueueNetwork.output("ip", nft, input: table)
                }
            }
            let removing = try clock.measure {
                for name in names {
                    _ = try QueueNetwork.output(
                        "ip",
                        ["netns", "exec", name, "nft", "delete table inet peer"]
                    )
                }
            }
            return (making, removing)
        }

        @Test(.rounds)
        func `packets go through at the rate of one core`() async throws {
            let network = try QueueNetwork()
            let base = try network.ping("10.9.0.3", count: 100).meanMs
            try await network.shape(
                Impairment(loss: .random(share: 0, correlation: 0)),
                [QueueNetwork.match(.egress, "10.9.0.0/24")]
            )
            var before = ShapingCount()
            for pace in [20_000, 40_000, 60_000, 80_000, 100_000, 120_000, 1_000_000] {
                async let flood = Self.flood(network, perSecond: pace, for: .seconds(1))
                let ping = try network.ping("10.9.0.3", count: 100)
                let sent = try await flood
                let count = try #require(try await network.count())
                let added = ping.meanMs - base
                print(
                    "asked \(pace)/s: \(sent) sent, \(count.matched - before.matched) matched, "
                        + "\(count.bypassed - before.bypassed) passed by, "
                        + "\(added) ms added, \(ping.answered) answered"
                )
                before = count
            }
            #expect(before.matched > 200_000, .ofFigure)
        }

        /// Sends small datagrams at a pace, or as fast as one thread can.
        private static func flood(
            _ network: QueueNetwork,
            perSecond pace: Int,
            for span: Duration
        ) async throws -> Int {
            let flow = try network.flow()
            let bytes = [UInt8](repeating: 1, count: 64)
            return try await OwnThread.value { () throws(KernelError) in
                let clock = ContinuousClock()
                let start = clock.now
                var sent = 0
                while clock.now - start < span {
                    let due = Int((clock.now - start) / .seconds(1) * Double(pace))
                    for _ in 0..<min(32, max(0, due - sent)) {
                        flow.sender.send(bytes, to: flow.receiver)
                        sent += 1
                    }
                }
                return sent
            }
        }
    }
}
