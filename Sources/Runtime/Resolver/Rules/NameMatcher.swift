// Patterns of names, in the form that a question has: compared without text and without memory of its own.

import ChaosModel

/// Whether names match one of some patterns.
struct NameMatcher {
    private var matchesAll = false
    private var exact: [[UInt8]] = []
    private var below: [[UInt8]] = []

    /// Makes a matcher; without patterns nothing matches.
    init(_ patterns: [NamePattern]) {
        for pattern in patterns {
            switch pattern {
            case .all: matchesAll = true
            case .one(let name): exact.append(Self.wire(name))
            case .below(let name): below.append(Self.wire(name))
            }
        }
    }

    /// Whether a name matches.
    func matches(_ name: QuestionName) -> Bool {
        if matchesAll { return true }
        if exact.contains(where: { Self.equal($0, name, from: 0) }) { return true }
        guard !below.isEmpty else { return false }
        var at = 0
        // From label to label: a suffix begins where a label does, and is not the whole name.
        while at < name.count, name.bytes[at] > 0 {
            at += Int(name.bytes[at]) + 1
            if below.contains(where: { Self.equal($0, name, from: at) }) { return true }
        }
        return false
    }

    private static func equal(_ pattern: [UInt8], _ name: QuestionName, from start: Int) -> Bool {
        guard name.count - start == pattern.count else { return false }
        for index in pattern.indices where pattern[index] != name.bytes[start + index] {
            return false
        }
        return true
    }

    /// A name in wire format and lower case.
    static func wire(_ name: String) -> [UInt8] {
        let labels = name.lowercased().split(separator: ".")
        return labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }
}
