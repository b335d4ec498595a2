// A proxy on a free port of the loopback, in front of an upstream.

import ChaosModel
import ChaosProxy
import Foundation
import NIOCore

/// A running proxy.
struct ProxyUnderTest: Sendable {
    let proxy: RequestProxy
    let port: Int

    /// Runs a test with a proxy in front of a port.
    static func with<Value: Sendable>(
        upstream: Int,
        rules: [RequestRule] = [],
        _ body: @Sendable (ProxyUnderTest) async throws -> Value
    ) async throws -> Value {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: upstream)
        let proxy = try RequestProxy(threads: 1, upstream: .fixed(address), mark: nil)
        let (listener, port) = try Wire.listener()
        proxy.listen(on: [listener], port: port)
        for rule in rules { proxy.add(rule) }
        return try await body(ProxyUnderTest(proxy: proxy, port: port))
    }

    /// Says something, and returns all that is answered until the connection closes.
    func exchange(_ text: String) async throws -> String {
        let port = port
        return try await blocking {
            let wire = try Wire(to: port)
            try wire.write(text)
            return try wire.readAll()
        }
    }

    /// Gets a target on a new connection.
    func get(_ target: String = "/", headers: String = "") async throws -> (
        head: String, body: String
    ) {
        let port = port
        return try await blocking {
            let wire = try Wire(to: port)
            try wire.write("GET \(target) HTTP/1.1\r\nHost: shop.test\r\n\(headers)\r\n")
            return try wire.response()
        }
    }
}

/// The memory of this process that is in use, in bytes.
func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * 4096
}

extension RequestRule {
    /// A rule for all requests.
    static func all(_ action: RequestAction, _ name: String = "r", share: Double = 1) -> RequestRule
    {
        RequestRule(name: name, share: share, seed: 7, action: action)
    }
}
