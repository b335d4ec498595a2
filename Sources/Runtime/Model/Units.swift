// Values with their unit in the string: "250ms", "2m", "10%", "512MiB", "10mbit".
//
// Units are always written out, because `timeout = 5` meant seconds in one tool and milliseconds in
// another. Decimal prefixes are powers of 1000 and binary ones (KiB, MiB, …) of 1024, as in IEC 80000-13.

/// A number and the unit written after it.
package struct UnitText {
    package let number: Double
    package let unit: Substring

    /// Splits `250ms` into `250` and `ms`; nil when it does not start with a finite number.
    package init?(_ text: String) {
        let digits = text.prefix {
            $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-" || $0 == "+")
        }
        guard let number = Double(digits), number.isFinite else { return nil }
        self.number = number
        unit = text.dropFirst(digits.count)
    }
}

/// Parsers for the units of the definition language.
///
/// Each returns nil for what it does not know.
package enum Units {
    private static let durations: [Substring: Double] = [
        "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400,
    ]
    private static let sizes: [Substring: Double] = [
        "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
        "KiB": 1024, "MiB": 1_048_576, "GiB": 1_073_741_824, "TiB": 1_099_511_627_776,
    ]
    private static let bitRates: [Substring: Double] = [
        "bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "bps": 8, "kbps": 8e3, "mbps": 8e6,
        "gbps": 8e9,
    ]

    /// Seconds from `"250ms"`, `"2m"`, or several parts: `"1m30s"`.
    package static func seconds(_ text: String) -> Double? {
        sum(of: text, units: durations)
    }

    /// A span of time from `"250ms"`, `"2m"` or `"1m30s"`.
    package static func duration(_ text: String) -> Duration? {
        seconds(text).flatMap { $0 < 1e10 ? Duration.seconds($0) : nil }
    }

    /// A share between 0 and 1 from `"10%"`.
    package static func share(_ text: String) -> Double? {
        guard let parsed = UnitText(text), parsed.unit == "%" else { return nil }
        return parsed.number / 100
    }

    /// Bytes from `"512MiB"` or `"1.5GB"`.
    package static func bytes(_ text: String) -> Double? {
        one(of: text, units: sizes)
    }

    /// Bits per second from `"10mbit"`; `bps` is bytes per second, as in tc(8).
    package static func bitsPerSecond(_ text: String) -> Double? {
        one(of: text, units: bitRates)
    }

    /// Events per second from `"200/s"` or `"30/m"`.
    package static func perSecond(_ text: String) -> Double? {
        guard let parsed = UnitText(text), parsed.number >= 0 else { return nil }
        switch parsed.unit {
        case "/s": return parsed.number
        case "/m": return parsed.number / 60
        case "/h": return parsed.number / 3600
        default: return nil
        }
    }

    private static func one(of text: String, units: [Substring: Double]) -> Double? {
        guard let parsed = UnitText(text), let factor = units[parsed.unit] else { return nil }
        return parsed.number * factor
    }

    private static func sum(of text: String, units: [Substring: Double]) -> Double? {
        var rest = Substring(text)
        var total = 0.0
        while !rest.isEmpty {
            guard let parsed = UnitText(String(rest)) else { return nil }
            let unit = parsed.unit.prefix { $0.isLetter || $0 == "µ" }
            guard let factor = units[unit] else { return nil }
            total += parsed.number * factor
            rest = parsed.unit.dropFirst(unit.count)
        }
        return text.isEmpty ? nil : total
    }
}

extension Duration {
    /// The span in seconds, as a floating-point number.
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }

    /// The span in milliseconds, as a floating-point number.
    package var inMilliseconds: Double { inSeconds * 1000 }

    /// The span as a person would write it: `250ms`, `1.5s`, `2m`, `1m30s`.
    package var spelled: String {
        let seconds = inSeconds
        switch abs(seconds) {
        case 0: return "0s"
        case ..<1e-3: return Self.trimmed(seconds * 1e6) + "us"
        case ..<1: return Self.trimmed(seconds * 1e3) + "ms"
        case ..<60: return Self.trimmed(seconds) + "s"
        default:
            let minutes = Int(seconds / 60)
            let rest = seconds - Double(minutes * 60)
            let hours = minutes / 60
            let head =
                hours > 0
                ? "\(hours)h" + (minutes % 60 > 0 ? "\(minutes % 60)m" : "") : "\(minutes)m"
            return rest < 0.05 ? head : head + Self.trimmed(rest) + "s"
        }
    }

    private static func trimmed(_ value: Double) -> String {
        let scale = abs(value) >= 100 ? 1.0 : abs(value) >= 10 ? 10 : 100
        return ParameterValue.shortest((value * scale).rounded() / scale)
    }
}
