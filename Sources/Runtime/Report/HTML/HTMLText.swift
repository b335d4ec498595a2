// Text on its way into HTML. Whatever comes from outside goes through `escape`; the page's policy forbids scripts and
// every request besides.

/// Texts of a page.
enum HTMLText {
    /// The text fit for an element or a quoted attribute.
    static func escape(_ text: String) -> String { text.escapedForMarkup(["'": "&#39;"]) }

    /// A whole page: no script and no request, which its policy enforces.
    static func page(_ title: String, _ sections: [String]) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(escape(title))</title>
        <style>
        \(HTMLStyle.text)
        </style>
        </head>
        <body>
        <main>
        \(sections.joined())</main>
        </body>
        </html>

        """
    }

    /// A section with its heading; empty without content.
    static func section(_ title: String, _ content: String, id: String) -> String {
        content.isEmpty
            ? "" : "<section id=\"\(id)\"><h2>\(escape(title))</h2>\n\(content)</section>\n"
    }

    /// A link to a file beside the page, in which nothing but the path can be.
    static func link(_ path: String, _ text: String) -> String {
        "<a href=\"./\(path.percentEncoded(keeping: "/"))\">\(escape(text))</a>"
    }

    /// A list of texts from outside.
    static func list(_ items: [String]) -> String {
        guard !items.isEmpty else { return "" }
        return "<ul>\n" + items.map { "<li>\(escape($0))</li>\n" }.joined() + "</ul>\n"
    }

    /// Facts by their names, both from outside.
    static func facts(_ facts: [(String, String)]) -> String {
        let items = facts.map { "<dt>\(escape($0.0))</dt><dd>\(escape($0.1))</dd>\n" }
        return "<dl>\n\(items.joined())</dl>\n"
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
