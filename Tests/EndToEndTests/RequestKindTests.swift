// Each fault of requests through the whole program, with real services (nginx, gRPC's own server) and real clients (curl,
// Python's, gRPC's own): what a client meets, what is counted, and what is under way when the fault ends.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct RequestKindTests {
    private func figures(_ fault: RunReport.FaultReport) -> [String: Double] {
        let figures = fault.measured?.figures ?? []
        return Dictionary(figures.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// Ends a run, and returns its faults once all is as before.
    @discardableResult
    private func end(
        _ runner: Program,
        of world: RequestWorld,
        _ before: World
    ) throws -> [RunReport.FaultReport] {
        #expect(try world.box.moonquake("abort").code == 0)
        try runner.ended()
        let report = try world.box.lastReport()
        #expect(report.restoration == .restored, "\(runner.errors)")
        try world.box.expect(before, in: world.near, world.far)
        return report.faults
    }

    @Test
    func `an error has status, headers and body, in HTTP/1 and HTTP/2, for what matches only`()
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            try world.serve(["8090 http2"])
            #expect(
                eventually {
                    (try? world.curl(["--http2-prior-knowledge", RequestWorld.url(8090)])) == "ok"
                }
            )
            let before = try box.world(world.near, world.far)
            for (port, version) in [(8080, "--http1.1"), (8090, "--http2-prior-knowledge")] {
                let runner = try world.hold(
                    world.fault(
                        "error",
                        in: world.near,
                        """
                        port = \(port), status = 429, body = "later, please", headers = { ["Retry-After"] = "3" },
                        method = "POST", path = "/api/*", host = "shop.test", match_headers = { ["x-user"] = "b*b" }
                        """
                    )
                )
                let url = RequestWorld.url(port)
                let all = [
                    version, "-i", "-X", "POST", "-H", "Host: shop.test", "-H", "X-User: bob",
                    "\(url)api/a?b",
                ]
                let answer = try world.curl(all)
                #expect(answer.contains(" 429"), "\(answer)")
                #expect(answer.lowercased().contains("retry-after: 3\r\n"), "\(answer)")
                #expect(answer.hasSuffix("later, please"), "\(answer)")
                #expect(!answer.lowercased().contains("moonquake"), "it looks like anybody's")
                // Each of the conditions is needed.
                for (option, other) in [
                    ("POST", "PUT"), ("Host: shop.test", "Host: x.test"),
                    ("X-User: bob", "X-User: al"),
                ] {
                    #expect(
                        try world.curl(all.map { $0 == option ? other : $0 }).hasSuffix("ok"),
                        "\(other)"
                    )
                }
                #expect(try world.curl(all.dropLast() + ["\(url)other"]).hasSuffix("ok"))
                let fault = try #require(try end(runner, of: world, before).first)
                let counts = figures(fault)
                #expect(counts["requests_seen"] == 5, "\(counts)")
                #expect(counts["requests_matched"] == 1 && counts["requests_hit"] == 1, "\(counts)")
                // The person who ran it sees the same.
                #expect(
                    runner.output.contains("requests seen 5, requests matched 1, requests hit 1"),
                    "\(runner.output)"
                )
            }
        }
    }

    /// What a client meets that takes one port again and again: a status, `reset` or `refused`.
    ///
    /// It resets its own connections, so that the port is free at once.
    private func status(at address: String, in world: RequestWorld) throws -> String {
        let client = """
            import socket, struct, sys
            host = sys.argv[1]
            s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            s.settimeout(5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.bind(("", 23456))
            try:
                s.connect((host, 8080))
                s.sendall(b"GET / HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n")
                print(s.recv(4096).split()[1].decode(), end="")
            except ConnectionResetError: print("reset", end="")
            except ConnectionRefusedError: print("refused", end="")
            """
        return try world.box.tool("python3", "-c", client, address, in: world.near)
    }

    @Test(arguments: ["10.98.0.2", "fd98::2"])
    func `a client that was reset is served by the next fault on the same port`(address: String)
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            // The kernel remembers a connection that was reset for ten seconds, with the way that it went.
            for (kind, options, expected) in [
                ("abort", "", "reset"), ("error", ", status = 418", "418"), ("abort", "", "reset"),
            ] {
                let fault = world.fault(kind, in: world.near, "port = 8080\(options)")
                let runner = try world.hold(fault)
                for _ in 0..<2 { #expect(try status(at: address, in: world) == expected) }
                #expect(try box.moonquake("abort").code == 0)
                try runner.ended()
            }
            #expect(try status(at: address, in: world) == "200")
        }
    }

    @Test
    func `only the clients named are met`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let options =
                "port = 8080, direction = \"ingress\", status = 418, client = { \"10.98.0.0/24\" }"
            let runner = try world.hold(world.fault("error", in: world.far, options))
            #expect(try world.status() == "418")
            #expect(try world.status("http://[fd98::2]:8080/") == "200", "of another family")
            #expect(try box.moonquake("abort").code == 0)
            try runner.ended()
        }
    }

    @Test
    func `delays of two faults on one port are 200 ± 5 ms, and end one by one`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let before = try box.world(world.near, world.far)
            let delay = world.fault("latency", in: world.near, "port = 8080, delay = \"100ms\"")
            let marker = "\(box.folder)/go-on"
            let file = try box.write(
                "two.lua",
                """
                local one = inject(\(delay))
                local two = inject(\(delay))
                check_metric(metric.command { run = { "test", "-e", "\(marker)" }, measure = "exit_status", equals = 0 },
                  { within = "60s" })
                rollback(one)
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            try box.injected(2, by: runner)
            let both = try world.medianMilliseconds(about: 200)
            print("100 + 100 ms by two faults: \(both) ms")
            #expect((200...205).contains(both))
            try File.write("", to: marker)
            // The journal has the end of the first.
            #expect(eventually { box.openJournals().joined().contains { $0.entry == .reverted } })
            let rest = try world.medianMilliseconds(about: 100)
            print("one of them ended: \(rest) ms")
            #expect((100...105).contains(rest))
            let faults = try end(runner, of: world, before)
            #expect(
                faults.allSatisfy { figures($0)["requests_hit"] ?? 0 >= 10 },
                "\(faults.map(figures))"
            )
        }
    }

    @Test
    func `a share of requests is reset, and a body comes at its rate`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let before = try box.world(world.near, world.far)
            let target =
                "target = target.netns { name = \"\(world.near)\" }, port = 8080, direction = \"egress\""
            let file = try box.write(
                "cut.lua",
                """
                inject(fault.http.abort { \(target), path = "/cut" })
                inject(fault.http.bandwidth { \(target), path = "/big", rate = "1600kbit" })
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            try box.injected(2, by: runner)
            // 56: curl's "failure in receiving network data".
            let cut = try box.start(
                ["curl", "-s", "-m", "5", RequestWorld.url + "cut"],
                in: world.near
            )
            #expect(try cut.ended() == 56, "\(cut.output)\(cut.errors)")
            let format = "%{size_download} %{time_total} %{http_code}"
            let words = try world.curl(["-o", "/dev/null", "-w", format, RequestWorld.url + "big"])
                .split(separator: " ").compactMap { Double($0) }
            // 300,000 bytes at 200,000 a second, of which a twentieth of a second's comes at once.
            #expect(words.count == 3 && words[0] == 300_000 && words[2] == 200, "\(words)")
            #expect((1.3...2.0).contains(words.count == 3 ? words[1] : 0), "\(words)")
            #expect(try world.text(RequestWorld.url) == "ok", "others are not hit")
            let faults = try end(runner, of: world, before)
            #expect(faults.count == 2)
            #expect(
                faults.allSatisfy { figures($0)["requests_hit"] == 1 },
                "\(faults.map(figures))"
            )
            #expect(faults.allSatisfy { figures($0)["own_failures"] == nil })
        }
    }

    @Test
    func `an upstream that is down is told from injected errors`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let options = "port = 8085, direction = \"egress\", path = \"/hit\", status = 503"
            let runner = try world.hold(world.fault("error", in: world.near, options))
            let hit = try world.curl(["-i", "http://10.98.0.2:8085/hit"])
            #expect(hit.contains(" 503") && !hit.contains("x-moonquake-error"), "\(hit)")
            let own = try world.curl(["-i", "http://10.98.0.2:8085/"])
            #expect(own.contains(" 502"), "\(own)")
            #expect(
                own.contains("x-moonquake-error: upstream 10.98.0.2:8085: Connection refused"),
                "\(own)"
            )
            #expect(try box.moonquake("abort").code == 0)
            try runner.ended()
            let fault = try #require(try box.lastReport().faults.first)
            #expect(
                figures(fault)["requests_hit"] == 1 && figures(fault)["own_failures"] == 1,
                "\(fault)"
            )
            #expect(
                fault.measured?.seen.contains("1 failures that are not injected") == true,
                "\(fault)"
            )
        }
    }

    @Test(.rounds)
    func
        `when a fault ends what it keeps back goes on at once, and what the service works on is waited for`()
        throws
    {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let before = try box.world(world.near, world.far)
            // A service over connections that are kept.
            let slow = try box.write(
                "kept.py",
                """
                import http.server, time
                class Kept(http.server.BaseHTTPRequestHandler):
                    protocol_version = "HTTP/1.1"
                    def do_GET(self):
                        time.sleep(1.5 if self.path == "/slow" else 0)
                        self.send_response(200); self.send_header("Content-Length", "4"); self.end_headers()
                        self.wfile.write(b"done")
                    def log_message(self, *words): pass
                class Server(http.server.ThreadingHTTPServer):
                    def server_bind(self):
                        self.socket.bind(self.server_address); self.server_name, self.server_port = self.server_address
                Server(("10.98.0.2", 8086), Kept).serve_forever()
                """
            )
            let service = try box.start(["python3", slow], in: world.far)
            let url = "http://10.98.0.2:8086/"
            #expect(eventually { (try? world.text(url)) == "done" }, "\(service.errors)")
            let options = "port = 8086, direction = \"egress\", path = \"/kept\", delay = \"50s\""
            let runner = try world.hold(world.fault("latency", in: world.near, options))
            let arguments = ["curl", "-s", "-m", "30", "-w", " %{http_code} %{time_total}"]
            let kept = try box.start(arguments + [url + "kept"], in: world.near)
            let worked = try box.start(arguments + [url + "slow"], in: world.near)
            usleep(400_000)
            #expect(kept.exitCode == nil && worked.exitCode == nil)
            let began = ContinuousClock.now
            #expect(try box.moonquake("abort").code == 0)
            let took = (ContinuousClock.now - began).milliseconds
            print("reverted with requests under way in \(shown(took))")
            #expect(try kept.ended(within: .seconds(5)) == 0)
            #expect(kept.output.hasPrefix("done 200"), "\(kept.output)")
            #expect(try worked.ended(within: .seconds(5)) == 0)
            #expect(worked.output.hasPrefix("done 200"), "\(worked.output)")
            #expect(took < 4000, .ofFigure("a tunnel or a cut would take 5 s"))
            try runner.ended()
            #expect(try world.text(url + "kept") == "done")
            #expect(try box.lastReport().restoration == .restored)
            try box.expect(before, in: world.near, world.far)
        }
    }

    @Test
    func `a proxy has room for more connections than the soft limit of files`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let fault = world.fault(
                "error",
                in: world.near,
                "port = 8080, direction = \"egress\", path = \"/hit\""
            )
            let file = try box.write("many.lua", "inject(\(fault))\nwait '60s'")
            let command = "ulimit -Sn 256 && exec \"$@\""
            let words = [Moonquake.path, "run", file, "--state-dir", box.state]
            let runner = try box.start(["bash", "-c", command, "bash"] + words)
            try box.injected(1, by: runner)
            let many = try box.write(
                "many.py",
                """
                import socket
                held = []
                for number in range(400):
                    c = socket.create_connection(("10.98.0.2", 8080), 5)
                    c.settimeout(5)
                    c.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
                    assert c.recv(4096).startswith(b"HTTP/1.1 200"), number
                    held.append(c)
                print(len(held))
                """
            )
            let limit = "ulimit -Sn 2048 && exec python3 \(many)"
            // nginx has 256 connections of its own: more than one of them is asked.
            #expect(try box.tool("bash", "-c", limit, in: world.near) == "400\n")
            runner.signal(SIGINT)
            try runner.ended()
        }
    }

    @Test
    func `the host's own requests are met when the agent runs there`() throws {
        try Sandbox.with { box in
            let world = try RequestWorld(in: box)
            let file = try box.write(
                "host.lua",
                """
                inject(fault.http.error { target = target.host {}, port = 8080, status = 418 })
                wait "60s"
                """
            )
            let runner = try box.start(
                [Moonquake.path, "run", file, "--state-dir", box.state],
                in: world.near
            )
            try box.injected(1, by: runner)
            #expect(try world.status() == "418")
            #expect(try world.status(from: world.far) == "200", "the host of another namespace")
            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            #expect(try world.status() == "200")
            #expect(try box.hasNoTableOfOurs(world.near))
        }
    }
}

