// A text of a chart that stays inside of it, whatever its length: a browser cuts what reaches over the edge of an SVG.
// The page has no script to measure with, so widths are estimated, rather too wide than too narrow.

/// A text of a chart.
struct ChartLabel {
    /// The edges of every chart; its font is one of 12 pixels.
    private static let edges = 2.0...998.0

    private let text: String

    init(_ text: String) { self.text = text }

    /// Under a place on the axis, in its middle unless the edge of the chart is too near.
    func below(_ place: Double, y: Double) -> String {
        let isAtTheEnd = place + width / 2 > Self.edges.upperBound
        return svg(
            isAtTheEnd ? Self.edges.upperBound : place,
            y,
            anchor: isAtTheEnd ? "end" : "middle"
        )
    }

    /// Left of a place, and narrower where there is no room.
    func before(_ place: Double, y: Double) -> String {
        let room = place - Self.edges.lowerBound
        return svg(place, y, anchor: "end", squeezedTo: width > room ? room : nil)
    }

    /// After a bar where there is room, else before it, else over it.
    func beside(_ bar: ClosedRange<Double>, y: Double, kind: String) -> String {
        if bar.upperBound + 6 + width <= Self.edges.upperBound {
            return svg(bar.upperBound + 6, y, anchor: "start", kind: kind)
        }
        if bar.lowerBound - 6 - width >= Self.edges.lowerBound {
            return svg(bar.lowerBound - 6, y, anchor: "end", kind: kind)
        }
        let place = min(bar.lowerBound + 6, Self.edges.upperBound - width)
        let room = Self.edges.upperBound - Self.edges.lowerBound
        return svg(
            max(Self.edges.lowerBound, place),
            y,
            anchor: "start",
            kind: kind,
            squeezedTo: width > room ? room : nil
        )
    }

    private func svg(
        _ x: Double,
        _ y: Double,
        anchor: String,
        kind: String? = nil,
        squeezedTo length: Double? = nil
    ) -> String {
        let named = kind.map { " class=\"\($0)\"" } ?? ""
        let squeezed =
            length.map { " textLength=\"\($0.coordinate)\" lengthAdjust=\"spacingAndGlyphs\"" }
            ?? ""
        return
            "<text\(named) x=\"\(x.coordinate)\" y=\"\(y.coordinate)\" text-anchor=\"\(anchor)\"\(squeezed)>"
            + "\(HTMLText.escape(text))</text>\n"
    }

    /// In the pixels of the chart; of what is drawn, which spells some characters.
    private var width: Double {
        text.harmless.unicodeScalars.reduce(0) { sum, scalar in
            switch scalar {
            case "i", "j", "l", "t", "f", "r", "I", ".", ",", ":", ";", "'", "|", "!", " ": sum + 5
            case "m", "w", "M", "W", "@", "%", "…", "—": sum + 13
            case "a"..."z", "0"..."9": sum + 7.7
            case "\u{0}"..."\u{2ff}": sum + 9.5
            default: sum + 14
            }
        }
    }
}
