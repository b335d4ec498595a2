// Ways to a Prometheus that does not let everybody in: TLS with certificates of clients, basic and bearer authentication,
// and a path prefix. Prometheus and nginx are real, and so are the certificates.

import ChaosModel
import ChaosSteadyState
import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct `Access to Prometheus` {
    /// `s3cret`, by bcrypt.
    private static let hash = "$2b$04$TmnCpLz/NQzb01BwoIk0t.3/OuIS5ukNTEH.9EVBN0O1Etr3wusUm"

    /// A certificate authority, a server's certificate for 127.0.0.1, a client's, and another authority's.
    private func makeCertificates(in folder: String) async throws {
        let script = """
            set -e; cd \(folder)
            authority() {
              openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \\
                -keyout $1.key -out $1.pem
            }
            signed() {
              openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout $1.key -out $1.csr
              openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile $3 -out $1.pem
            }
            echo 'subjectAltName=IP:127.0.0.1' >server.ext
            echo 'extendedKeyUsage=clientAuth' >client.ext
            authority ca; authority stranger
            signed server ca server.ext; signed client ca client.ext; signed guest stranger client.ext
            touch ready
            sleep 600
            """
        try await withProgram("/bin/bash", ["-c", script]) { _ in
            let end = ContinuousClock.now + .seconds(30)
            while access(folder + "/ready", F_OK) != 0, ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        try #require(access(folder + "/ready", F_OK) == 0, "openssl made no certificates")
    }

    /// Runs a Prometheus below a prefix, which scrapes nothing.
    private func withPrometheus(
        in folder: String,
        web: String = "",
        _ body: @Sendable (Int) async throws -> Void
    ) async throws {
        let port = try ScriptedServer.freePort()
        let web = web.isEmpty ? [] : ["--web.config.file=\(folder)/web.yml"]
        try Data("global: {}".utf8).write(to: URL(filePath: folder + "/p.yml"))
        let arguments =
            [
                "--config.file=\(folder)/p.yml", "--storage.tsdb.path=\(folder)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--web.route-prefix=/watch/over",
                "--web.external-url=http://127.0.0.1:\(port)/watch/over", "--log.level=error",
            ] + web
        try await withProgram("/usr/bin/prometheus", arguments) { _ in try await body(port) }
    }

    private func expect(
        _ server: String,
        _ more: [String: ParameterValue],
        sourceLocation: Testing.SourceLocation = #_sourceLocation,
        _ isWanted: (Reading) -> Bool
    ) async throws {
        let options: [String: ParameterValue] = [
            "server": .string(server), "query": "vector(7)", "timeout": "2s",
        ]
        try await withSource("prometheus", options.merging(more) { $1 }) { source in
            let reading = try await source.reading(where: isWanted)
            #expect(isWanted(reading), "\(reading)", sourceLocation: sourceLocation)
        }
    }

    @Test
    func
        `with a certificate, a password and a prefix it gets in, and without any of them it says why not`()
        async throws
    {
        try await withFolder { folder in
            try await makeCertificates(in: folder)
            let web = """
                tls_server_config:
                  cert_file: \(folder)/server.pem
                  key_file: \(folder)/server.key
                  client_auth_type: RequireAndVerifyClientCert
                  client_ca_file: \(folder)/ca.pem
                basic_auth_users: { watcher: "\(Self.hash)" }
                """
            try Data(web.utf8).write(to: URL(filePath: folder + "/web.yml"))
            try await withPrometheus(in: folder, web: web) { port in
                let server = "https://127.0.0.1:\(port)/watch/over"
                func pem(_ name: String) -> ParameterValue { .string("\(folder)/\(name)") }
                let all: [String: ParameterValue] = [
                    "ca_file": pem("ca.pem"), "cert_file": pem("client.pem"),
                    "key_file": pem("client.key"), "username": "watcher", "password": "s3cret",
                ]
                for ending in ["", "/", "//", "/api/v1", "/api/v1/query"] {
                    try await expect(server + ending, all) { $0 == .value(7) }
                }
                try await expect("https://127.0.0.1:\(port)", all) { $0.text.contains("HTTP 404") }
                try await expect(server, all.merging(["password": "wrong"]) { $1 }) {
                    $0.text.contains("HTTP 401")
                }
                let stranger = all.merging([
                    "cert_file": pem("guest.pem"), "key_file": pem("guest.key"),
                ]) { $1 }
                try await expect(server, stranger) { $0.number == nil && !$0.text.isEmpty }
                let bare = all.filter { !["cert_file", "key_file"].contains($0.key) }
                try await expect(server, bare) {
                    $0.number == nil && $0.text.contains("ertificate")
                }
                try await expect(server, all.merging(["ca_file": pem("stranger.pem")]) { $1 }) {
                    $0.number == nil && $0.text.contains("ertificate")
                }
            }
        }
    }

    @Test
    func `a bearer token opens a Prometheus behind nginx, and no other does`() async throws {
        try await withFolder { folder in
            try await withPrometheus(in: folder) { prometheus in
                let gate = """
                    location /guarded/ {
                      if ($http_authorization != "Bearer t0ken") { return 401 "who are you"; }
                      proxy_pass http://127.0.0.1:\(prometheus)/watch/over/;
                    }
                    """
                try await withNginx(locations: gate) { port, _ in
                    let server = "http://127.0.0.1:\(port)/guarded"
                    for ending in ["", "/"] {
                        try await expect(server + ending, ["bearer_token": "t0ken"]) {
                            $0 == .value(7)
                        }
                    }
                    try await expect(server, ["bearer_token": "t0ken2"]) {
                        $0.text == "HTTP 401, refused: \"who are you\""
                    }
                    try await expect(server, [:]) { $0.text.contains("HTTP 401") }
                }
            }
        }
    }
}
