// Answers that the proxy gives itself: those of faults, which look like anybody's, and its own failures, which
// are marked as such.

import NIOCore

/// An answer in HTTP/1.
struct HTTP1Answer {
    /// The header that marks the proxy's own failures.
    static let mark = "x-moonquake-error"

    var status: Int
    var headers: [String: String]
    var body: String

    /// A failure of the proxy or of its upstream, not of a fault.
    static func ownFailure(_ status: Int, _ reason: String) -> HTTP1Answer {
        HTTP1Answer(
            status: status,
            headers: [mark: reason, "content-type": "text/plain"],
            body: "moonquake: \(reason)\n"
        )
    }

    /// Renders it.
    func bytes(toHead: Bool, closes: Bool) -> ByteBuffer {
        let isEmpty = status == 204 || status == 304
        var text = "HTTP/1.1 \(status) \(Self.reason(status))\r\n"
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            text += "\(name): \(value)\r\n"
        }
        if !isEmpty { text += "content-length: \(body.utf8.count)\r\n" }
        if closes { text += "connection: close\r\n" }
        text += "\r\n"
        if !toHead, !isEmpty { text += body }
        return ByteBuffer(string: text)
    }

    private static func reason(_ status: Int) -> String {
        let reasons = [
            200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
            408: "Request Timeout", 409: "Conflict", 413: "Content Too Large", 418: "I'm a teapot",
            429: "Too Many Requests", 431: "Request Header Fields Too Large",
            500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
            503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
        ]
        return reasons[status] ?? "Status \(status)"
    }
}
