// A notice as a letter (RFC 5322, with MIME): plain text in UTF-8, base64, so that no line is too long and no byte odd.

import ChaosModel
import Foundation

/// A letter.
struct Letter {
    /// Head and body, lines ended by CR LF.
    let text: String

    init(_ notice: Notice, from: String, to: [String]) {
        let first = notice.text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        let head = [
            "From: \(Self.line(from))",
            "To: \(Self.line(to.joined(separator: ", ")))",
            "Subject: \(Self.encoded("[moonquake] \(first)"))",
            "Date: \(Self.date(notice.at))",
            "Message-ID: <\(Self.line(notice.id)).\(notice.kind.rawValue).\(UInt32.random(in: 0 ... .max))@moonquake>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
        ]
        let body = Data((notice.text + "\r\n").utf8)
            .base64EncodedString(options: [
                .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
            ])
        text = head.joined(separator: "\r\n") + "\r\n\r\n" + body + "\r\n"
    }

    /// A text that cannot begin a field of its own.
    private static func line(_ text: String) -> String {
        String(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f })
    }

    /// A field's text as RFC 2047 encodes it, in words of at most 75 characters.
    private static func encoded(_ text: String) -> String {
        let plain = line(text)
        guard !plain.utf8.allSatisfy({ $0 < 0x80 }) || plain.utf8.count > 900 else { return plain }
        var words: [String] = []
        var word = ""
        for character in plain {
            if word.utf8.count + character.utf8.count > 42 {
                words.append(word)
                word = ""
            }
            word.append(character)
        }
        words.append(word)
        return words.map { "=?utf-8?B?\(Data($0.utf8).base64EncodedString())?=" }.joined(
            separator: "\r\n "
        )
    }

    /// `Wed, 25 Nov 2026 12:00:00 +0000`.
    private static func date(_ secondsSince1970: Double) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let date = Date(timeIntervalSince1970: secondsSince1970)
        let parts = calendar.dateComponents(
            [.weekday, .day, .month, .year, .hour, .minute, .second],
            from: date
        )
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        func two(_ number: Int?) -> String { String((number ?? 0) + 100).suffix(2).description }
        let day =
            "\(days[(parts.weekday ?? 1) - 1]), \(parts.day ?? 1) \(months[(parts.month ?? 1) - 1])"
        return
            "\(day) \(parts.year ?? 1970) \(two(parts.hour)):\(two(parts.minute)):\(two(parts.second)) +0000"
    }
}
