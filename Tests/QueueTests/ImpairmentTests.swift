// What becomes of packets, with no kernel and no clock: shares, models, order, all from a seed.

import CPacketQueue
import ChaosModel
import Testing

@testable import ChaosLinux

struct ImpairmentTests {
    private func begin(_ impairment: Impairment, seed: UInt64 = 5) -> pq_state {
        var given = pq_impairment(
            ShapingRules(
                name: "moonquake_i",
                pass: [],
                match: [],
                impairment: impairment,
                seed: seed
            )
        )
        var state = pq_state()
        pq_begin(&state, &given, 1)
        return state
    }

    /// The fates of packets of 1,000 bytes, a millisecond apart.
    private func fates(
        _ impairment: Impairment,
        count: Int = 100_000,
        seed: UInt64 = 5,
        everyNs: Int = 1_000_000
    ) -> [pq_fate] {
        var state = begin(impairment, seed: seed)
        return (0..<count).map { pq_decide(&state, UInt64($0 * everyNs), 1000, false) }
    }

    private func share(_ fates: [pq_fate], _ happens: (pq_fate) -> Bool) -> Double {
        Double(fates.filter(happens).count) / Double(fates.count)
    }

    /// How often a fate is that of the packet before, beyond chance.
    private func correlation(_ values: [Double]) -> Double {
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let product = zip(values, values.dropFirst()).reduce(0) {
            $0 + ($1.0 - mean) * ($1.1 - mean)
        }
        return product / variance
    }

    private func delays(_ delay: PacketDelay) -> [Double] {
        fates(Impairment(delay: delay)).enumerated().map { index, fate in
            Double(fate.due_ns) / 1e6 - Double(index)
        }
    }

    @Test(arguments: [(0.0, 0.0), (0.3, 0.0), (0.3, 0.75), (1.0, 0.0), (1.0, 0.5)])
    func `random loss has its share and its correlation`(_ share: Double, _ follow: Double) {
        let lost = fates(Impairment(loss: .random(share: share, correlation: follow)))
            .map { $0.is_dropped ? 1.0 : 0 }
        let measured = lost.reduce(0, +) / Double(lost.count)
        #expect(abs(measured - share) < 0.01)
        guard share > 0, share < 1 else {
            #expect(measured == share)
            return
        }
        #expect(abs(correlation(lost) - follow) < 0.02)
    }

    @Test
    func `Gilbert–Elliott loses its stationary share in bursts`() {
        let model = PacketLoss.gilbertElliott(bad: 0.02, good: 0.18, lossInBad: 1, lossInGood: 0)
        let fates = fates(Impairment(loss: model))
        // In bad times for bad / (bad + good) of all packets, 1 / good packets long.
        let lost = share(fates, \.is_dropped)
        #expect(abs(lost - 0.1) < 0.01)
        let bursts = zip([pq_fate()] + fates, fates).filter { !$0.is_dropped && $1.is_dropped }
        #expect(abs(Double(fates.count) * lost / Double(bursts.count) - 1 / 0.18) < 0.5)
    }

    @Test
    func `four states lose what their chain says`() {
        // Gaps only: p14 alone loses single packets, each followed by one that is not.
        let single = fates(Impairment(loss: .fourState(p13: 0, p31: 1, p32: 0, p23: 1, p14: 0.25)))
        #expect(abs(share(single, \.is_dropped) - 0.2) < 0.01)
        #expect(!zip(single, single.dropFirst()).contains { $0.is_dropped && $1.is_dropped })
        // Two states, gap and lost in burst: p13 / (p13 + p31).
        let burst = fates(Impairment(loss: .fourState(p13: 0.1, p31: 0.4, p32: 0, p23: 1, p14: 0)))
        #expect(abs(share(burst, \.is_dropped) - 0.2) < 0.01)
    }

