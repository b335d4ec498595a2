// Two texts line by line, in the form that patch(1) reads (POSIX diff -u). Pure functions.
//
// Bytes, not characters: two spellings of one letter are a difference.

/// The difference of two texts.
package struct UnifiedDiff {
    private typealias Line = ArraySlice<UInt8>

    private enum Edit {
        case keep(Line)
        case remove(Line)
        case add(Line)
    }

    /// Lines around a change.
    private static let context = 3
    /// More lines than these that differ are told as one change: to compare each with each takes the square.
    private static let mostLines = 20_000

    /// The text; empty when there is no difference.
    package let bytes: [UInt8]

    /// Compares two texts; nil stands for one that is not there.
    package init(
        from old: [UInt8]?,
        named oldName: String,
        to new: [UInt8]?,
        named newName: String
    ) {
        guard old != new else {
            bytes = []
            return
        }
        let edits = Self.edits(Self.lines(old ?? []), Self.lines(new ?? []))
        let header = [
            "--- \(old == nil ? "/dev/null" : oldName)\n",
            "+++ \(new == nil ? "/dev/null" : newName)\n",
        ]
        bytes = Array(header.joined().utf8) + Self.hunks(edits)
    }

    /// The lines with their ends, so that a last line without one differs from one with it.
    private static func lines(_ text: [UInt8]) -> [Line] {
        var lines: [Line] = []
        var rest = text[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(rest[...end])
            rest = rest[(end + 1)...]
        }
        return rest.isEmpty ? lines : lines + [rest]
    }

    private static func edits(_ old: [Line], _ new: [Line]) -> [Edit] {
        let before = zip(old, new).prefix { $0 == $1 }.count
        let most = min(old.count, new.count) - before
        let after = zip(old.reversed(), new.reversed()).prefix(most).prefix { $0 == $1 }.count
        let middle = changes(
            Array(old[before..<old.count - after]),
            Array(new[before..<new.count - after])
        )
        return old.prefix(before).map { .keep($0) } + middle + old.suffix(after).map { .keep($0) }
    }

    private static func changes(_ old: [Line], _ new: [Line]) -> [Edit] {
        guard old.count + new.count <= mostLines else {
            return old.map { .remove($0) } + new.map { .add($0) }
        }
        let difference = new.difference(from: old)
        var (removed, added) = (Set<Int>(), Set<Int>())
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): added.insert(offset)
            }
        }
        var edits: [Edit] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if i < old.count, removed.contains(i) {
                edits.append(.remove(old[i]))
                i += 1
            } else if j < new.count, added.contains(j) {
                edits.append(.add(new[j]))
                j += 1
            } else {
                edits.append(.keep(old[i]))
                i += 1
                j += 1
            }
        }
        return edits
    }

    private static func hunks(_ edits: [Edit]) -> [UInt8] {
        let changed = edits.indices.filter { if case .keep = edits[$0] { false } else { true } }
        var ranges: [Range<Int>] = []
        for index in changed {
            let range = max(0, index - context)..<min(edits.count, index + context + 1)
            if let last = ranges.last, range.lowerBound <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
            } else {
                ranges.append(range)
            }
        }
        return ranges.flatMap { hunk($0, of: edits) }
    }

    private static func hunk(_ range: Range<Int>, of edits: [Edit]) -> [UInt8] {
        let (oldStart, newStart) = count(edits[..<range.lowerBound])
        let (oldCount, newCount) = count(edits[range])
        let old = place(oldStart, oldCount)
        let new = place(newStart, newCount)
        return Array("@@ -\(old) +\(new) @@\n".utf8)
            + edits[range].flatMap { edit in
                switch edit {
                case .keep(let line): shown(" ", line)
                case .remove(let line): shown("-", line)
                case .add(let line): shown("+", line)
                }
            }
    }

    private static func shown(_ mark: Unicode.Scalar, _ line: Line) -> [UInt8] {
        let isWhole = line.last == UInt8(ascii: "\n")
        return [UInt8(ascii: mark)] + line
            + (isWhole ? [] : Array("\n\\ No newline at end of file\n".utf8))
    }

    private static func count(_ edits: ArraySlice<Edit>) -> (old: Int, new: Int) {
        edits.reduce(into: (old: 0, new: 0)) { sum, edit in
            if case .add = edit {} else { sum.old += 1 }
            if case .remove = edit {} else { sum.new += 1 }
        }
    }

    /// Where a part begins and how long it is; one of no lines is after the line that it names.
    private static func place(_ before: Int, _ count: Int) -> String {
        let start = count == 0 ? before : before + 1
        return count == 1 ? "\(start)" : "\(start),\(count)"
    }
}
