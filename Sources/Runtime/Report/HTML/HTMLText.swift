// Text on its way into HTML. Whatever comes from outside goes through `escape`; the page's policy forbids scripts and
// every request besides.

/// Texts of a page.
enum HTMLText {
    /// The text fit for an element or a quoted attribute.
    static func escape(_ text: String) -> String {
        // By scalars: a mark that combines with a quote must not hide it.
        var escaped = ""
        for scalar in text.harmless.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// A section with its heading; empty without content.
    static func section(_ title: String, _ content: String, id: String) -> String {
        content.isEmpty
            ? "" : "<section id=\"\(id)\"><h2>\(escape(title))</h2>\n\(content)</section>\n"
    }

    /// A list of texts from outside.
    static func list(_ items: [String]) -> String {
        guard !items.isEmpty else { return "" }
        return "<ul>\n" + items.map { "<li>\(escape($0))</li>\n" }.joined() + "</ul>\n"
    }

    /// A table of cells that are HTML already.
    static func table(_ head: [String], _ rows: [[String]]) -> String {
        guard !rows.isEmpty else { return "" }
        let heads = head.map { "<th scope=\"col\">\(escape($0))</th>" }.joined()
        let body = rows.map { row in
            "<tr>" + row.map { "<td>\($0)</td>" }.joined() + "</tr>\n"
        }
        return
            "<div class=\"wide\"><table><thead><tr>\(heads)</tr></thead>\n<tbody>\n\(body.joined())</tbody></table></div>\n"
    }
}
