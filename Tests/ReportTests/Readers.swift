// What independent readers make of a report.

import Subprocess
import Testing

/// What a program says of a text on its standard input.
func python(_ program: String, _ input: String) async throws -> String {
    let result = try await Subprocess.run(
        .name("python3"),
        arguments: ["-c", program],
        input: .string(input),
        output: .string(limit: 1 << 22),
        error: .string(limit: 1 << 16)
    )
    return result.standardOutput + result.standardError
}

/// The tags of a page, and what an independent parser found of its texts.
let pageReader = """
    import sys, html.parser
    class P(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            print('tag', tag, sorted(name for name, value in attrs))
            for name, value in attrs:
                if name.startswith('on') or name in ('src', 'href', 'style', 'action'): print('bad', name, value)
    P().feed(sys.stdin.read())
    """

/// The elements of a JUnit file with their attributes, its totals, and its name.
let xmlReader = """
    import sys, xml.etree.ElementTree as E
    root = E.fromstring(sys.stdin.read().encode())
    for e in root.iter(): print(e.tag, sorted(e.attrib))
    suite = root.find('testsuite')
    print(suite.get('tests'), suite.get('failures'), suite.get('errors'), suite.get('skipped'))
    print(ascii(suite.get('name')))
    """

/// What each line of a Markdown document is: a heading, a row of so many columns, or text.
func markdownShape(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        if line.hasPrefix("#") { return String(line.prefix { $0 == "#" }) }
        guard line.hasPrefix("|") else { return line.isEmpty ? "" : "text" }
        let bars = line.indices.filter { index in
            line[index] == "|"
                && (index == line.startIndex || line[line.index(before: index)] != "\\")
        }
        return "row \(bars.count)"
    }
}
