// The prompt's own commands, which are no Lua: a word at the start of an input, and what follows it.

import ChaosModel

/// An input as it is meant.
enum PromptCommand: Equatable {
    case help(String)
    case plan(String)
    case undo
    case faults
    case metrics
    case leave
    case lua(String)

    /// The words, in the order of the help.
    static let words: [(word: String, help: String)] = [
        ("help", "this list; help NAME tells of a fault, metric, target or verb"),
        ("plan", "plan FAULT says what it would change, and changes nothing"),
        ("undo", "puts the last fault back"),
        ("faults", "the faults in force, and those that could be"),
        ("metrics", "the watched metrics and their last values"),
        ("exit", "leaves, and puts everything back; so does Ctrl-D"),
    ]

    /// Reads an input; a variable of a command's name is one when something is done with it.
    init(_ input: String) {
        let text = input.drop { $0.isWhitespace }
        let word = text.prefix { $0.isLetter || $0 == "_" }
        let rest = text.dropFirst(word.count).trimmingBlanks
        let isAlone = rest.isEmpty
        switch word {
        case "help" where Self.isName(rest): self = .help(rest.filter { !"()\"'".contains($0) })
        case "plan" where !isAlone && !"=.:[,".contains(rest.first ?? "="): self = .plan(rest)
        case "undo" where isAlone || rest == "()": self = .undo
        case "faults" where isAlone: self = .faults
        case "metrics" where isAlone: self = .metrics
        case "exit" where isAlone || rest == "()", "quit" where isAlone || rest == "()":
            self = .leave
        default: self = .lua(input)
        }
    }

    private static func isName(_ text: String) -> Bool {
        text.allSatisfy { $0.isLetter || $0.isNumber || "._()\"'".contains($0) }
    }
}

extension Substring {
    fileprivate var trimmingBlanks: String {
        var text = drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
