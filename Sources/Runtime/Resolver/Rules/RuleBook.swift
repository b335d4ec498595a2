// The rules in force in one place, in the order in which they came. Delays add up; the first rule that answers or
// drops decides.

import ChaosModel

/// What happens to a query.
struct QueryVerdict {
    /// How it ends.
    enum Ending {
        /// The real resolver answers it.
        case pass
        /// Nobody does.
        case drop
        /// We do.
        case answer(AnswerWriter.Content)
    }

    var ending = Ending.pass
    /// How long it waits before that, in nanoseconds.
    var delay: Int64 = 0
    /// Whether nothing happens to it.
    var isUntouched: Bool {
        if case .pass = ending { return delay == 0 }
        return false
    }
}

/// Rules and their counters.
struct RuleBook {
    private struct Entry {
        var lease: String
        var action: NameAction
        var names: NameMatcher
        var except: NameMatcher
        var types: [UInt16]
        var share: Double
        var generator: SeededGenerator
        var count = NameCount()
        var tallies = NameTallies()

        init(_ rule: NameRule, lease: String) {
            self.lease = lease
            action = rule.action
            names = NameMatcher(rule.names)
            except = NameMatcher(rule.except)
            types = rule.types.map(\.number)
            share = rule.share
            generator = SeededGenerator(seed: rule.seed)
        }

        func isFor(_ question: Question, _ name: QuestionName) -> Bool {
            (types.isEmpty || types.contains(question.type)) && names.matches(name)
                && !except.matches(name)
        }

        /// Whether the next query is hit: the generator goes on at each query that matches.
        mutating func draws() -> Bool {
            let number = Double(generator.next() >> 11) * 0x1p-53
            return number < share
        }
    }

    /// A name that is answered to see whether it is asked for.
    private struct Expected {
        var name: String
        var matcher: NameMatcher
        var wasAsked = false
    }

    /// The addresses of such a name: of documentation, nobody's (RFC 5737, RFC 3849).
    private static let nobody = ["192.0.2.53", "2001:db8::53"].compactMap { NetworkAddress($0) }

    private var entries: [Entry] = []
    private var expected: [Expected] = []

    /// Whether there are none.
    var isEmpty: Bool { entries.isEmpty }

    /// Adds the rule of a lease.
    mutating func add(_ rule: NameRule, lease: String) { entries.append(Entry(rule, lease: lease)) }

    /// Removes the rule of a lease.
    mutating func remove(lease: String) { entries.removeAll { $0.lease == lease } }

    /// Answers a name before all rules, until `wasAsked`.
    mutating func expect(_ name: String) {
        let matcher = NameMatcher(NamePattern(name).map { [$0] } ?? [])
        expected.append(Expected(name: name, matcher: matcher))
    }

    /// Stops that; whether the name was asked for.
    mutating func wasAsked(_ name: String) -> Bool {
        guard let index = expected.firstIndex(where: { $0.name == name }) else { return false }
        return expected.remove(at: index).wasAsked
    }

    /// What a lease has done so far; nil when there is none.
    func count(lease: String) -> NameCount? {
        guard let entry = entries.first(where: { $0.lease == lease }) else { return nil }
        var count = entry.count
        count.names = entry.tallies.most
        count.uncounted = entry.tallies.uncounted
        return count
    }

    /// Decides about a query and counts it.
    mutating func decide(_ question: Question, _ name: QuestionName) -> QueryVerdict {
        var verdict = QueryVerdict()
        if let index = expected.firstIndex(where: { $0.matcher.matches(name) }) {
            expected[index].wasAsked = true
            let family = Self.nobody.filter { question.type == ($0.isIPv6 ? 28 : 1) }
            verdict.ending = .answer(.addresses(family, type: question.type, ttl: 0))
            return verdict
        }
        for index in entries.indices {
            entries[index].count.seen += 1
            guard entries[index].isFor(question, name) else { continue }
            let isHit = entries[index].draws()
            entries[index].count.matched += 1
            if isHit { entries[index].count.hit += 1 }
            entries[index].tallies.count(name, isHit: isHit)
            if isHit { apply(index, question, to: &verdict) }
        }
        return verdict
    }

    /// Notes that a delayed query went on at once.
    mutating func noteBypass() {
        for index in entries.indices {
            if case .delay = entries[index].action { entries[index].count.bypassed += 1 }
        }
    }

    /// Notes datagrams or connections that failed on the way to or from the resolvers.
    mutating func noteFailures(_ number: UInt64) {
        for index in entries.indices { entries[index].count.failed += number }
    }

    private mutating func apply(_ index: Int, _ question: Question, to verdict: inout QueryVerdict)
    {
        if case .delay(let delay, let jitter) = entries[index].action {
            let unit = Double(entries[index].generator.next() >> 11) * 0x1p-52 - 1
            verdict.delay += Int64(max(0, delay + unit * jitter) * 1e6)
            return
        }
        guard case .pass = verdict.ending else { return }
        switch entries[index].action {
        case .delay: break
        case .drop: verdict.ending = .drop
        case .error(let error): verdict.ending = .answer(.error(error.code))
        case .spoof(let addresses, let ttl):
            let family = addresses.filter { question.type == ($0.isIPv6 ? 28 : 1) }
            verdict.ending = .answer(.addresses(family, type: question.type, ttl: ttl))
        }
    }
}
