// A real resolver in a namespace of the test, and clients beside it.

import Glibc
import TestSupport

/// Two namespaces, a dnsmasq at the far end, and files in which the near end's programs find it.
struct NameWorld {
    let box: Sandbox
    let near: String
    let far: String
    let server: Program

    static let resolver = "10.98.0.2"

    /// Starts the resolver and waits until it answers.
    init(in box: Sandbox) throws {
        self.box = box
        (near, far) = try box.network()
        let long = (0..<12).map {
            "txt-record=long.test,\(String(repeating: "x", count: 180))\($0)"
        }
        let configuration = try box.write(
            "dnsmasq.conf",
            ([
                "port=53", "no-resolv", "no-hosts", "bind-interfaces", "cache-size=0", "user=root",
                "listen-address=10.98.0.2", "listen-address=fd98::2", "pid-file=",
                "local=/test/", "edns-packet-max=4096",
                "host-record=db.test,10.98.0.2,fd98::2", "host-record=a.shop.test,10.98.0.7",
                "host-record=allow.test,10.98.0.8", "txt-record=short.test,hello",
                "mx-host=db.test,mail.test,10",
            ] + long).joined(separator: "\n") + "\n"
        )
        server = try box.start(["dnsmasq", "-k", "--conf-file=\(configuration)"], in: far)
        try box.namesFiles(of: near, ["resolv.conf": "nameserver \(Self.resolver)\n"])
        let (near, box) = (near, box)
        guard eventually(holds: { Self.dig("db.test", in: near, box) == ["10.98.0.2"] }) else {
            throw SetUpError("dnsmasq does not answer: \(server.output)\(server.errors)")
        }
    }

    /// What dig prints of an answer, its lines sorted; the status in front when it is an error.
    func dig(_ arguments: String...) -> [String] { Self.dig(arguments, in: near, box) }

    private static func dig(_ arguments: String..., in near: String, _ box: Sandbox) -> [String] {
        dig(arguments, in: near, box)
    }

    private static func dig(_ arguments: [String], in near: String, _ box: Sandbox) -> [String] {
        let options = ["+time=1", "+tries=1", "+noall", "+comments", "+answer"]
        let server = arguments.contains { $0.hasPrefix("@") } ? [] : ["@\(resolver)"]
        guard let program = try? box.start(["dig"] + options + server + arguments, in: near),
            (try? program.ended()) != nil
        else { return ["failed"] }
        if program.output.contains("no servers could be reached") { return ["silence"] }
        let lines = program.output.split(separator: "\n").map(String.init)
        let status = lines.first { $0.contains("status: ") }
            .flatMap { $0.firstMatch(of: /status: (\w+)/) }.map { String($0.1) }
        guard status == "NOERROR" else { return [status ?? "nothing: \(program.output)"] }
        return lines.filter { !$0.hasPrefix(";") && !$0.isEmpty }
            .map { $0.split(whereSeparator: \.isWhitespace).dropFirst(4).joined(separator: " ") }
            .sorted()
    }

    /// The addresses that programs of the near end find for a name, by getaddrinfo.
    func getaddrinfo(_ name: String) -> [String] {
        guard let program = try? box.start(["getent", "ahosts", name], in: near),
            (try? program.ended(within: .seconds(20))) != nil
        else { return ["failed"] }
        let words = program.output.split(separator: "\n").compactMap {
            $0.split(separator: " ").first.map(String.init)
        }
        return Set(words).sorted()
    }

    /// Runs an experiment's body to its end while `body` looks on; returns how it ended.
    func during<Value>(
        _ fault: String,
        hold: String = "60s",
        _ body: (Program) throws -> Value
    ) throws -> Value {
        let script = """
            local f = inject(fault.dns.\(fault.replacing("NEAR", with: "target = target.netns { name = \"\(near)\" }")))
            wait "\(hold)"
            """
        let file = try box.write("names-\(UInt32.random(in: .min ... .max)).lua", script)
        let runner = try box.begin("run", file)
        try box.injected(1, by: runner)
        defer {
            runner.signal(SIGINT)
            _ = try? runner.ended()
        }
        return try body(runner)
    }
}

extension Sandbox {
    /// Files that stand for those of /etc in a namespace, as `ip netns exec` has it; removed with the test.
    func namesFiles(of namespace: String, _ files: [String: String]) throws {
        let folder = "/etc/netns/\(namespace)"
        try tool("mkdir", "-p", folder)
        for (name, text) in files { try File.write(text, to: "\(folder)/\(name)") }
        adopt(folder: folder)
    }
}
