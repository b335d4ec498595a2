// A real web service in a namespace of the test, and clients beside it.

import Glibc
import TestSupport

/// Two namespaces, and nginx in the far one.
struct RequestWorld {
    static let url = url(8080)

    static func url(_ port: Int) -> String { "http://10.98.0.2:\(port)/" }

    let box: Sandbox
    let near: String
    let far: String

    /// Makes the namespaces and starts nginx on port 8080 of both families.
    init(in box: Sandbox) throws {
        self.box = box
        (near, far) = try box.network()
        try File.write(String(repeating: "x", count: 300_000), to: "\(box.folder)/big")
        try serve(["8080", "[::]:8080"])
        guard eventually(holds: { (try? text(Self.url)) == "ok" }) else {
            throw SetUpError("nginx does not answer")
        }
    }

    /// Starts an nginx that answers `ok` where it is told to listen: `8080`, `8443 ssl`.
    func serve(_ listen: [String]) throws { try Self.serve(listen, in: far, box) }

    /// The same in any namespace.
    static func serve(_ listen: [String], in far: String, _ box: Sandbox) throws {
        let name = "nginx-\(UInt32.random(in: .min ... .max))"
        let key = "\(box.folder)/\(name)"
        let isTLS = listen.contains { $0.hasSuffix("ssl") }
        if isTLS {
            try box.tool(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-subj",
                "/CN=shop.test",
                "-days",
                "2",
                "-keyout",
                "\(key).key",
                "-out",
                "\(key).crt"
            )
        }
        let file = try box.write(
            "\(name).conf",
            """
            daemon off; worker_processes 1; pid \(key).pid; error_log stderr crit; user root;
            events { worker_connections 1024; }
            http {
              access_log off; keepalive_timeout 600s;
              server {
                \(listen.map { "listen \($0);" }.joined(separator: " "))
                \(isTLS ? "ssl_certificate \(key).crt; ssl_certificate_key \(key).key;" : "")
                location / { return 200 "ok"; }
                location = /big { root \(box.folder); }
              }
            }
            """
        )
        try box.start(["nginx", "-p", box.folder, "-e", "stderr", "-c", file], in: far)
    }

    /// What is answered, from the near side.
    func text(_ url: String) throws -> String {
        try box.tool("curl", "-g", "-s", "-k", "-m", "5", url, in: near)
    }

    /// What curl prints with more options, from the near side.
    func curl(_ arguments: [String]) throws -> String {
        let program = try box.start(["curl", "-g", "-s", "-m", "10"] + arguments, in: near)
        try program.ended()
        return program.output
    }

    /// How long a request takes on a connection that is kept: the median of ten.
    ///
    /// A busy machine makes some late, so up to three times, until it is near what is expected.
    func medianMilliseconds(about expected: Double) throws -> Double {
        let script = """
            import http.client, statistics, time
            c = http.client.HTTPConnection("10.98.0.2", 8080, timeout=5)
            def ask():
                began = time.monotonic()
                c.request("GET", "/")
                c.getresponse().read()
                return (time.monotonic() - began) * 1e3
            ask()
            print(statistics.median(ask() for _ in range(10)))
            """
        var median = 0.0
        for _ in 0..<3 {
            let text = try box.tool("python3", "-c", script, in: near)
            median = Double(text.split(separator: "\n").first ?? "") ?? 0
            if (expected...(expected + 5)).contains(median) { break }
        }
        return median
    }

    /// The status of an answer, from the near side unless said otherwise; 000 when there was none.
    func status(_ url: String = url, from namespace: String? = nil) throws -> String {
        let get = try box.start(
            ["curl", "-g", "-s", "-k", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", url],
            in: namespace ?? near
        )
        try get.ended()
        return get.output
    }

    /// A fault of requests as a script has it.
    func fault(_ kind: String, in name: String, _ options: String) -> String {
        "fault.http.\(kind) { target = target.netns { name = \"\(name)\" }, \(options) }"
    }

    /// Starts a run that holds a fault until it is stopped, or for a time.
    func hold(_ fault: String, for time: String = "60s") throws -> Program {
        let name = "hold-\(UInt32.random(in: .min ... .max)).lua"
        let file = try box.write(name, "inject(\(fault))\nwait '\(time)'")
        let runner = try box.begin("run", file)
        try box.injected(1, by: runner)
        return runner
    }
}
