// Plain blocking sockets, so that tests see the bytes as they are.

import Foundation
import Glibc

/// Why a test's socket failed.
struct WireError: Error, Equatable, CustomStringConvertible {
    var code: Int32
    var description: String { String(cString: strerror(code)) }
}

/// A connection.
final class Wire: @unchecked Sendable {
    // SAFETY: the descriptor does not change; each test uses a wire from one thread at a time.
    let descriptor: Int32
    private var rest: [UInt8] = []

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
    }

    deinit { close(descriptor) }

    /// Connects to a port of the loopback.
    convenience init(to port: Int) throws {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.init(number)
        var address = Self.loopback(port)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw WireError(code: errno) }
    }

    /// A socket that listens on a free port of the loopback.
    static func listener() throws -> (descriptor: Int32, port: Int) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                guard bind(listener, $0, size) == 0, listen(listener, 1024) == 0 else {
                    return Int32(-1)
                }
                return getsockname(listener, $0, &size)
            }
        }
        guard code == 0 else { throw WireError(code: errno) }
        return (listener, Int(in_port_t(bigEndian: address.sin_port)))
    }

    static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return address
    }

    func write(_ text: String) throws { try write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) throws {
        var at = 0
        while at < bytes.count {
            let count = bytes[at...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw WireError(code: errno) }
            at += count
        }
    }

    /// Says no more.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// What comes next; empty at the end.
    func some() throws -> [UInt8] {
        if !rest.isEmpty {
            defer { rest = [] }
            return rest
        }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw WireError(code: errno) }
        return Array(buffer[..<count])
    }

    /// Reads up to and with a text, or to the end.
    func read(to mark: String) throws -> String {
        var all: [UInt8] = []
        let mark = Array(mark.utf8)
        while true {
            let part = try some()
            all += part
            if let end = all.firstIndex(ofSequence: mark) {
                rest = Array(all[(end + mark.count)...])
                return String(decoding: all[..<(end + mark.count)], as: UTF8.self)
            }
            if part.isEmpty { return String(decoding: all, as: UTF8.self) }
        }
    }

    /// Reads an exact number of bytes, or to the end.
    func read(count: Int) throws -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            let part = try some()
            if part.isEmpty { break }
            all += part
        }
        if all.count > count {
            rest = Array(all[count...])
            all.removeLast(all.count - count)
        }
        return all
    }

    /// Reads to the end.
    func readAll() throws -> String {
        var all: [UInt8] = []
        while true {
            let part = try some()
            if part.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += part
        }
    }

    /// Reads a response with a length.
    func response() throws -> (head: String, body: String) {
        let head = try read(to: "\r\n\r\n")
        let length =
            head.lowercased().split(separator: "\r\n")
            .first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        return (head, String(decoding: try read(count: length), as: UTF8.self))
    }
}

extension [UInt8] {
    func firstIndex(ofSequence mark: [UInt8]) -> Int? {
        guard count >= mark.count else { return nil }
        return (0...count - mark.count).first { self[$0..<$0 + mark.count].elementsEqual(mark) }
    }
}

/// A server of ours on a free port: each connection is handled on a thread.
final class ScriptedUpstream: @unchecked Sendable {
    // SAFETY: nothing changes after the initializer.
    let port: Int
    private let listener: Int32

    init(_ handle: @escaping @Sendable (Wire) throws -> Void) throws {
        let (listener, port) = try Wire.listener()
        self.listener = listener
        self.port = port
        Thread.detachNewThread {
            while true {
                let number = accept(listener, nil, nil)
                guard number >= 0 else { return }
                Thread.detachNewThread { try? handle(Wire(number)) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// A port that nobody listens on.
    static func closedPort() throws -> Int { try ScriptedUpstream { _ in }.port }

    /// Answers each request by its target, until the client leaves.
    static func answering(
        _ body: @escaping @Sendable (String) -> String = { "<\($0)>" }
    ) throws -> ScriptedUpstream {
        try ScriptedUpstream { wire in
            while true {
                let head = try wire.read(to: "\r\n\r\n")
                guard head.hasSuffix("\r\n\r\n") else { return }
                let target = head.split(separator: " ")[1]
                let text = body(String(target))
                try wire.write(
                    "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
                )
            }
        }
    }
}

/// Runs blocking code on a thread of its own.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value
{
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
