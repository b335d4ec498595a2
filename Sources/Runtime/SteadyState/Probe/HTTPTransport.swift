// One attempt over HTTP/1.1.
//
// This is NIO and not an HTTP client library on purpose. A client's pool serves a request with whatever connection
// is ready first, and fails all waiting requests when one connection attempt fails; then the latency of connecting
// and the number of errors would not be those of the requests that we count.

import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOSSL

/// Sends the request on a new connection, or with `keep_alive` on one that is idle.
struct HTTPTransport: ProbeTransport {
    private let connector: ProbeConnector
    private let request: HTTPProbeRequest
    private let tls: NIOSSLContext?
    private let serverName: String?
    private let idle: NIOLoopBoundBox<[any Channel]>

    private static let idleLimit = 16

    init(
        to address: ProbeAddress,
        request: HTTPProbeRequest,
        isSecure: Bool,
        on loop: any EventLoop
    ) throws {
        connector = ProbeConnector(to: address, on: loop)
        self.request = request
        idle = NIOLoopBoundBox([], eventLoop: loop)
        let isLiteral = (try? SocketAddress(ipAddress: address.host, port: address.port)) != nil
        serverName = isLiteral ? nil : address.host
        tls = isSecure ? try NIOSSLContext(configuration: .makeClientConfiguration()) : nil
    }

    func attempt(
        within limit: TimeAmount,
        done: @escaping @Sendable (ProbeOutcome) -> Void
    ) -> ProbeAttempt {
        let attempt = ProbeAttempt(on: connector.loop)
        let deadline = NIODeadline.now() + limit
        if let channel = takeIdle() {
            attempt.add(channel)
            exchange(on: channel, attempt: attempt, again: deadline, done: done)
        } else {
            connect(by: deadline, attempt: attempt, done: done)
        }
        return attempt
    }

    func close() {
        for channel in idle.value { channel.close(mode: .all, promise: nil) }
        idle.value = []
        connector.close()
    }

    private func connect(
        by deadline: NIODeadline,
        attempt: ProbeAttempt,
        done: @escaping @Sendable (ProbeOutcome) -> Void
    ) {
        let limit = max(.nanoseconds(1), deadline - .now())
        connector.connect(within: limit, for: attempt, setUp: setUp).whenComplete { result in
            guard !attempt.isOver else { return }
            switch result {
            case .success(let channel):
                exchange(on: channel, attempt: attempt, again: nil, done: done)
            case .failure(let error):
                attempt.end()
                done(.failed(ConnectionTrouble.words(error)))
            }
        }
    }

    /// Adds TLS and HTTP to a new connection.
    private func setUp(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls {
            let handler = try NIOSSLClientHandler(context: tls, serverHostname: serverName)
            try pipeline.addHandler(handler)
        }
        try pipeline.addHTTPClientHandlers()
        try pipeline.addHandler(HTTPExchange(request))
    }

    /// Sends the request; an idle connection that the far end had closed is replaced by a new one, once.
    private func exchange(
        on channel: any Channel,
        attempt: ProbeAttempt,
        again deadline: NIODeadline?,
        done: @escaping @Sendable (ProbeOutcome) -> Void
    ) {
        let handler: HTTPExchange
        do {
            handler = try channel.pipeline.syncOperations.handler(type: HTTPExchange.self)
        } catch {
            attempt.end()
            return done(.failed(ConnectionTrouble.closedEarly))
        }
        handler.begin(on: channel) { end in
            guard !attempt.isOver else { return }
            switch end {
            case .answered(let outcome, let reusable):
                let isKept = reusable && keep(channel)
                attempt.end(keeping: isKept ? channel : nil)
                done(outcome)
            case .failed(_, untouched: true) where deadline != nil:
                connect(by: deadline ?? .now(), attempt: attempt, done: done)
            case .failed(let reason, _):
                attempt.end()
                done(.failed(reason))
            }
        }
    }

    private func takeIdle() -> (any Channel)? {
        while let channel = idle.value.popLast() {
            if channel.isActive { return channel }
        }
        return nil
    }

    private func keep(_ channel: any Channel) -> Bool {
        guard channel.isActive, idle.value.count < Self.idleLimit else { return false }
        idle.value.append(channel)
        return true
    }
}
