// What network faults do to packets beside dropping them, as values, and the port to what carries it.
//
// The vocabulary is that of tc-netem(8), which users know and can inspect; the other engine follows it.

/// How packets are delayed.
package struct PacketDelay: Sendable, Hashable, Codable {
    /// How a delay varies around its mean.
    package enum Distribution: String, Sendable, Hashable, Codable, CaseIterable {
        case uniform, normal, pareto
    }

    /// The mean delay, in milliseconds.
    package var delayMs: Double
    /// How far it varies, in milliseconds: the bound of a uniform distribution, the deviation of the others.
    package var jitterMs: Double
    /// How far a packet's delay follows the one before, 0…1.
    package var correlation: Double
    /// How it varies.
    package var distribution: Distribution
    /// Whether packets keep their order although their delays differ.
    package var preserveOrder: Bool

    /// Makes a delay.
    package init(
        delayMs: Double,
        jitterMs: Double = 0,
        correlation: Double = 0,
        distribution: Distribution = .uniform,
        preserveOrder: Bool = false
    ) {
        self.delayMs = delayMs
        self.jitterMs = jitterMs
        self.correlation = correlation
        self.distribution = distribution
        self.preserveOrder = preserveOrder
    }
}

/// How packets are lost; all values are shares, 0…1.
package enum PacketLoss: Sendable, Hashable, Codable {
    /// Each packet by itself, or after the one before as far as the correlation goes.
    case random(share: Double, correlation: Double)
    /// Good and bad times: `bad` and `good` are the chances to change into them; loss in each.
    case gilbertElliott(bad: Double, good: Double, lossInBad: Double, lossInGood: Double)
    /// The four states of tc-netem(8): p13, p31, p32, p23, p14.
    case fourState(p13: Double, p31: Double, p32: Double, p23: Double, p14: Double)
}

/// A share of packets that something happens to.
package struct PacketShare: Sendable, Hashable, Codable {
    /// The share, 0…1.
    package var share: Double
    /// How far a packet follows the one before, 0…1.
    package var correlation: Double

    /// Makes a share.
    package init(share: Double, correlation: Double = 0) {
        self.share = share
        self.correlation = correlation
    }
}

/// How fast packets may go.
package struct PacketRate: Sendable, Hashable, Codable {
    /// Bits per second.
    package var bitsPerSecond: Double
    /// How many bytes may go at once after a pause.
    package var burstBytes: Int
    /// How many bytes may wait; what comes on top is lost.
    package var limitBytes: Int

    /// Makes a rate.
    package init(bitsPerSecond: Double, burstBytes: Int, limitBytes: Int) {
        self.bitsPerSecond = bitsPerSecond
        self.burstBytes = burstBytes
        self.limitBytes = limitBytes
    }
}

/// What happens to the packets that match; at least one thing.
package struct Impairment: Sendable, Hashable, Codable {
    package var delay: PacketDelay?
    package var loss: PacketLoss?
    package var duplicate: PacketShare?
    package var corrupt: PacketShare?
    /// The share that goes at once while the others wait for their delay.
    package var reorder: PacketShare?
    package var rate: PacketRate?

    /// Makes an impairment.
    package init(
        delay: PacketDelay? = nil,
        loss: PacketLoss? = nil,
        duplicate: PacketShare? = nil,
        corrupt: PacketShare? = nil,
        reorder: PacketShare? = nil,
        rate: PacketRate? = nil
    ) {
        self.delay = delay
        self.loss = loss
        self.duplicate = duplicate
        self.corrupt = corrupt
        self.reorder = reorder
        self.rate = rate
    }
}

/// What carries an impairment.
package enum ShapingEngine: String, Sendable, Hashable, Codable, CaseIterable {
    /// netem on an ifb of ours, to which an owner table forwards what matches.
    case netem
    /// A queue to a worker of ours, with bypass, by an owner table.
    case nfqueue
}

