// Asks Prometheus at each sample, within the time-out, whatever the server does.

import AsyncHTTPClient
import ChaosModel
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An instant query.
///
/// It goes as a POST form, so that its length has no limit, and as a GET where POST is not allowed (a read-only proxy).
final class PrometheusSource: MetricSource {
    /// What is asked, and how.
    struct Query: Sendable {
        /// The URL of the API's query endpoint.
        let endpoint: String
        /// The query, percent-encoded: `query=…`.
        let form: String
        let headers: HTTPHeaders
        let timeout: Duration
        let choice: SeriesChoice
    }

    private static let timeouts: [HTTPClientError] = [
        .deadlineExceeded, .connectTimeout, .readTimeout,
    ]

    static let answerLimit = 8 * 1_048_576

    private let query: Query
    private let client = Mutex<HTTPClient?>(nil)
    private let usesGet = Mutex(false)

    init(_ query: Query) {
        self.query = query
    }

    func start() async {
        client.withLock { client in
            guard client == nil else { return }
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.timeout.connect = .nanoseconds(Int64(query.timeout.inSeconds * 1e9))
            configuration.connectionPool.retryConnectionEstablishment = false
            configuration.httpVersion = .http1Only
            client = HTTPClient(
                eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
                configuration: configuration
            )
        }
    }

    func sample() async -> Reading {
        guard let client = client.withLock(\.self) else { return .noData("not started") }
        let deadline = NIODeadline.now() + .nanoseconds(Int64(query.timeout.inSeconds * 1e9))
        do {
            var response = try await ask(client, by: deadline)
            if response.status == .methodNotAllowed, !usesGet.withLock(\.self) {
                usesGet.withLock { $0 = true }
                response = try await ask(client, by: deadline)
            }
            let body = response.body.map { Array($0.readableBytesView) } ?? []
            let status = Int(response.status.code)
            if (300..<400).contains(status), let place = response.headers.first(name: "Location") {
                return .noData("HTTP \(status), redirected to \"\(place.escapedForDisplay)\"")
            }
            return query.choice.reading(of: try PrometheusAnswer(status: status, body: body))
        } catch let trouble as PrometheusTrouble {
            return .noData(trouble.description)
        } catch {
            return .noData(words(error))
        }
    }

    func stop() async {
        let client = self.client.withLock { client in
            defer { client = nil }
            return client
        }
        try? await client?.shutdown()
    }

    private func ask(
        _ client: HTTPClient,
        by deadline: NIODeadline
    ) async throws -> HTTPClient.Response {
        var headers = query.headers
        let request: HTTPClient.Request
        if usesGet.withLock(\.self) {
            let url = "\(query.endpoint)?\(query.form)"
            request = try HTTPClient.Request(url: url, method: .GET, headers: headers)
        } else {
            headers.replaceOrAdd(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request = try HTTPClient.Request(
                url: query.endpoint,
                method: .POST,
                headers: headers,
                body: .string(query.form)
            )
        }
        do {
            return try await send(request, with: client, by: deadline)
        } catch  where Self.isClosedConnection(error) {
            // A kept connection that the server closed meanwhile; a query may be asked twice (RFC 9110, 9.2.2).
            return try await send(request, with: client, by: deadline)
        }
    }

    private static func isClosedConnection(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as ChannelError: error == .ioOnClosedChannel
        default: false
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

    private func words(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError where Self.timeouts.contains(error):
            "no answer within \(query.timeout.spelled)"
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            ConnectionTrouble.closedEarly
        case is ResponseAccumulator.ResponseTooBigError:
            "the answer is longer than \(MetricUnit.bytes.spelled(Double(Self.answerLimit)))"
        case let error as HTTPClientError: error.shortDescription
        default: ConnectionTrouble.words(error)
        }
    }
}
