// Connects a probe to its address: the part that HTTP and TCP share.

import ChaosModel
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Where a probe connects to.
struct ProbeAddress: Sendable, Hashable {
    /// An address or a host name, without brackets.
    let host: String
    let port: Int
}

/// Makes connections; all is called on the loop.
struct ProbeConnector: Sendable {
    let loop: any EventLoop
    private let address: ProbeAddress
    private let lookup: NameLookup

    init(to address: ProbeAddress, on loop: any EventLoop) {
        self.address = address
        self.loop = loop
        lookup = NameLookup(on: loop)
    }

    /// Ends what is under way.
    func close() { lookup.close() }

    /// Connects within a limit; every channel made on the way belongs to the attempt.
    func connect(
        within limit: TimeAmount,
        for attempt: ProbeAttempt,
        setUp: @escaping @Sendable (any Channel) throws -> Void = { _ in }
    ) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(limit)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .resolver(lookup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    attempt.add(channel)
                    try setUp(channel)
                }
            }
        if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
            return bootstrap.connect(to: literal)
        }
        return bootstrap.connect(host: address.host, port: address.port)
    }
}

/// Errors of connections in a few stable words, so that equal ones add up.
enum ConnectionTrouble {
    static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError: return words(error)
        case let error as IOError: return words(errno: error.errnoCode)
        case ChannelError.connectTimeout: return "timed out"
        case ChannelError.eof, ChannelError.inputClosed: return closedEarly
        case HTTPParserError.invalidEOFState: return closedEarly
        case let error as HTTPParserError: return "no HTTP: \(error.debugDescription)"
        case is NIOSSLError, is BoringSSLError: return "no TLS: \(reason(ofTLS: "\(error)"))"
        case let error as ProbeStartError: return error.description
        default: return String("\(error)".escapedForDisplay)
        }
    }

    static let closedEarly = "closed before the answer was complete"

    /// The reason in what BoringSSL says: `… OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at /…`.
    private static func reason(ofTLS text: String) -> String {
        guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else {
            return text.escapedForDisplay
        }
        let words = text[start...].prefix { $0.isUppercase || $0.isNumber || $0 == "_" }
            .split(separator: "_").map { $0.lowercased() }
        // What the other end says comes as an alert, under the name of an old version.
        guard words.count > 2, words[1] == "alert" else { return words.joined(separator: " ") }
        return "the server says: " + words.dropFirst(2).joined(separator: " ")
    }

    private static func words(_ error: NIOConnectionError) -> String {
        let lookup = error.dnsAError ?? error.dnsAAAAError
        if let single = error.connectionErrors.first { return words(single.error) }
        return lookup.map { words($0) } ?? "no address for \(error.host)"
    }

    private static func words(errno code: CInt) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE: "connection reset"
        case EHOSTUNREACH: "no route to host"
        case ENETUNREACH: "network unreachable"
        case ETIMEDOUT: "timed out"
        case EMFILE, ENFILE: "too many open files here"
        case EADDRNOTAVAIL: "no local port left here"
        default: String(cString: strerror(code)).lowercased()
        }
    }
}
