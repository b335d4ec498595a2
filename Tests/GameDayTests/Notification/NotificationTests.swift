import ChaosGameDay
import ChaosModel
import Foundation
import Glibc
import Subprocess
import SystemPackage
import TestSupport
import Testing

@Suite
struct NotificationTests {
    /// A program may end before it reads what it is given; the program ignores that signal too.
    init() { signal(SIGPIPE, SIG_IGN) }

    private func notice(_ text: String, _ kind: Notice.Kind = .starting) -> Notice {
        Notice(kind: kind, gameDay: "rehearsal", id: "day-1", text: text, at: 1_795_600_800)
    }

    private func certificate(in folder: String) async throws -> (certificate: String, key: String) {
        let (certificate, key) = ("\(folder)/cert.pem", "\(folder)/key.pem")
        let result = try await run(
            .path("/usr/bin/openssl"),
            arguments: [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
            ],
            output: .discarded,
            error: .string(limit: 4096)
        )
        try #require(result.terminationStatus.isSuccess, "\(result.standardError)")
        return (certificate, key)
    }

    private func email(
        _ server: Receiver,
        to receivers: [String] = ["sre@example.org"],
        by scheme: String = "smtp",
        password: String = "quake",
        trusting certificate: String? = nil
    ) -> Notifier.Email {
        Notifier.Email(
            to: receivers,
            from: "moonquake@example.org",
            via: "\(scheme)://localhost:\(server.port)",
            user: "moon",
            password: password,
            caFile: certificate
        )
    }

