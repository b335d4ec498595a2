// The shaping engines that work here, as the program itself says, so that one suite runs over all of them: over nfqueue on
// most machines, over netem too in the lab.

import Glibc
import Testing

/// The engines that tests run over.
enum Engines {
    /// Those that `moonquake doctor` calls working.
    static let working: [String] = {
        guard Needs.isRoot else { return [] }
        let text = try? Sandbox.with { box in try box.moonquake("doctor").output }
        return (text ?? "").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 2, words[0] == "ok", words[1] == "traffic:" else { return nil }
            return String(words[2])
        }
    }()

    /// Whether this is the lab, whose kernel has everything.
    static let isLab = getenv("MOONQUAKE_LAB") != nil

    /// Those whose figures are held to their bounds here.
    ///
    /// In the lab that is netem alone: emulation makes a worker some sixteen times slower, and where netem is missing
    /// nfqueue is measured at its true speed.
    static let measured = isLab ? working.filter { $0 == "netem" } : working
}

/// What `ping -D` printed of one answer.
struct Answer {
    /// When it came, in seconds since 1970.
    let at: Double
    let number: Int
    let tookMs: Double
    let isCopy: Bool

    /// Reads `[1764144000.1] 64 bytes from 10.98.0.2: icmp_seq=3 ttl=64 time=0.05 ms (DUP!)`.
    init?(_ line: Substring) {
        func value(_ key: String) -> Double? {
            line.split(separator: " ").first { $0.hasPrefix(key) }.flatMap {
                Double($0.dropFirst(key.count))
            }
        }
        guard line.hasPrefix("["), let close = line.firstIndex(of: "]"),
            let at = Double(line[line.index(after: line.startIndex)..<close]),
            let number = value("icmp_seq="), let took = value("time=")
        else { return nil }
        (self.at, self.number, tookMs) = (at, Int(number), took)
        isCopy = line.contains("(DUP!)")
    }

    /// The answers in the output of a ping.
    static func all(in output: String) -> [Answer] {
        output.split(separator: "\n").compactMap { Answer($0) }
    }

    /// When packets sent after a moment began to flow as if nothing was done to them: five answers in a row, each at once.
    ///
    /// What was under way at that moment may still arrive late, in between.
    static func normalSince(_ moment: Double, in answers: [Answer]) -> Double? {
        let later = answers.filter { $0.at - $0.tookMs / 1000 >= moment }
        guard later.count >= 5 else { return nil }
        for start in 0...(later.count - 5) {
            let five = later[start..<(start + 5)]
            let isInOrder = zip(five, five.dropFirst()).allSatisfy { $1.number == $0.number + 1 }
            if isInOrder, five.allSatisfy({ !$0.isCopy && $0.tookMs < 50 }) {
                return later[start].at
            }
        }
        return nil
    }
}

/// The time of day.
var secondsSince1970: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
