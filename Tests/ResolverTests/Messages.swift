// DNS messages as tests write and read them.

import ChaosModel

@testable import ChaosResolver

/// A query, as a resolver library would write it.
struct QueryBytes {
    var id: UInt16 = 0x1234
    var name = "db.test"
    var type: UInt16 = 1
    var flags: UInt16 = 0x0100
    var recordClass: UInt16 = 1
    /// Whether EDNS is there, and whether it asks for DNSSEC.
    var edns: Bool?

    var bytes: [UInt8] {
        var bytes = Self.number(id) + Self.number(flags) + Self.number(1) + Self.number(0)
        bytes += Self.number(0) + Self.number(edns == nil ? 0 : 1)
        bytes += Self.name(name) + Self.number(type) + Self.number(recordClass)
        if let edns {
            bytes += [0] + Self.number(41) + Self.number(4096)
            bytes += [0, 0] + Self.number(edns ? 0x8000 : 0) + [0, 0]
        }
        return bytes
    }

    static func number(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }
}

extension [UInt8] {
    /// The number of two bytes at a place.
    func number(_ offset: Int) -> Int { Int(self[offset]) << 8 | Int(self[offset + 1]) }

    /// The code of an answer.
    var code: Int { number(2) & 0xf }

    /// Decides about the message with a rule, as the responder does.
    func decided(by rules: inout RuleBook) -> QueryVerdict? {
        let name = QuestionName()
        guard let question = Question(span.bytes, name: name), question.isQuery else { return nil }
        return rules.decide(question, name)
    }

    /// The answer to the message.
    func answered(_ content: AnswerWriter.Content) -> [UInt8]? {
        let name = QuestionName()
        guard let question = Question(span.bytes, name: name) else { return nil }
        return [UInt8](unsafeUninitializedCapacity: AnswerWriter.room) { buffer, count in
            count = AnswerWriter.write(
                content,
                to: span.bytes,
                question,
                into: UnsafeMutableRawBufferPointer(buffer)
            )
        }
    }
}
