// Text on its way into HTML or XML.

import ChaosModel

extension String {
    /// The text with what HTML and XML could read as markup replaced, and what a format wants besides.
    ///
    /// Control characters, which XML 1.0 does not have even as references, are spelled.
    func escapedForMarkup(_ more: [Unicode.Scalar: String]) -> String {
        // By scalars: a mark that combines with a quote must not hide it.
        var escaped = ""
        for scalar in harmless.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default:
                if let replacement = more[scalar] {
                    escaped += replacement
                } else {
                    escaped.unicodeScalars.append(scalar)
                }
            }
        }
        return escaped
    }
}
