// Which queries a rule is for, how many of them it hits, and how several rules go together.

import ChaosModel
import Testing

@testable import ChaosResolver

struct RuleTests {
    private func book(_ rule: NameRule) -> RuleBook {
        var book = RuleBook()
        book.add(rule, lease: "one")
        return book
    }

    private func patterns(_ texts: [String]) -> [NamePattern] { texts.compactMap(NamePattern.init) }

    private func isDropped(_ name: String, type: UInt16 = 1, by book: inout RuleBook) -> Bool {
        guard case .drop = QueryBytes(name: name, type: type).bytes.decided(by: &book)?.ending
        else {
            return false
        }
        return true
    }

    @Test
    func `names match exactly, below a suffix, or all, but not those excepted`() {
        var rules = book(
            NameRule(names: patterns(["db.test", "*.Shop.test."]), action: .drop)
        )
        for name in ["db.test", "DB.tEsT", "a.shop.test", "b.a.SHOP.test"] {
            #expect(isDropped(name, by: &rules), "\(name)")
        }
        for name in ["a.db.test", "shop.test", "xshop.test", "a.xshop.test", "test", "db.tes", ""] {
            #expect(!isDropped(name, by: &rules), "\(name)")
        }
        rules = book(
            NameRule(
                names: patterns(["*"]),
                except: patterns(["allow.test", "*.allow.test"]),
                action: .drop
            )
        )
        #expect(isDropped("db.test", by: &rules) && isDropped("", by: &rules))
        #expect(!isDropped("allow.test", by: &rules) && !isDropped("x.allow.test", by: &rules))
    }

    @Test
    func `types narrow a rule`() {
        var rules = book(NameRule(names: [.all], types: [.aaaa], action: .drop))
        #expect(isDropped("db.test", type: 28, by: &rules))
        #expect(!isDropped("db.test", type: 1, by: &rules))
    }

    @Test
    func `a share of 5 % hits 5 ± 1 % of 10,000, the same with the same seed`() {
        func hits(share: Double, seed: UInt64) -> [Bool] {
            var rules = book(NameRule(names: [.all], share: share, seed: seed, action: .drop))
            return (0..<10_000).map { _ in isDropped("db.test", by: &rules) }
        }
        let first = hits(share: 0.05, seed: 7)
        #expect((400...600).contains(first.count { $0 }))
        #expect(first == hits(share: 0.05, seed: 7))
        #expect(first != hits(share: 0.05, seed: 8))
        #expect(!hits(share: 0, seed: 7).contains(true))
        #expect(!hits(share: 1, seed: 7).contains(false))
    }

    @Test
    func `delays add up, and the first rule that answers wins`() {
        var rules = book(NameRule(names: [.all], action: .delay(delayMs: 100, jitterMs: 0)))
        rules.add(NameRule(names: [.all], action: .delay(delayMs: 50, jitterMs: 0)), lease: "two")
        rules.add(NameRule(names: [.all], action: .error(.refused)), lease: "three")
        rules.add(NameRule(names: [.all], action: .drop), lease: "four")
        let verdict = QueryBytes().bytes.decided(by: &rules)
        #expect(verdict?.delay == 150_000_000)
        guard case .answer(.error(5)) = verdict?.ending else { return #expect(Bool(false)) }
        rules.remove(lease: "three")
        guard case .drop = QueryBytes().bytes.decided(by: &rules)?.ending else {
            return #expect(Bool(false))
        }
    }

    @Test
    func `jitter stays within its bounds and is not constant`() {
        var rules = book(NameRule(names: [.all], action: .delay(delayMs: 100, jitterMs: 20)))
        let delays = (0..<200).compactMap { _ in QueryBytes().bytes.decided(by: &rules)?.delay }
        #expect(delays.allSatisfy { (80_000_000...120_000_000).contains($0) })
        #expect(Set(delays).count > 100)
    }

    @Test
    func `queries are counted by name, and names without end take no more room`() throws {
        var rules = book(NameRule(names: patterns(["*.test"]), share: 0.5, seed: 1, action: .drop))
        for _ in 0..<40 { _ = isDropped("Busy.test", by: &rules) }
        for number in 0..<5_000 { _ = isDropped("n\(number).test", by: &rules) }
        _ = isDropped("other.name", by: &rules)
        let count = try #require(rules.count(lease: "one"))
        #expect(count.seen == 5_041 && count.matched == 5_040)
        #expect((2_300...2_740).contains(count.hit))
        #expect(count.names.count == NameTallies.shown)
        #expect(count.names.first?.name == "busy.test" && count.names.first?.matched == 40)
        #expect(count.uncounted == 5_001 - UInt64(NameTallies.limit))
        #expect(rules.count(lease: "none") == nil)
    }

    @Test
    func `texts that are no names are no patterns`() {
        for text in ["", ".", "a..b", "a.*.b", "*a.b", "a b", "ä.test", "a/b", "-.\n"]
            + [String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "test"]
        {
            #expect(NamePattern(text) == nil, "\(text)")
        }
        #expect(NamePattern("_sip._tcp.A-1.Test.")?.description == "_sip._tcp.a-1.test")
        #expect(NamePattern("*.Test")?.description == "*.test")
    }
}