/// Which packets a lease impairs, and how.
package struct ShapingRules: Sendable, Hashable, Codable {
    /// The name of our table, unique to the lease; the ifb's name follows from it.
    package var name: String
    /// Packets that are left alone although a match would take them.
    package var pass: [PacketMatch]
    /// Packets that are impaired; each direction has its own state (its own rate, its own bursts).
    package var match: [PacketMatch]
    /// The share of packets that is taken at all, 0…1; whole connections when `byConnection`.
    package var traffic: Double
    /// Whether `traffic` is a share of connections, each wholly in or out.
    package var byConnection: Bool
    /// What happens to them.
    package var impairment: Impairment
    /// The seed of what is left to chance.
    package var seed: UInt64

    /// Makes rules.
    package init(
        name: String,
        pass: [PacketMatch],
        match: [PacketMatch],
        traffic: Double = 1,
        byConnection: Bool = true,
        impairment: Impairment,
        seed: UInt64
    ) {
        self.name = name
        self.pass = pass
        self.match = match
        self.traffic = traffic
        self.byConnection = byConnection
        self.impairment = impairment
        self.seed = seed
    }
}

/// What has happened to the packets of a lease so far.
package struct ShapingCount: Sendable, Hashable, Codable {
    /// Packets that matched.
    package var matched: UInt64
    /// Packets of those that were dropped, by loss or because too many waited.
    package var dropped: UInt64
    /// Packets that were sent twice.
    package var duplicated: UInt64
    /// Packets that were changed.
    package var corrupted: UInt64
    /// Packets that overtook others.
    package var reordered: UInt64
    /// The mean delay that was measured, in milliseconds; nil where the engine cannot tell.
    package var meanDelayMs: Double?
    /// Packets that went by unimpaired because the engine could not keep up.
    package var bypassed: UInt64
    /// The share of traffic that was taken; nil where all is, or where the engine does not count what it leaves alone.
    package var traffic: TrafficShare?

    /// Makes a count.
    package init(
        matched: UInt64 = 0,
        dropped: UInt64 = 0,
        duplicated: UInt64 = 0,
        corrupted: UInt64 = 0,
        reordered: UInt64 = 0,
        meanDelayMs: Double? = nil,
        bypassed: UInt64 = 0,
        traffic: TrafficShare? = nil
    ) {
        self.matched = matched
        self.dropped = dropped
        self.duplicated = duplicated
        self.corrupted = corrupted
        self.reordered = reordered
        self.meanDelayMs = meanDelayMs
        self.bypassed = bypassed
        self.traffic = traffic
    }
}

/// Which shaping engines work somewhere, best first.
package struct ShapingEngines: Sendable, Hashable {
    /// The engines that work.
    package var working: [ShapingEngine]
    /// Why the others do not, and how to get them.
    package var reasons: [ShapingEngine: String]

    /// Makes an answer.
    package init(working: [ShapingEngine], reasons: [ShapingEngine: String]) {
        self.working = working
        self.reasons = reasons
    }
}

/// Traffic shaping of network namespaces.
package protocol TrafficShapingPort: Sendable {
    /// The engines that work, tried out where nobody else is.
    func engines(in namespace: NetworkNamespace) throws(KernelError) -> ShapingEngines

    /// What an engine cannot do of the rules, beside what it does there already, in words; nil when it can all of it.
    func obstacle(
        to rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    )
        throws(KernelError) -> String?

    /// What an engine does otherwise than a reader of the rules might think, one sentence each.
    func remarks(on rules: ShapingRules, with engine: ShapingEngine) -> [String]

    /// Begins to impair.
    func shape(
        _ rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError)

    /// Impairs more packets in the same way; fails when rules of this name are not in force.
    func widen(
        _ name: String,
        by matches: [PacketMatch],
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError)

    /// Ends it, and removes all that it left. Ending what is not there is no error.
    func unshape(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError)

    /// What has happened so far; nil when rules of this name are not in force.
    func count(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount?

    /// Waits until what carries it has ended while it was on, and says how; nil where nothing does, or it was ended.
    func endedEarly(_ name: String, with engine: ShapingEngine) async -> String?
}
