// Posts notices as JSON. The object has `text`, which is what Slack and those like it show, and the rest for programs.

import AsyncHTTPClient
import ChaosModel
import NIOCore

/// Sends to a webhook.
struct WebhookSender: NoticeSender {
    let url: String
    let headers: [String: String]

    func send(_ notice: Notice) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        request.headers.replaceOrAdd(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: try WireJSON.line(notice)))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        // What it says is of no interest, but the connection is free only when it has been read.
        _ = try? await response.body.collect(upTo: 65_536)
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
