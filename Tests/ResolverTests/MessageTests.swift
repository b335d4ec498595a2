// Questions as they are read, and answers as they are written.

import ChaosModel
import Testing

@testable import ChaosResolver

struct MessageTests {
    @Test
    func `an error repeats id and question to the letter, and says what is asked for`() throws {
        let query = QueryBytes(name: "Db.TEST").bytes
        let answer = try #require(query.answered(.error(3)))
        #expect(answer.number(0) == 0x1234)
        // Answer, recursion desired and available, NXDOMAIN.
        #expect(answer.number(2) == 0x8183)
        #expect(answer[4..<12] == [0, 1, 0, 0, 0, 0, 0, 0])
        #expect(Array(answer[12...]) == Array(query[12...]))
    }

    @Test
    func `EDNS is answered with EDNS, and DNSSEC's bit is kept`() throws {
        for isSecure in [true, false] {
            let answer = try #require(QueryBytes(edns: isSecure).bytes.answered(.error(2)))
            #expect(answer.number(10) == 1)
            let option = Array(answer.suffix(11))
            #expect(option.prefix(3) == [0, 0, 41])
            #expect(option.number(7) == (isSecure ? 0x8000 : 0))
        }
        #expect(QueryBytes().bytes.answered(.error(2))?.number(10) == 0)
    }

    @Test
    func `addresses are given with their type and time to live`() throws {
        let list = ["192.0.2.1", "192.0.2.2"].compactMap { NetworkAddress($0) }
        let content = AnswerWriter.Content.addresses(list, type: 1, ttl: 70_000)
        let query = QueryBytes().bytes
        let answer = try #require(query.answered(content))
        #expect(answer.code == 0 && answer.number(6) == 2)
        let records = Array(answer[query.count...])
        #expect(records.count == 32)
        #expect(records[..<12] == [0xc0, 12, 0, 1, 0, 1, 0, 1, 0x11, 0x70, 0, 4])
        #expect(records[12..<16] == [192, 0, 2, 1] && records[28...] == [192, 0, 2, 2])
    }

    @Test
    func `the longest answer stays within 512 bytes`() throws {
        let label = String(repeating: "a", count: 63)
        let name = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
        let address = try #require(NetworkAddress("fd00::1"))
        let many = [NetworkAddress](repeating: address, count: 30)
        let content = AnswerWriter.Content.addresses(many, type: 28, ttl: 0)
        let answer = try #require(
            QueryBytes(name: name, type: 28, edns: true).bytes.answered(content)
        )
        #expect(answer.number(6) == AnswerWriter.addressLimit)
        #expect(answer.count <= 512)
    }

    @Test
    func `what is no query with one question is not read`() {
        let good = QueryBytes().bytes
        let name = QuestionName()
        #expect(Question(good.span.bytes, name: name) != nil)
        for length in 0..<good.count {
            #expect(Question(Array(good[..<length]).span.bytes, name: name) == nil, "\(length)")
        }
        var none = good
        none[5] = 0
        var pointer = good
        pointer[12] = 0xc0
        var long = QueryBytes.number(1) + QueryBytes.number(0x100) + [0, 1, 0, 0, 0, 0, 0, 0]
        long += [UInt8](repeating: 1, count: 300) + [0, 0, 1, 0, 1]
        for bytes in [none, pointer, long] {
            #expect(Question(bytes.span.bytes, name: name) == nil)
        }
    }

    @Test
    func `unusual bytes of a name are shown so that nobody is fooled`() {
        #expect(QuestionName.text([3, 0x61, 0x2e, 0x0a, 1, 0x62, 0]) == "a\\046\\010.b")
        #expect(QuestionName.text([0]) == ".")
    }

    @Test
    func `100,000 broken messages do no harm to reader, rules and writer`() {
        var generator = SeededGenerator(seed: 42)
        var rules = RuleBook()
        rules.add(NameRule(names: [.all], share: 0.5, action: .error(.servfail)), lease: "one")
        let below = NamePattern.below("test")
        rules.add(NameRule(names: [below], action: .delay(delayMs: 1, jitterMs: 1)), lease: "two")
        let name = QuestionName()
        var read = 0
        for _ in 0..<100_000 {
            let bytes = BrokenMessage.next(&generator)
            guard let question = Question(bytes.span.bytes, name: name) else { continue }
            read += 1
            #expect(question.end <= bytes.count && name.count <= QuestionName.limit)
            if case .answer(let content) = rules.decide(question, name).ending {
                #expect(bytes.answered(content)?.number(0) == bytes.number(0))
            }
        }
        // Both kinds came: those that are refused, and those that are read although something is wrong.
        #expect(read > 10_000 && read < 90_000)
    }
}

/// Messages with something wrong: cut, lengthened, flipped, with pointers, lengths and counts that lie, or noise.
enum BrokenMessage {
    static func next(_ generator: inout SeededGenerator) -> [UInt8] {
        let kind = Int.random(in: 0..<8, using: &generator)
        if kind == 0 { return noise(Int.random(in: 0..<600, using: &generator), &generator) }
        let labels = (0..<Int.random(in: 0..<6, using: &generator)).map { _ in
            String(repeating: "x", count: Int.random(in: 1...63, using: &generator))
        }
        let isSecure = Bool.random(using: &generator)
        var query = QueryBytes(name: (labels + ["test"]).joined(separator: "."), edns: isSecure)
        query.id = .random(in: 0 ... .max, using: &generator)
        query.type = .random(in: 0 ... .max, using: &generator)
        var bytes = query.bytes
        switch kind {
        case 1: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
        case 2: bytes += noise(Int.random(in: 1..<400, using: &generator), &generator)
        case 3: bytes[12] = .random(in: 0xc0...0xff, using: &generator)
        case 4:
            for offset in 4..<12 { bytes[offset] = .random(in: 0 ... .max, using: &generator) }
        default:
            for _ in 0..<Int.random(in: 1..<8, using: &generator) {
                let offset = Int.random(in: 2..<bytes.count, using: &generator)
                bytes[offset] = .random(in: 0 ... .max, using: &generator)
            }
        }
        return bytes
    }

    private static func noise(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { _ in .random(in: 0 ... .max, using: &generator) }
    }
}