@Suite(
    .serialized,
    .root,
    .enabled(
        if: access("/usr/lib/python3/dist-packages/grpc", F_OK) == 0,
        "SKIPPED: needs python3-grpcio: run make setup"
    )
)
struct CallKindTests {
    private static let server = """
        import grpc, time
        from concurrent import futures
        def unary(request, context):
            return request[::-1]
        def stream(request, context):
            for n in range(int(request)):
                yield b"x"
        handler = grpc.method_handlers_generic_handler("t.T", {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Stream": grpc.unary_stream_rpc_method_handler(stream),
        })
        server = grpc.server(futures.ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers((handler,))
        server.add_insecure_port("10.98.0.2:8087")
        server.start()
        print("serving", flush=True)
        time.sleep(300)
        """

    private static let client = """
        import grpc, time
        c = grpc.insecure_channel("10.98.0.2:8087")
        def status(method):
            began = time.monotonic()
            try:
                what = c.unary_unary("/t.T/" + method)(b"ab").decode()
            except grpc.RpcError as e:
                what = e.code().name + " " + e.details()
            return f"{what} {time.monotonic() - began:.3f}"
        print(status("Unary"))
        print(sum(len(m) for m in c.unary_stream("/t.T/Stream")(b"500")))
        """

    @Test
    func `calls fail with code and message or come late, and streams are left alone`() throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let server = try box.start(["/usr/bin/python3", "-c", Self.server], in: far)
            #expect(eventually { server.output.contains("serving") }, "\(server.errors)")
            func calls() throws -> [String] {
                try box.tool("/usr/bin/python3", "-c", Self.client, in: near)
                    .split(separator: "\n").map(String.init)
            }
            /// What the first call said, and how many seconds it took: with its connection, under load half a second more.
            func isFirst(_ lines: [String], _ text: String, _ seconds: Range<Double>) -> Bool {
                guard let line = lines.first, line.hasPrefix(text + " ") else { return false }
                return seconds.contains(Double(line.dropFirst(text.count + 1)) ?? .infinity)
            }
            #expect(isFirst(try calls(), "ba", 0..<2))
            let target =
                "target = target.netns { name = \"\(near)\" }, port = 8087, direction = \"egress\", path = \"*/Unary\""
            for (fault, text, least) in [
                (
                    "error { \(target), code = \"RESOURCE_EXHAUSTED\", message = \"100 % ü\" }",
                    "RESOURCE_EXHAUSTED 100 % ü", 0
                ),
                ("latency { \(target), delay = \"3s\" }", "ba", 3.0),
            ] {
                let file = try box.write("call.lua", "inject(fault.grpc.\(fault))\nwait '60s'")
                let runner = try box.begin("run", file)
                try box.injected(1, by: runner)
                let lines = try calls()
                #expect(isFirst(lines, text, least..<least + 2), "\(lines)")
                #expect(lines.last == "500", "\(lines)")
                #expect(try box.moonquake("abort").code == 0)
                try runner.ended()
                let report = try box.lastReport()
                let figures = report.faults.first?.measured?.figures ?? []
                #expect(figures.first { $0.name == "requests_hit" }?.value == 1, "\(figures)")
                #expect(figures.first { $0.name == "requests_seen" }?.value == 2, "\(figures)")
                #expect(report.restoration == .restored)
                #expect(isFirst(try calls(), "ba", 0..<2))
                try box.expect(before, in: near, far)
            }
        }
    }
}
