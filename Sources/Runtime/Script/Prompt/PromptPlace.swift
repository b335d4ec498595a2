// Where a text ends, as far as a completion must know: in which table, at which option, in a string or not. One pass over
// the characters; what is no well-formed Lua has some place as well.

/// The place at the end of a text.
struct PromptPlace {
    private struct Opening {
        var bracket: Character
        var name: String
        var key: String?
        var given: Set<String> = []
    }

    private var openings: [Opening] = []
    private var quote: Character?
    private var text = ""
    /// The last sign that is no blank and not of the word.
    private var sign: Character?
    private var isInWord = false
    private var words = 0
    private var firstWord = ""

    /// The dotted name that the text ends with; empty after anything else.
    private(set) var word = ""

    init(_ input: String) {
        var escaped = false
        for character in input {
            guard let quote else {
                take(character)
                continue
            }
            if !escaped, character == quote {
                self.quote = nil
                (sign, word, isInWord) = (character, "", false)
                if openings.last?.bracket == "\"" { openings.removeLast() }
            } else {
                text.append(character)
            }
            escaped = !escaped && character == "\\"
        }
        if !isInWord { word = "" }
    }

    /// What stands in the string that is open; nil outside of one.
    var quoted: String? { quote == nil ? nil : text }
    /// The builder or verb whose table or call is open.
    var table: String? { openings.last?.name }
    /// The option whose value is being written.
    var key: String? { openings.last?.key }
    /// The options that the open table has already.
    var given: Set<String> { openings.last?.given ?? [] }
    /// Whether the name of an option is due.
    var isKey: Bool {
        openings.last?.bracket == "{" && (sign == "{" || sign == "," || sign == ";")
    }
    /// Whether the text has nothing but the word.
    var isStart: Bool { openings.isEmpty && sign == nil && words <= 1 && quote == nil }
    /// Whether the word is what `help` is asked about.
    var isHelp: Bool { openings.isEmpty && sign == nil && firstWord == "help" && !isStart }

    private static func isOfWord(_ character: Character) -> Bool {
        character == "_" || character == "." || character.isLetter || character.isNumber
    }

    private mutating func take(_ character: Character) {
        if Self.isOfWord(character) {
            if !isInWord {
                word = ""
                words += 1
            }
            isInWord = true
            word.append(character)
            if words == 1 { firstWord = word }
            return
        }
        isInWord = false
        guard !character.isWhitespace else {
            // `help ` has a word behind it, and one to come.
            if words == 1, sign == nil { words = 2 }
            return
        }
        take(sign: character)
    }

    private mutating func take(sign character: Character) {
        switch character {
        case "{", "(": open(character)
        case "}", ")": _ = openings.popLast()
        case "=":
            if let last = openings.indices.last {
                openings[last].key = word
                openings[last].given.insert(word)
            }
        case ",", ";":
            if let last = openings.indices.last { openings[last].key = nil }
        case "\"", "'":
            // A verb may be given a text without brackets: `check_metric "p99 < 1s"`.
            if !word.isEmpty { openings.append(Opening(bracket: "\"", name: word)) }
            (quote, text) = (character, "")
        default: break
        }
        (sign, word) = (character, "")
    }

    private mutating func open(_ bracket: Character) {
        let parent = openings.last
        let isArgument = bracket == "{" && sign == "(" && word.isEmpty
        let name = isArgument ? parent?.name : word.isEmpty ? parent?.key : word
        openings.append(Opening(bracket: bracket, name: name ?? ""))
    }
}
