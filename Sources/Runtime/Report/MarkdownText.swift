// Text on its way into Markdown: nothing from outside can be markup.

/// Texts of a Markdown document, as lines.
enum MarkdownText {
    /// A list under its heading, of texts from outside; nothing without items.
    static func list(_ title: String, _ items: [String]) -> [String] {
        items.isEmpty ? [] : ["", "## \(title)", ""] + items.map { "- \(escape($0))" }
    }

    /// A table under its heading, of texts from outside; nothing without rows.
    static func table(_ title: String, _ head: [String], _ body: [[String]]) -> [String] {
        body.isEmpty ? [] : ["", "## \(title)", ""] + rows([head] + body)
    }

    /// Rows of texts from outside, the first being the head.
    static func rows(_ rows: [[String]]) -> [String] { marked(rows.map { $0.map(escape) }) }

    /// Rows of cells that are Markdown already, the first being the head.
    static func marked(_ rows: [[String]]) -> [String] {
        var lines = rows.map { row in "| \(row.joined(separator: " | ")) |" }
        let line = (rows.first ?? []).map { _ in "---" }.joined(separator: " | ")
        lines.insert("| \(line) |", at: min(1, lines.count))
        return lines
    }

    /// A link to a file beside the document, in which nothing but the path can be.
    static func link(_ path: String, _ text: String) -> String {
        "[\(escape(text))](./\(path.percentEncoded(keeping: "/")))"
    }

    /// The text with every character that Markdown or HTML could read as markup escaped, in one line.
    static func escape(_ text: String) -> String {
        // By scalars: a mark that combines with a quote must not hide it.
        var escaped = ""
        for scalar in text.harmless.replacing("\n", with: " ").unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\\", "`", "*", "_", "{", "}", "[", "]", "(", ")", "#", "+", "!", "|", "~", "@":
                escaped += "\\\(scalar)"
            // A bare address would become a link.
            case ":" where escaped.hasSuffix("http") || escaped.hasSuffix("https"):
                escaped += "&#58;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        // What starts a list, a heading or a quotation does so at the start of a line only.
        if let first = escaped.first, first == "-" || first == "=" { return "\\" + escaped }
        if let dot = escaped.firstIndex(of: "."), dot != escaped.startIndex,
            escaped[..<dot].allSatisfy(\.isNumber)
        {
            return escaped[..<dot] + "\\" + escaped[dot...]
        }
        return escaped
    }
}
