// Notices of GameDays with the real program, to real servers: one that hangs, and those that take them.

import ChaosGameDay
import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct `Notices of a GameDay` {
    /// A mail server with a login and a web server, which print a line for each notice that they get.
    private static let servers = """
        import asyncio, email, email.policy, http.server, json, ssl, sys, threading
        from aiosmtpd.smtp import SMTP, AuthResult
        def got(what, text): print(json.dumps([what, text]), flush=True)
        class Web(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got("web", json.loads(self.rfile.read(int(self.headers["content-length"])))["kind"])
                self.send_response(204)
                self.end_headers()
            def log_message(self, *arguments): pass
        class Mail:
            async def handle_DATA(self, server, session, envelope):
                letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
                got("mail", letter["subject"])
                return "250 kept"
        def login(server, session, envelope, mechanism, data):
            good = data.login == b"moon" and data.password == b"quake"
            return AuthResult(success=good, handled=good)
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        async def main():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1], sys.argv[2])
            make = lambda: SMTP(Mail(), require_starttls=True, tls_context=context, auth_required=True,
                                authenticator=login)
            server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
            got("ready", f"{server.sockets[0].getsockname()[1]} {web.server_port}")
            await server.serve_forever()
        asyncio.run(main())
        """

    @Test
    func `a mail server and a web server get each notice of a day, in their order`() throws {
        try Sandbox.with { box in
            let (certificate, key) = (box.folder + "/cert.pem", box.folder + "/key.pem")
            try box.tool(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                key,
                "-out",
                certificate
            )
            let servers = try box.start(["/usr/bin/python3", "-c", Self.servers, certificate, key])
            #expect(eventually { servers.output.contains("\n") }, "\(servers.errors)")
            let ports = try #require(servers.output.firstMatch(of: /"ready", "(\d+) (\d+)"/))
            let file = try box.harmlessDay(
                """
                approval = "each", notify = {
                  notify.webhook "http://127.0.0.1:\(ports.2)/",
                  notify.email {
                    to = "sre@example.org", via = "smtp://localhost:\(ports.1)", ca_file = "\(certificate)",
                    user = "moon", password = "quake",
                  },
                }
                """,
                experiments: ["one"]
            )
            let report = box.folder + "/day.json"
            let day = try box.begin("gameday", "run", file, "--report", report)
            try box.approve(day)
            #expect(try day.ended(within: .seconds(30)) == 0, "\(day.errors)")
            let notices = try box.gameDay(report).notifications
            #expect(notices.count == 6 && notices.allSatisfy { $0.failure == nil }, "\(notices)")
            let got = servers.output.split(separator: "\n").dropFirst().map(String.init)
            let web = got.filter { $0.contains("\"web\"") }
            #expect(web == ["starting", "gate", "ended"].map { "[\"web\", \"\($0)\"]" })
            let mail = got.filter { $0.contains("\"mail\"") }
            #expect(mail.count == 3 && mail.allSatisfy { $0.contains("[moonquake] GameDay") })
            let words = ["begins: 1 experiments", "waits for approval", "passed"]
            #expect(zip(mail, words).allSatisfy { $0.contains($1) }, "\(mail)")
        }
    }

    @Test(.rounds)
    func `a webhook that hangs delays neither the abort nor the revert, and the report says so`()
        throws
    {
        try Sandbox.with { box in
            let site = try Site(box)
            let port = try box.freePorts(1)
            // It accepts and never answers.
            let hang = """
                import socket, time
                s = socket.create_server(("127.0.0.1", \(port)))
                print("ready", flush=True)
                kept = []
                while True: kept.append(s.accept())
                """
            let silent = try box.start(["python3", "-c", hang])
            #expect(eventually { silent.output.contains("ready") }, "\(silent.errors)")
            let told = box.folder + "/told"
            let file = try site.gameDay(
                experiments: ["abort", "slow"],
                """
                notify = {
                  notify.webhook "http://127.0.0.1:\(port)/",
                  notify.command { run = { "/bin/dd", "status=none", "oflag=append", "conv=notrunc", "of=\(told)" } },
                }
                """
            )
            let report = box.folder + "/day.json"
            let arguments = ["gameday", "run", file, "--report", report]
            let ended = try box.moonquake(arguments, within: .seconds(120))
            #expect(ended.code == 3, "\(ended.output)\(ended.errors)")
            #expect(
                ended.took < .seconds(90),
                .ofFigure("it waits 40 seconds for notices, at most")
            )
            let day = try box.gameDay(report)
            let began = try #require(day.timeline.first?.at)
            let baseline = try #require(day.timeline.first { $0.runID != nil }?.at)
            #expect(
                baseline - began < 2,
                .ofFigure("the day waited for who is told that it begins")
            )
            let stop = try #require(day.timeline.first { $0.kind == "stop" }?.at)
            let reverted = try #require(day.timeline.first { $0.kind == "reverted" }?.at)
            print("a hanging webhook: reverted \(Int((reverted - stop) * 1000)) ms after the abort")
            #expect(reverted - stop < 1, .ofFigure)
            #expect(try box.hasNoTableOfOurs(site.near))

            let kinds: [Notice.Kind] = [.starting, .aborted, .ended]
            let hung = day.notifications.filter { $0.notifier.contains("webhook") }
            #expect(hung.map(\.kind) == kinds)
            #expect(hung.map(\.attempts).first == 3)
            #expect(hung.allSatisfy { $0.failure != nil }, "\(hung)")
            let commands = day.notifications.filter { !$0.notifier.contains("webhook") }
            #expect(commands.map(\.kind) == kinds && commands.allSatisfy { $0.failure == nil })
            let lines = try #require(File.text(told)).split(separator: "\n")
            let notices = try lines.map { try WireJSON.value(Notice.self, from: String($0)) }
            #expect(notices.map(\.kind) == kinds)
            #expect(notices[1].text.contains("experiment \"abort\" is being aborted: "))
            #expect(abs(notices[1].at - stop) < 1, .ofFigure("people are told when it begins"))
        }
    }
}
