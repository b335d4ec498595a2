// A proxy on a free port of the loopback, in front of an upstream.

import ChaosModel
import ChaosProxy
import Foundation
import NIOCore
import NIOPosix

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
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: upstream)
        let proxy = RequestProxy(group: group, upstream: .fixed(address), mark: nil)
        let bound = try await proxy.listen(on: SocketAddress(ipAddress: "127.0.0.1", port: 0))
        for rule in rules { try await proxy.add(rule) }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(ProxyUnderTest(proxy: proxy, port: bound.port ?? 0)))
        } catch {
            result = .failure(error)
        }
        try await proxy.close()
        try await group.shutdownGracefully()
        return try result.get()
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
