// What a person sees of a terminal's output: the lines as they stand, after everything that went back and wrote over.

/// The lines of a terminal.
///
/// It knows the few control sequences that the program uses; lines are never wrapped.
struct Screen: CustomStringConvertible {
    private(set) var lines: [[Character]] = [[]]
    private var row = 0
    private var column = 0
    private var saved = (row: 0, column: 0)

    /// The screen after a text.
    init(_ text: String) {
        var rest = Substring(text)
        while let next = rest.unicodeScalars.first {
            if next == "\u{1b}" {
                rest = rest.dropFirst()
                takeSequence(&rest)
            } else if next == "\r" || next == "\n" {
                rest.unicodeScalars.removeFirst()
                if next == "\r" { column = 0 } else { feed() }
            } else {
                put(rest.removeFirst())
            }
        }
    }

    var description: String { text.joined(separator: "\n") }

    /// Its lines, without what is empty at their ends.
    var text: [String] {
        lines.map { line in
            String(String(line).reversed().drop { $0 == " " }.reversed())
        }
    }

    private mutating func takeSequence(_ rest: inout Substring) {
        switch rest.popFirst() {
        case "7": saved = (row, column)
        case "8": (row, column) = saved
        case "[":
            let count = rest.prefix { $0.isNumber || $0 == ";" }
            rest = rest.dropFirst(count.count)
            switch rest.popFirst() {
            case "A": row = max(0, row - (Int(count) ?? 1))
            case "K": lines[row] = []
            default: break
            }
        default: break
        }
    }

    private mutating func feed() {
        row += 1
        if row == lines.count { lines.append([]) }
    }

    private mutating func put(_ character: Character) {
        if character == "\r\n" {
            column = 0
            return feed()
        }
        while lines[row].count <= column { lines[row].append(" ") }
        lines[row][column] = character
        column += 1
    }
}
