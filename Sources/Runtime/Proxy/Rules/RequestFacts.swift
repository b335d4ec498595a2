// What rules look at in a request, the same for HTTP/1 and HTTP/2. Texts are made when a rule asks for them, and not
// for requests that only pass.

import ChaosModel
import NIOHPACK

/// A request as rules see it; not to be kept longer than the bytes that it lies in.
struct RequestFacts {
    /// Where it is read from.
    enum Source {
        /// A head that was read, at the start of these bytes.
        case http1(MessageHead, UnsafeRawBufferPointer)
        case http2(HPACKHeaders)
        /// By the names of HTTP/2, for tests.
        case fields([String: String])
    }

    private let source: Source
    let client: NetworkAddress?

    init(_ source: Source, client: NetworkAddress?) {
        self.source = source
        self.client = client
    }

    var method: String {
        if case .http1(let head, let bytes) = source { return bytes.text(head.method) }
        return field(":method") ?? ""
    }

    /// The target as it was sent, with its query.
    var target: String {
        if case .http1(let head, let bytes) = source { return bytes.text(head.target) }
        return field(":path") ?? ""
    }

    /// The host asked for, with its port.
    var host: String {
        if case .http1(let head, let bytes) = source {
            return head.host.map { bytes.text($0) } ?? ""
        }
        return field(":authority") ?? field("host") ?? ""
    }

    /// Names in lower case.
    var headers: [(name: String, value: String)] {
        switch source {
        case .http1(let head, let bytes): Self.headers(head, bytes)
        case .http2(let headers): headers.map { ($0.name, $0.value) }
        case .fields(let fields): fields.map { ($0.key, $0.value) }
        }
    }

    /// The path without query, also of a target in absolute form.
    var path: Substring {
        var rest = target[...]
        if let scheme = rest.firstRange(of: "://"), !rest.hasPrefix("/") {
            rest = rest[scheme.upperBound...]
            rest = rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
        }
        return rest.prefix { $0 != "?" && $0 != "#" }
    }

    /// The host without its port.
    var hostName: Substring {
        let host = host
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return host[host.index(after: host.startIndex)..<end]
        }
        return host.prefix { $0 != ":" }
    }

    /// Whether it is a call of gRPC (its protocol over HTTP/2, "Requests").
    var isGRPC: Bool {
        if case .http1 = source { return false }
        return field("content-type")?.hasPrefix("application/grpc") ?? false
    }

    private func field(_ name: String) -> String? {
        switch source {
        case .http1: nil
        case .http2(let headers): headers.first(name: name)
        case .fields(let fields): fields[name]
        }
    }

    private static func headers(
        _ head: MessageHead,
        _ bytes: UnsafeRawBufferPointer
    ) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        var at = (bytes.index(of: ByteClass.lineFeed, from: 0) ?? head.size) + 1
        while at < head.size - 2, let end = bytes.index(of: ByteClass.lineFeed, from: at) {
            if let colon = bytes.index(of: ByteClass.colon, from: at), colon < end {
                let value = bytes.trimmed(colon + 1..<end - 1)
                headers.append((bytes.text(at..<colon).lowercased(), bytes.text(value)))
            }
            at = end + 1
        }
        return headers
    }
}
