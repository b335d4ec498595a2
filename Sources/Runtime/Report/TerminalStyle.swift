// Colours on a terminal, and none elsewhere (https://no-color.org).

/// Paints words.
package struct TerminalStyle: Sendable {
    /// What words can be painted with: SGR parameters of ECMA-48.
    package enum Colour: String, Sendable {
        case bold = "1"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case dim = "2"
    }

    private let colours: Bool

    /// Makes a style with colours or without.
    package init(colours: Bool) { self.colours = colours }

    /// A painted word.
    package func paint(_ text: String, _ colour: Colour) -> String {
        colours ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m" : text
    }
}
