// Posts notices as JSON. The object has `text`, which is what Slack and those like it show, and the rest for programs.

import AsyncHTTPClient
import ChaosModel
import NIOCore

/// Sends to a webhook.
struct WebhookSender: NoticeSender {
    let url: String
    let headers: [String: String]
    /// How long one notice may take.
    let patience: Duration

    func send(_ notice: Notice) async throws {
        // Trying again is what `Notifications` does, and it counts.
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<Void, any Error>
        do {
            result = .success(try await post(notice, with: client))
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        try result.get()
    }

    /// "p99 < 2s and errors > 5%" is no link, and a title tells no channel: the three characters that Slack gives a meaning.
    ///
    /// https://docs.slack.dev/messaging/formatting-message-text
    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private func post(_ notice: Notice, with client: HTTPClient) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        request.headers.replaceOrAdd(name: "content-type", value: "application/json")
        var notice = notice
        notice.text = Self.escaped(notice.text)
        request.body = .bytes(ByteBuffer(string: try WireJSON.line(notice)))
        let limit = TimeAmount.nanoseconds(Int64(patience.inSeconds * 1e9))
        let response = try await client.execute(request, timeout: limit)
        guard (200..<300).contains(response.status.code) else {
            throw NoticeRefused(
                reason: "it answered \(response.status.code) \(response.status.reasonPhrase)"
            )
        }
    }
}

/// An answer that is not a yes.
struct NoticeRefused: Error, CustomStringConvertible {
    let reason: String

    var description: String { reason }
}
