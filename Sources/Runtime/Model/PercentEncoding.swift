// Text in a URL (RFC 3986, section 2.1).

extension String {
    /// The text with every byte but the unreserved ones, and those that are to be kept, as `%XX`.
    package func percentEncoded(keeping kept: String = "") -> String {
        let plain = Set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~\(kept)".utf8
        )
        let digits = Array("0123456789ABCDEF")
        var shown = ""
        for byte in utf8 {
            if plain.contains(byte) {
                shown.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                shown += "%" + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return shown
    }
}
