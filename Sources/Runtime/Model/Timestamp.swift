// Instants of the calendar as text, in UTC, for records and reports.

import FoundationEssentials

/// Points in time as ISO 8601.
package enum Timestamp {
    /// `2026-11-25T08:30:00.250Z`.
    package static func iso8601(_ secondsSince1970: Double) -> String {
        Date(timeIntervalSince1970: secondsSince1970)
            .formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(
                    separator: .omitted
                )
            )
    }

    /// `20261125-083000`: fit for names of runs and files.
    package static func compact(_ secondsSince1970: Double) -> String {
        let text = iso8601(secondsSince1970).prefix(19)
        return text.filter { $0.isNumber || $0 == "T" }.replacing("T", with: "-")
    }

    /// The seconds since 1970 of `2026-11-25`, `2026-11-25T08:30:00Z` or `2026-11-25T08:30:00.250Z`, UTC unless it says
    /// otherwise; nil for anything else.
    package static func seconds(_ text: String) -> Double? {
        let whole = text.utf8.count == 10 ? "\(text)T00:00:00Z" : text
        guard whole.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: whole.contains("."))
        return (try? style.parse(whole))?.timeIntervalSince1970
    }
}
