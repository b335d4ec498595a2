// Asks one server over HTTP, in bounded time and memory, whatever the server does.

import AsyncHTTPClient
import ChaosModel
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// What a server answered.
struct ServerAnswer: Sendable {
    let status: Int
    let body: [UInt8]
    /// Where a redirection leads; we follow none.
    let location: String?
}

/// Why a server gave no answer, in words.
struct ServerTrouble: Error, Sendable, CustomStringConvertible {
    let description: String
}

/// A client of one server, which is asked one thing at a time.
///
/// A connection that fails fails each request that waits then (the pool's rule): of two at once, the second's own
/// connection would be left to fail, and would take the next sample with it.
final class ServerClient: Sendable {
    /// The longest answer that is read.
    static let answerLimit = 8 * 1_048_576

    private static let timeouts: [HTTPClientError] = [
        .deadlineExceeded, .connectTimeout, .readTimeout,
    ]

    private let headers: HTTPHeaders
    private let timeout: Duration
    private let tls: TLSConfiguration
    private let client = Mutex<HTTPClient?>(nil)

    init(_ parameters: Parameters) throws(DefinitionError) {
        headers = ServerOptions.headers(parameters)
        timeout = try parameters.value(ServerOptions.timeout)
        tls = try ServerOptions.tls(parameters)
    }

    /// When an answer that is asked for now must be there.
    var deadline: NIODeadline { .now() + .nanoseconds(Int64(timeout.inSeconds * 1e9)) }

    func start() {
        client.withLock { client in
            guard client == nil else { return }
            var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
            configuration.redirectConfiguration = .disallow
            configuration.timeout.connect = .nanoseconds(Int64(timeout.inSeconds * 1e9))
            configuration.connectionPool.retryConnectionEstablishment = false
            configuration.httpVersion = .http1Only
            client = HTTPClient(
                eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
                configuration: configuration
            )
        }
    }

    func stop() async {
        let client = self.client.withLock { client in
            defer { client = nil }
            return client
        }
        try? await client?.shutdown()
    }

    /// Asks for a URL, by POST when there is a form.
    func ask(
        _ url: String,
        form: String? = nil,
        accepting accepted: String? = nil,
        by deadline: NIODeadline
    ) async throws(ServerTrouble) -> ServerAnswer {
        guard let client = client.withLock(\.self) else {
            throw ServerTrouble(description: "not started")
        }
        do {
            let request = try request(url, form: form, accepting: accepted)
            let response = try await answer(to: request, with: client, by: deadline)
            return ServerAnswer(
                status: Int(response.status.code),
                body: response.body.map { Array($0.readableBytesView) } ?? [],
                location: response.headers.first(name: "Location")
            )
        } catch {
            throw ServerTrouble(description: words(error))
        }
    }

    private func request(
        _ url: String,
        form: String?,
        accepting accepted: String?
    ) throws -> HTTPClient.Request {
        var headers = self.headers
        if let accepted, !headers.contains(name: "Accept") {
            headers.add(name: "Accept", value: accepted)
        }
        guard let form else {
            return try HTTPClient.Request(url: url, method: .GET, headers: headers)
        }
        headers.replaceOrAdd(name: "Content-Type", value: "application/x-www-form-urlencoded")
        return try HTTPClient.Request(
            url: url,
            method: .POST,
            headers: headers,
            body: .string(form)
        )
    }

    /// Asks again where a kept connection was one that the server closed meanwhile: we only ask (RFC 9110, 9.2.2).
    ///
    /// A server that resets each connection may look like one that closes it: then the reset that was seen is told.
    private func answer(
        to request: HTTPClient.Request,
        with client: HTTPClient,
        by deadline: NIODeadline
    ) async throws -> HTTPClient.Response {
        do {
            return try await send(request, with: client, by: deadline)
        } catch let first where Self.isClosedConnection(first) {
            do {
                return try await send(request, with: client, by: deadline)
            } catch  where Self.isClosedConnection(error) {
                throw first is IOError ? first : error
            }
        }
    }

    private func send(
        _ request: HTTPClient.Request,
        with client: HTTPClient,
        by deadline: NIODeadline
    ) async throws -> HTTPClient.Response {
        let delegate = ResponseAccumulator(request: request, maxBodySize: Self.answerLimit)
        return try await client.execute(request: request, delegate: delegate, deadline: deadline)
            .get()
    }

    private static func isClosedConnection(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as ChannelError: error == .ioOnClosedChannel
        // What we wrote met a socket that was closed already.
        case let error as IOError: [ECONNRESET, EPIPE].contains(error.errnoCode)
        default: false
        }
    }

    private func words(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError where Self.timeouts.contains(error):
            "no answer within \(timeout.spelled)"
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            ConnectionTrouble.closedEarly
        case is ResponseAccumulator.ResponseTooBigError:
            "the answer is longer than \(MetricUnit.bytes.spelled(Double(Self.answerLimit)))"
        case let error as HTTPClientError: error.shortDescription
        default: ConnectionTrouble.words(error)
        }
    }
}

extension ServerAnswer {
    /// Where the server sends us instead of answering.
    var redirection: String? {
        guard (300..<400).contains(status), let location else { return nil }
        return "HTTP \(status), redirected to \"\(location.escapedForDisplay)\""
    }
}
