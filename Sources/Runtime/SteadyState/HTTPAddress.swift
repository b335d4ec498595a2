// URLs of probes and of Prometheus, checked before anything is sent.

import ChaosModel
import FoundationEssentials

extension ParameterKind where Value == URL {
    /// An http or https URL with a host.
    static var httpURL: ParameterKind {
        let shape = ParameterShape(
            type: "url",
            json: "string",
            example: "\"http://10.9.0.2:8080/health\"",
            allowed: "an http or https URL with a host"
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value, let url = Self.url(text) else {
                throw ParameterProblem(
                    "must be an http or https URL such as \"http://10.9.0.2:8080/health\", "
                        + "got \(value.withoutPassword)"
                )
            }
            guard url.user == nil, url.password == nil else {
                throw ParameterProblem(
                    "must not carry credentials, got \(value.withoutPassword)"
                )
            }
            return url
        }
    }

    private static func url(_ text: String) -> URL? {
        let isPlain = text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f }
        guard isPlain, text.utf8.count <= 4096, let url = URL(string: text),
            let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https",
            let host = url.host, !host.isEmpty, (1...65535).contains(url.port ?? 80)
        else { return nil }
        return url
    }
}

extension ParameterValue {
    /// The value with what stands before an `@` in a URL left out, since it may be a password.
    fileprivate var withoutPassword: ParameterValue {
        guard case .string(let text) = self, let at = text.lastIndex(of: "@"),
            let start = text.firstRange(of: "://")?.upperBound, start <= at
        else { return self }
        return .string(text[..<start] + "…" + text[at...])
    }
}

/// What may stand in the header of a request.
enum HeaderSyntax {
    /// Refuses names and values that would not stay one header (RFC 9110, section 5).
    static func check(_ headers: [String: String]) -> String? {
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            let isToken = !name.isEmpty && name.utf8.allSatisfy(isTokenByte)
            guard isToken else {
                return "headers has the name \"\(name.escapedForDisplay)\", which is no header name"
            }
            let isPlain = value.unicodeScalars.allSatisfy {
                $0.value >= 0x20 && $0.value != 0x7f || $0 == "\t"
            }
            guard isPlain else {
                return "headers has control characters in the value of \"\(name)\""
            }
        }
        return nil
    }

    /// Whether the text is a token, as methods and header names must be.
    static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(isTokenByte)
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
