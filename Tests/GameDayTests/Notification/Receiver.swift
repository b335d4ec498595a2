// Real servers that print what they got, a JSON line each: Python's http.server, and aiosmtpd for SMTP.

import ChaosLinux
import ChaosModel
import Foundation
import Glibc

/// What a server got.
struct Received: Decodable, Sendable {
    /// `listening`, or `got`.
    var event: String
    var port: Int?
    /// The request's headers in lower case, or the letter's.
    var headers: [String: String]?
    /// The body, decoded.
    var body: String?
    /// The receivers of a letter.
    var to: [String]?
    /// Who logged in.
    var user: String?
}

/// A server while a test lasts.
final class Receiver {
    let port: Int
    private let process: LineProcess
    private var lines: AsyncStream<String>.Iterator

    private init(_ program: String, _ arguments: [String]) async throws {
        process = try LineProcess(
            "/usr/bin/python3",
            ["python3", "-u", "-c", program] + arguments,
            errorOutput: STDERR_FILENO
        )
        lines = process.lines.makeAsyncIterator()
        guard let line = await lines.next(),
            let port = try WireJSON.value(Received.self, from: line).port
        else { throw KernelError(.failed, "start a receiver", "it ended at once") }
        self.port = port
    }

    deinit { process.kill() }

    /// The next thing that it gets.
    func next() async throws -> Received {
        guard let line = await lines.next() else {
            throw KernelError(.gone, "wait for a notice", "the receiver has ended")
        }
        return try WireJSON.value(Received.self, from: line)
    }

    /// A web server that answers with these statuses in turn, the last again and again; 0 for no answer at all.
    static func web(answering statuses: [Int] = [204]) async throws -> Receiver {
        try await Receiver(webProgram, statuses.map(String.init))
    }

    /// A mail server that wants TLS, by STARTTLS or from the first byte on, and the login "moon" with the password "quake".
    static func mail(
        certificate: String,
        key: String,
        encryptedFromTheFirstByte: Bool = false
    ) async throws -> Receiver {
        let way = encryptedFromTheFirstByte ? "smtps" : "starttls"
        return try await Receiver(mailProgram, [certificate, key, way])
    }

    private static let webProgram = """
        import http.server, json, sys, time
        statuses = [int(word) for word in sys.argv[1:]]
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                print(json.dumps({"event": "got", "headers": headers, "body": body}))
                status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                if status == 0:
                    time.sleep(3600)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            def log_message(self, *arguments): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(json.dumps({"event": "listening", "port": server.server_port}))
        server.serve_forever()
        """

    private static let mailProgram = """
        import asyncio, email, email.policy, json, ssl, sys
        from aiosmtpd.smtp import SMTP, AuthResult
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        class Handler:
            async def handle_DATA(self, server, session, envelope):
                letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
                headers = {name.lower(): str(value) for name, value in letter.items()}
                print(json.dumps({"event": "got", "headers": headers, "body": letter.get_content(),
                                  "to": envelope.rcpt_tos, "user": session.auth_data}))
                return "250 kept"
        def login(server, session, envelope, mechanism, data):
            good = data.login == b"moon" and data.password == b"quake"
            # "Handled" would mean that this function has answered itself: a wrong login then waits for ever.
            return AuthResult(success=good, handled=good, auth_data=data.login.decode() if good else None)
        async def main():
            loop = asyncio.get_running_loop()
            if sys.argv[3] == "smtps":
                make = lambda: SMTP(Handler(), auth_require_tls=False, auth_required=True, authenticator=login)
                server = await loop.create_server(make, "127.0.0.1", 0, ssl=context)
            else:
                make = lambda: SMTP(Handler(), require_starttls=True, tls_context=context, auth_required=True,
                                    authenticator=login)
                server = await loop.create_server(make, "127.0.0.1", 0)
            print(json.dumps({"event": "listening", "port": server.sockets[0].getsockname()[1]}))
            await server.serve_forever()
        asyncio.run(main())
        """
}
