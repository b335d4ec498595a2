// The set-up of scripts/practice.sh under names and ports of one test, and the experiments aimed at it.

import Glibc
import TestSupport

/// Real services for the experiments of scripts/experiments.
struct Practice {
    let web: String
    let data: String
    let port: Int
    /// Copies of the experiments.
    let experiments: String
    let program: Program
}

extension Sandbox {
    /// Starts the set-up and waits until every service answers.
    func practice() throws -> Practice {
        let name = "mqe-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        let port = try freePorts(5)
        let experiments = folder + "/experiments"
        for name in ["experiments", "gamedays"] {
            try tool("cp", "-R", "\(Moonquake.tree)/scripts/\(name)", folder)
        }
        let place = experiments + "/practice/place.lua"
        let text = (File.text(place) ?? "").replacing(
            "local name = \"practice\"",
            with: "local name = \"\(name)\""
        )
        .replacing("local port = 18080", with: "local port = \(port)")
        try File.write(text, to: place)
        adopt(namespaces: ["\(name)-web", "\(name)-data"])
        adopt(mount: "/run/\(name)-scratch")
        let program = try start(
            [Moonquake.tree + "/scripts/practice.sh", "--name", name, "--port", "\(port)"],
            environment: Program.environment.merging(["TMPDIR": folder]) { $1 }
        )
        guard eventually(within: .seconds(40), holds: { program.output.contains("ready") }) else {
            throw SetUpError("practice.sh is not ready: \(program.errors)")
        }
        return Practice(
            web: "\(name)-web",
            data: "\(name)-data",
            port: port,
            experiments: experiments,
            program: program
        )
    }

    /// The first of so many ports of the loopback on which nobody listens.
    func freePorts(_ count: Int) throws -> Int {
        for _ in 0..<100 {
            let first = Int.random(in: 20_000...30_000)
            if (first..<first + count).allSatisfy(Self.isFree) { return first }
        }
        throw SetUpError("no \(count) free ports in a row")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        } == 0
    }
}
