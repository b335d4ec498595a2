// The Docker Engine API as far as targets need it, which Podman speaks too: which containers run, and which
// process leads one. Two requests, both GET.

import AsyncHTTPClient
package import ChaosModel
import FoundationEssentials
import NIOCore

/// Container engines at sockets of this host.
package struct DockerEngines: ContainerPort {
    private let sockets: EngineSockets
    /// How long an engine may take to answer.
    private let patience: Duration

    /// Makes the port; nothing is connected before it is asked.
    package init(sockets: EngineSockets = EngineSockets(), patience: Duration = .seconds(10)) {
        self.sockets = sockets
        self.patience = patience
    }

    package func containers(socket: String?) async throws(KernelError) -> [ContainerSnapshot] {
        var found: [ContainerSnapshot] = []
        for path in try sockets.find(given: socket) {
            let listed: [Listed] = try await get("/containers/json", from: path) ?? []
            found += listed.map { $0.snapshot(socket: path) }
        }
        return found
    }

    package func firstProcess(of container: ContainerSnapshot) async throws(KernelError) -> Int32? {
        let path = "/containers/\(container.id)/json"
        let inspected: Inspected? = try await get(path, from: container.socket)
        guard let pid = inspected?.state.pid, pid > 0 else { return nil }
        return pid
    }

    /// The oldest version of the API that has all we ask, which Docker and Podman still serve.
    private static let version = "/v1.24"
    private static let mostBytes = 64 << 20

    /// What the engine answers; nil for what it does not know (any more).
    private func get<Answer: Decodable>(
        _ path: String,
        from socket: String
    ) async throws(KernelError) -> Answer? {
        let operation = "ask the container engine at \(socket)"
        do {
            var request = HTTPClientRequest(url: Self.url(socket, Self.version + path))
            // A socket has no host name, and Podman refuses a request without one.
            request.headers.add(name: "Host", value: "localhost")
            let limit = TimeAmount.milliseconds(Int64(patience.inMilliseconds))
            let response = try await HTTPClient.shared.execute(request, timeout: limit)
            let body = try await response.body.collect(upTo: Self.mostBytes)
            let bytes = Array(buffer: body)
            if response.status.code == 404 { return nil }
            guard response.status.code == 200 else {
                let said = String(decoding: bytes, as: UTF8.self).escapedForDisplay
                throw KernelError(.failed, operation, "HTTP \(response.status.code): \(said)")
            }
            return try JSONDecoder().decode(Answer.self, from: Data(bytes))
        } catch let error as KernelError {
            throw error
        } catch let error as IOError {
            throw Self.refusal(error, operation)
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            throw KernelError(.failed, operation, "no answer within \(patience.spelled)")
        } catch let error as DecodingError {
            throw KernelError(.failed, operation, "its answer is of no known form: \(error)")
        } catch {
            throw KernelError(.failed, operation, "\(error)")
        }
    }

    private static func refusal(_ error: IOError, _ operation: String) -> KernelError {
        switch error.errnoCode {
        case 13, 1:
            KernelError(
                .notPermitted,
                operation,
                "permission denied: the agent must be root, or in the group that owns the socket"
            )
        case 2: KernelError(.unsupported, operation, "there is no such socket")
        case 111: KernelError(.unsupported, operation, "nobody listens there")
        default: KernelError(.failed, operation, "\(error)")
        }
    }

    /// The URL of a path behind a socket, every byte of whose own path is escaped.
    private static func url(_ socket: String, _ path: String) -> String {
        let digits = Array("0123456789ABCDEF")
        let host = socket.utf8.map { byte in
            "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }
        return "http+unix://\(host.joined())\(path)"
    }
}

/// An entry of `GET /containers/json`.
private struct Listed: Decodable {
    var id: String
    var names: [String]?
    var image: String?
    var labels: [String: String]?

    private enum CodingKeys: String, CodingKey {
        case id = "Id", names = "Names", image = "Image", labels = "Labels"
    }

    func snapshot(socket: String) -> ContainerSnapshot {
        // Names of links have another slash in them.
        let names = (names ?? []).map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
        return ContainerSnapshot(
            id: id,
            name: names.first { !$0.contains("/") } ?? String(id.prefix(12)),
            image: image ?? "",
            labels: labels ?? [:],
            socket: socket
        )
    }
}

/// The part of `GET /containers/ID/json` that we need.
private struct Inspected: Decodable {
    struct State: Decodable {
        var pid: Int32

        private enum CodingKeys: String, CodingKey { case pid = "Pid" }
    }

    var state: State

    private enum CodingKeys: String, CodingKey { case state = "State" }
}