    @Test
    func `jitter keeps its mean and its bounds`() {
        let uniform = delays(PacketDelay(delayMs: 100, jitterMs: 10))
        #expect(abs(uniform.reduce(0, +) / Double(uniform.count) - 100) < 0.1)
        #expect(uniform.allSatisfy { (89.99...110.01).contains($0) })
        for distribution in [PacketDelay.Distribution.normal, .pareto] {
            let values = delays(
                PacketDelay(delayMs: 100, jitterMs: 10, distribution: distribution)
            )
            let mean = values.reduce(0, +) / Double(values.count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            #expect(abs(mean - 100) < 0.6, "\(distribution)")
            // Cut off at four deviations, as the tables of iproute2: Pareto's tail is long.
            #expect(abs((variance / Double(values.count)).squareRoot() - 10) < 2)
            #expect(values.allSatisfy { (60.0...140.01).contains($0) })
        }
        let following = delays(PacketDelay(delayMs: 100, jitterMs: 10, correlation: 0.5))
        #expect(abs(correlation(following) - 0.5) < 0.02)
    }

    @Test
    func `packets keep their order when asked to`() {
        let jitter = PacketDelay(delayMs: 50, jitterMs: 10, preserveOrder: true)
        let kept = fates(Impairment(delay: jitter)).map(\.due_ns)
        #expect(zip(kept, kept.dropFirst()).allSatisfy { $0 <= $1 })
        let free = fates(Impairment(delay: PacketDelay(delayMs: 50, jitterMs: 10))).map(\.due_ns)
        #expect(!zip(free, free.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test
    func `a rate spaces packets out, lets a burst go and loses what is over the limit`() {
        let rate = PacketRate(bitsPerSecond: 8e6, burstBytes: 5000, limitBytes: 10_000)
        // 1,000 bytes take a millisecond; one comes each half.
        let fates = fates(Impairment(rate: rate), count: 2000, everyNs: 500_000)
        #expect(fates.prefix(5).enumerated().allSatisfy { $1.due_ns == UInt64($0 * 500_000) })
        let sent = fates.filter { !$0.is_dropped }
        #expect(abs(Double(sent.count) / 1000 - 1) < 0.02)
        let late = fates.enumerated().filter { !$1.is_dropped }.map {
            Double($1.due_ns) / 1e6 - Double($0) / 2
        }
        #expect((late.max() ?? 0) <= 10.01)
    }

    @Test
    func `shares of corruption, duplication and reordering hold`() {
        let delay = PacketDelay(delayMs: 10)
        let fates = fates(
            Impairment(
                delay: delay,
                duplicate: PacketShare(share: 0.1, correlation: 0.2),
                corrupt: PacketShare(share: 0.2),
                reorder: PacketShare(share: 0.3, correlation: 0.5)
            )
        )
        #expect(abs(share(fates, \.is_duplicated) - 0.1) < 0.01)
        #expect(abs(share(fates, \.is_corrupted) - 0.2) < 0.01)
        #expect(abs(share(fates, \.is_reordered) - 0.3) < 0.01)
        let waits = zip(fates, 0...).allSatisfy { fate, index in
            fate.due_ns == UInt64(index) * 1_000_000 + (fate.is_reordered ? 0 : 10_000_000)
        }
        #expect(waits)
    }

    @Test
    func `a seed gives the same fates again`() {
        let impairment = Impairment(
            delay: PacketDelay(delayMs: 5, jitterMs: 5),
            loss: .random(share: 0.5, correlation: 0)
        )
        let first = fates(impairment, count: 1000).map { "\($0)" }
        #expect(first == fates(impairment, count: 1000).map { "\($0)" })
        #expect(first != fates(impairment, count: 1000, seed: 6).map { "\($0)" })
    }

    private func segment(_ from: (UInt8, UInt16), _ to: (UInt8, UInt16)) -> [UInt8] {
        [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, from.0, 10, 0, 0, to.0]
            + from.1.inNetworkOrder + to.1.inNetworkOrder + [UInt8](repeating: 0, count: 16)
    }

    @Test
    func `a share of connections takes each wholly, both ways`() {
        var given = pq_impairment()
        given.traffic = 0.1
        given.by_connection = true
        var state = pq_state()
        pq_begin(&state, &given, 1)
        let taken = (0..<20_000).filter { number in
            let there = segment((1, UInt16(10_000 + number)), (2, 443))
            let back = segment((2, 443), (1, UInt16(10_000 + number)))
            let connection = pq_connection(there, there.count, 7)
            #expect(connection == pq_connection(back, back.count, 7))
            return pq_takes(&state, connection)
        }
        #expect(abs(Double(taken.count) / 20_000 - 0.1) < 0.01)
    }

    @Test(arguments: [1, 20, 1000, 20_000, 1_000_000])
    func `connections are counted within a twentieth, and their share stays right`(_ total: Int) {
        var connections = pq_connections()
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<total {
            let connection = generator.next()
            for _ in 0..<2 {
                pq_note_connection(&connections, connection, connection >> 60 == 0)
            }
        }
        let share = TrafficShare(connections)
        // Beyond the first 49,000 none is noted.
        if total <= 20_000 { #expect(abs(Double(share.matched) / Double(total) - 1) < 0.05) }
        if total >= 1000 { #expect(abs(share.share - 1.0 / 16) < 0.02, "\(share)") }
        #expect(!share.exceeds(1.0 / 16), "\(share)")
    }
}
