// The formats of a report as a file, told by the ending.

package import ChaosGameDay
package import ChaosModel

/// A format of the report.
package enum ReportFormat: String, Sendable, Hashable, CaseIterable {
    case json, html, markdown, junit

    /// The endings, in the order of the formats.
    package static let endings = [".json", ".html", ".md", ".xml"]

    /// The format of a file; nil when its ending says none.
    package init?(path: String) {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
        switch name[dot...].lowercased() {
        case ".json": self = .json
        case ".html", ".htm": self = .html
        case ".md", ".markdown": self = .markdown
        case ".xml": self = .junit
        default: return nil
        }
    }

    /// The report in this format, with a newline at its end.
    package func text(_ report: RunReport) throws -> String {
        switch self {
        case .json: try JSONReport.text(report)
        case .html: HTMLReport(report).text
        case .markdown: MarkdownReport(report).text
        case .junit: JUnitReport(report).text
        }
    }

    /// The report of a GameDay in this format, with a newline at its end; `links` has the paths of the reports of its
    /// runs, from the folder that it goes to, by the runs' names.
    package func text(_ day: GameDayReport, links: [String: String]) throws -> String {
        switch self {
        case .json: try WireJSON.pretty(day) + "\n"
        case .html: GameDayHTML(day, links: links).text
        case .markdown: GameDayMarkdown(day, links: links).text
        case .junit: GameDayJUnit(day).text
        }
    }

    /// The ending of pages that link to others; nil for a format without links.
    package var linkedEnding: String? {
        switch self {
        case .html: ".html"
        case .markdown: ".md"
        case .json, .junit: nil
        }
    }
}
