// What rules look at in a request, the same for HTTP/1 and HTTP/2.

import ChaosModel

/// A request as rules see it.
struct RequestFacts {
    var method: String
    /// The target as it was sent, with its query.
    var target: String
    var host: String
    /// Names in lower case.
    var headers: [(name: String, value: String)]
    var client: NetworkAddress?

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
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return host[host.index(after: host.startIndex)..<end]
        }
        return host.prefix { $0 != ":" }
    }

    /// Whether it is a call of gRPC (its protocol over HTTP/2, "Requests").
    var isGRPC: Bool {
        headers.contains { $0.name == "content-type" && $0.value.hasPrefix("application/grpc") }
    }
}
