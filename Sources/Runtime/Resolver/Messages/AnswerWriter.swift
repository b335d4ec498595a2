// Answers of our own: the question as it was asked, an error or addresses, and EDNS where the query had it.
//
// NXDOMAIN comes without an SOA record, so that no cache keeps it (RFC 2308, 5): it must not outlive the fault.

import ChaosModel

/// Writes answers.
struct AnswerWriter {
    /// The most addresses of a family: with the longest question and EDNS, an answer stays within 512 bytes.
    package static let addressLimit = 8
    /// More than the longest answer.
    static let room = 1024

    private static let optionSize = 11

    /// What an answer says.
    enum Content {
        case error(UInt8)
        /// Addresses of 4 or 16 bytes, as many as fit.
        case addresses([NetworkAddress], type: UInt16, ttl: UInt32)
    }

    /// Writes the answer to a query and returns its length.
    static func write(
        _ content: Content,
        to query: RawSpan,
        _ question: Question,
        into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        var output = Output(room: room)
        output.number(question.id)
        var flags: UInt16 = 0x8080 | question.flags & 0x0110
        var count = 0
        if case .error(let code) = content { flags |= UInt16(code) }
        if case .addresses(let list, _, _) = content { count = min(list.count, addressLimit) }
        output.number(flags)
        let option = option(of: query, question)
        for section in [1, count, 0, option == nil ? 0 : 1] { output.number(UInt16(section)) }
        for offset in Question.headerSize..<question.end { output.byte(query.byte(at: offset)) }
        if case .addresses(let list, let type, let ttl) = content {
            for address in list.prefix(addressLimit) {
                // The name is the question's.
                output.number(0xc000 | UInt16(Question.headerSize))
                output.number(type)
                output.number(question.recordClass)
                output.number(UInt16(ttl >> 16))
                output.number(UInt16(ttl & 0xffff))
                output.number(UInt16(address.bytes.count))
                for byte in address.bytes { output.byte(byte) }
            }
        }
        if let isSecure = option {
            output.byte(0)
            output.number(41)
            output.number(1232)
            output.number(0)
            output.number(isSecure ? 0x8000 : 0)
            output.number(0)
        }
        return output.count
    }

    /// Whether DNSSEC is asked for, when the query has EDNS (RFC 6891) right after its question; nil without.
    private static func option(of query: RawSpan, _ question: Question) -> Bool? {
        guard query.number(at: 6) == 0, query.number(at: 8) == 0, query.number(at: 10) > 0,
            question.end + optionSize <= query.byteCount,
            query.byte(at: question.end) == 0, query.number(at: question.end + 1) == 41
        else { return nil }
        return query.number(at: question.end + 7) & 0x8000 != 0
    }

    /// Bytes written one after the other; what would not fit is left out.
    private struct Output {
        let room: UnsafeMutableRawBufferPointer
        var count = 0

        mutating func byte(_ value: UInt8) {
            guard count < room.count else { return }
            room[count] = value
            count += 1
        }

        mutating func number(_ value: UInt16) {
            byte(UInt8(value >> 8))
            byte(UInt8(value & 0xff))
        }
    }
}
