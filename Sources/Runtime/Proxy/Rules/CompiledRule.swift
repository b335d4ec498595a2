// A rule made ready: patterns split, counters, and the draw of its share.

import ChaosModel
import NIOCore
import Synchronization

/// A rule in force, shared by all loops.
final class CompiledRule: Sendable {
    let rule: RequestRule
    /// The rate that all its requests share, where it has one.
    let sharedPace: SharedPace?
    /// Comes when the rule is taken away.
    let end = RuleEnd()
    private let path: Glob?
    private let host: Glob?
    private let headers: [(String, Glob)]
    private let seen = Atomic<UInt64>(0)
    private let matched = Atomic<UInt64>(0)
    private let hit = Atomic<UInt64>(0)

    init(_ rule: RequestRule) {
        self.rule = rule
        path = rule.match.path.map { Glob($0) }
        host = rule.match.host.map { Glob($0, ignoresCase: true) }
        headers = rule.match.headers.map { ($0.key.lowercased(), Glob($0.value)) }
        if case .bandwidth(let rate, .aggregate, _) = rule.action {
            sharedPace = SharedPace(bytesPerSecond: rate, until: end)
        } else {
            sharedPace = nil
        }
    }

    /// Counts a request, and draws whether it is hit.
    ///
    /// Returns a random number of its own for a hit, nil for none. The draw depends on the seed and on how
    /// many requests matched before, on nothing else.
    func draw(_ facts: RequestFacts) -> UInt64? {
        seen.add(1, ordering: .relaxed)
        guard means(facts) else { return nil }
        let index = matched.add(1, ordering: .relaxed).oldValue
        var generator = SeededGenerator(seed: rule.seed &+ index &* 0xd134_2543_de82_ef95)
        let chance = Double(generator.next() >> 11) * 0x1p-53
        return chance < rule.share ? generator.next() : nil
    }

    /// Counts that a request was hit.
    func countHit() { hit.add(1, ordering: .relaxed) }

    /// What was counted so far.
    var count: RequestCount {
        RequestCount(
            seen: seen.load(ordering: .relaxed),
            matched: matched.load(ordering: .relaxed),
            hit: hit.load(ordering: .relaxed)
        )
    }

    private func means(_ facts: RequestFacts) -> Bool {
        let match = rule.match
        if match.grpcOnly, !facts.isGRPC { return false }
        if !match.methods.isEmpty, !match.methods.contains(facts.method) { return false }
        if let path, !path.matches(facts.path) { return false }
        if let host, !host.matches(facts.hostName) { return false }
        let given = headers.isEmpty ? [] : facts.headers
        for (name, pattern) in headers {
            let isThere = given.contains { $0.name == name && pattern.matches($0.value) }
            guard isThere else { return false }
        }
        guard !match.clients.isEmpty else { return true }
        guard let client = facts.client else { return false }
        return match.clients.contains { $0.contains(client) }
    }
}

extension NetworkAddress {
    /// Whether an address lies in this network.
    func contains(_ other: NetworkAddress) -> Bool {
        other.bytes.count == bytes.count
            && NetworkAddress(bytes: other.bytes, prefixLength: prefixLength)?.bytes == bytes
    }
}

/// What the rules together do to one request.
struct Verdict {
    /// An answer in place of the upstream's.
    enum Answer {
        case http(status: Int, headers: [String: String], body: String)
        case grpc(code: Int, message: String)
        case reset
    }

    var delays = Delays()
    var answer: Answer?
    var responsePaces: [any Pace] = []
    var requestPaces: [any Pace] = []
}

/// The rules in force.
struct RuleBook: Sendable {
    let rules: [CompiledRule]
    /// Whether a rule is for some clients only.
    let asksForClient: Bool

    init(_ rules: [CompiledRule] = []) {
        self.rules = rules
        asksForClient = rules.contains { !$0.rule.match.clients.isEmpty }
    }

    /// Judges a request by all rules: delays add up, the first answer wins, the slowest rate rules.
    func judge(_ facts: RequestFacts) -> Verdict {
        var verdict = Verdict()
        for rule in rules {
            guard let random = rule.draw(facts) else { continue }
            if Self.apply(rule, random, to: &verdict) { rule.countHit() }
        }
        return verdict
    }

    /// Adds what a rule does; false when an earlier rule has answered already.
    private static func apply(
        _ rule: CompiledRule,
        _ random: UInt64,
        to verdict: inout Verdict
    ) -> Bool {
        switch rule.rule.action {
        case .latency(let delay, let jitter):
            let spread = Double(random >> 11) * 0x1p-52 - 1
            let nanoseconds = (delay + jitter * spread) * 1_000_000
            verdict.delays.add(.nanoseconds(Int64(nanoseconds)), until: rule.end)
            return true
        case .bandwidth(let rate, _, let direction):
            let pace: any Pace = rule.sharedPace ?? OwnPace(bytesPerSecond: rate, until: rule.end)
            if direction != .request { verdict.responsePaces.append(pace) }
            if direction != .response { verdict.requestPaces.append(pace) }
            return true
        case .error(let status, let headers, let body):
            return answer(.http(status: status, headers: headers, body: body), &verdict)
        case .grpcError(let code, let message):
            return answer(.grpc(code: code, message: message), &verdict)
        case .abort:
            return answer(.reset, &verdict)
        }
    }

    private static func answer(_ answer: Verdict.Answer, _ verdict: inout Verdict) -> Bool {
        guard verdict.answer == nil else { return false }
        verdict.answer = answer
        return true
    }
}