    @Test
    func `a webhook gets an object whose text chat services show`() async throws {
        let server = try await Receiver.web()
        let url = "http://127.0.0.1:\(server.port)/hooks/s3cret"
        let notifier = Notifier.webhook(url: url, headers: ["Authorization": "Bearer t0ken"])
        let notifications = Notifications([notifier], time: SystemTime())
        await notifications.tell(notice("GameDay \"<!channel> & co\" begins"))
        let got = try await server.next()
        #expect(got.headers?["authorization"] == "Bearer t0ken")
        #expect(got.headers?["content-type"] == "application/json")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data((got.body ?? "").utf8)) as? [String: Any]
        )
        #expect(object["text"] as? String == "GameDay \"&lt;!channel&gt; &amp; co\" begins")
        #expect(object["kind"] as? String == "starting")
        let records = await notifications.settle(within: .seconds(10))
        #expect(records.map(\.attempts) == [1])
        #expect(records[0].failure == nil)
        #expect(records[0].notifier == "webhook 127.0.0.1:\(server.port)")
    }

    @Test
    func `a webhook that fails is tried again, and the report says what came of it`() async throws {
        let server = try await Receiver.web(answering: [500, 204])
        let url = "http://127.0.0.1:\(server.port)/"
        let notifications = Notifications([.webhook(url: url, headers: [:])], time: SystemTime())
        await notifications.tell(notice("one"))
        let records = await notifications.settle(within: .seconds(20))
        #expect(records.map(\.attempts) == [2])
        #expect(records[0].failure == nil)

        let dead = Notifications(
            [.webhook(url: "http://127.0.0.1:1/", headers: [:])],
            time: SystemTime()
        )
        await dead.tell(notice("two"))
        let failed = await dead.settle(within: .seconds(20))
        #expect(failed.map(\.attempts) == [3])
        #expect(failed[0].failure?.isEmpty == false)
    }

    @Test(.rounds)
    func `a notifier that never answers delays neither the day nor the other notifiers`()
        async throws
    {
        let silent = try await Receiver.web(answering: [0])
        let quick = try await Receiver.web()
        let notifications = Notifications(
            [
                .webhook(url: "http://127.0.0.1:\(silent.port)/", headers: [:]),
                .webhook(url: "http://127.0.0.1:\(quick.port)/", headers: [:]),
            ],
            time: SystemTime()
        )
        let began = ContinuousClock.now
        await notifications.tell(notice("one"))
        #expect(began.duration(to: .now) < .seconds(1), .ofFigure)
        _ = try await quick.next()
        let records = await notifications.settle(within: .milliseconds(500))
        #expect(began.duration(to: .now) < .seconds(8), .ofFigure)
        #expect(records.map(\.failure) == ["no answer by the end of the day", nil])
        #expect(records.map(\.attempts) == [1, 1])
    }

    @Test
    func `an email goes out over TLS, with a login, whatever is in its text`() async throws {
        try await withFolder { folder in
            let tls = try await certificate(in: folder)
            let server = try await Receiver.mail(certificate: tls.certificate, key: tls.key)
            let email = self.email(
                server,
                to: ["sre@example.org", "lead@example.org"],
                trusting: tls.certificate
            )
            let notifications = Notifications([.email(email)], time: SystemTime())
            let text =
                "GameDay \"Prøve — på fjellet\" begins: Grüße an alle, die heute Bereitschaft haben\r\n.\r\nBcc: x@y"
            await notifications.tell(notice(text))
            let got = try await server.next()
            #expect(got.to == email.to)
            #expect(got.user == "moon")
            #expect(got.headers?["subject"] == "[moonquake] " + text.prefix { !$0.isNewline })
            #expect(got.headers?["date"] == "Wed, 25 Nov 2026 10:00:00 +0000")
            #expect(got.headers?["bcc"] == nil)
            let lines = (got.body ?? "").split(whereSeparator: \.isNewline)
            #expect(lines == text.split(whereSeparator: \.isNewline))
            #expect(await notifications.settle(within: .seconds(10)).map(\.failure) == [nil])
        }
    }

    @Test
    func `an email goes out to a server that speaks TLS from the first byte on`() async throws {
        try await withFolder { folder in
            let tls = try await certificate(in: folder)
            let server = try await Receiver.mail(
                certificate: tls.certificate,
                key: tls.key,
                encryptedFromTheFirstByte: true
            )
            let email = self.email(server, by: "smtps", trusting: tls.certificate)
            let notifications = Notifications([.email(email)], time: SystemTime())
            await notifications.tell(notice("one", .ended))
            let got = try await server.next()
            #expect(got.to == email.to && got.user == "moon")
            #expect(got.headers?["from"] == "moonquake@example.org")
            #expect(await notifications.settle(within: .seconds(10)).map(\.failure) == [nil])
        }
    }

    @Test
    func `a server with an unknown certificate is not trusted, and that is said`() async throws {
        try await withFolder { folder in
            let tls = try await certificate(in: folder)
            let server = try await Receiver.mail(certificate: tls.certificate, key: tls.key)
            let email = self.email(server)
            let notifications = Notifications([.email(email)], time: SystemTime())
            await notifications.tell(notice("one"))
            let records = await notifications.settle(within: .seconds(30))
            #expect(records.first?.attempts == 3)
            #expect(records.first?.failure?.contains("certificate") == true)
        }
    }

    @Test(.rounds)
    func `a wrong password is told in the words of the server, and not in the report`()
        async throws
    {
        try await withFolder { folder in
            let tls = try await certificate(in: folder)
            let server = try await Receiver.mail(certificate: tls.certificate, key: tls.key)
            let email = self.email(server, password: "w4ning", trusting: tls.certificate)
            let began = ContinuousClock.now
            let notifications = Notifications([.email(email)], time: SystemTime())
            await notifications.tell(notice("one"))
            let record = try #require(await notifications.settle(within: .seconds(30)).first)
            let failure = try #require(record.failure)
            #expect(failure.contains("535 5.7.8"), "\(failure)")
            #expect(!failure.contains("w4ning"), "\(failure)")
            #expect(record.attempts == 3)
            #expect(
                began.duration(to: .now) < .seconds(9),
                .ofFigure("no attempt may wait for its time-out")
            )
        }
    }

    /// A sender that heeds no cancellation, as libcurl does while it waits.
    private struct Deaf: NoticeSender {
        func send(_ notice: Notice) async throws {
            await Task.detached { try? await Task.sleep(for: .seconds(60)) }.value
        }
    }

    @Test(.rounds)
    func `the end of the day does not wait for a sender that cannot be cancelled`() async {
        let notifications = Notifications([("deaf", Deaf())], time: SystemTime())
        await notifications.tell(notice("one"))
        let began = ContinuousClock.now
        let records = await notifications.settle(within: .milliseconds(100))
        #expect(began.duration(to: .now) < .seconds(30), .ofFigure)
        #expect(records.map(\.failure) == ["no answer by the end of the day"])
    }

    @Test
    func `a command that leaves a process behind is told, and not waited for`() async throws {
        let command = ["/bin/sh", "-c", "cat > /dev/null; sleep 40 & exit 0"]
        let notifications = Notifications([.command(command)], time: SystemTime())
        await notifications.tell(notice("one"))
        let records = await notifications.settle(within: .seconds(20))
        #expect(records.map(\.failure) == [nil])
    }

    @Test
    func `a command reads the notice from its standard input`() async throws {
        try await withFolder { folder in
            let file = "\(folder)/got"
            let notifications = Notifications(
                [.command(["/bin/dd", "status=none", "of=\(file)"]), .command(["/bin/false"])],
                time: SystemTime()
            )
            await notifications.tell(notice("one", .aborted))
            let records = await notifications.settle(within: .seconds(20))
            let got = try String(contentsOfFile: file, encoding: .utf8)
            let read = try WireJSON.value(Notice.self, from: got)
            #expect(read == notice("one", .aborted))
            #expect(records.first { $0.notifier.contains("dd") }?.failure == nil)
            #expect(records.first { $0.notifier.contains("false") }?.attempts == 3)
        }
    }
}
