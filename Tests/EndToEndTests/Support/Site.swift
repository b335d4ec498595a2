// A real service for GameDays: nginx in a namespace, and experiments that end in every way on the path to it.

import ChaosGameDay
import ChaosModel
import TestSupport
import Testing

/// A web server in a namespace, and experiments on the way to it.
struct Site {
    let box: Sandbox
    let near: String

    init(_ box: Sandbox) throws {
        self.box = box
        let (near, far) = try box.network()
        self.near = near
        let configuration = try box.write(
            "nginx.conf",
            """
            daemon off; master_process off; pid \(box.folder)/nginx.pid; error_log stderr crit;
            events { worker_connections 512; }
            http {
                access_log off; client_body_temp_path \(box.folder)/b; proxy_temp_path \(box.folder)/p;
                fastcgi_temp_path \(box.folder)/f; uwsgi_temp_path \(box.folder)/u; scgi_temp_path \(box.folder)/s;
                server { listen 10.98.0.2:8080; location / { return 200 "ok"; } }
            }
            """
        )
        try box.start(
            ["/usr/sbin/nginx", "-p", box.folder, "-e", "stderr", "-c", configuration],
            in: far
        )
        try write("slow", fault: "fault.network.latency { delay = \"5ms\", \(target) }")
        try write("slower", fault: "fault.network.latency { delay = \"9ms\", \(target) }")
        try write("thrice", fault: "fault.network.duplicate { percent = \"30%\", \(target) }")
        try write("twice", fault: "fault.network.duplicate { percent = \"20%\", \(target) }")
        try write("cut", fault: "fault.network.partition { \(target) }")
        try write("long", fault: "fault.network.partition { \(target) }", wait: "6s")
        try write("abort", fault: "fault.network.partition { \(target) }", abortAbove: "50%")
    }

    var target: String { "target = target.netns { name = \"\(near)\" }, to = \"10.98.0.2\"" }

    func write(
        _ name: String,
        fault: String,
        wait: String = "2s",
        abortAbove: String? = nil
    ) throws {
        let abort = abortAbove.map { ", abort_above = \"\($0)\"" } ?? ""
        _ = try box.write(
            "\(name).lua",
            """
            experiment "\(name)" {
              steady_state = { every = "200ms", warmup = "1s", recovery = "20s", metrics = {
                error_rate = metric.http {
                  url = "http://10.98.0.2:8080/", netns = "\(near)", rate = "20/s", timeout = "300ms", window = "1s",
                  below = "10%"\(abort),
                } } },
              run = function() inject(\(fault)) wait "\(wait)" end,
            }
            """
        )
    }

    func gameDay(experiments: [String], _ rest: String = "") throws -> String {
        let names = experiments.map { "\"\($0)\"" }.joined(separator: ", ")
        return try box.write(
            "gameday.lua",
            "gameday \"the site\" { experiments = { \(names) }, \(rest) }"
        )
    }
}

extension Sandbox {
    /// Two experiments that touch nothing and hold, beside a GameDay of them.
    func harmlessDay(_ options: String, experiments names: [String] = ["one", "two"]) throws
        -> String
    {
        for name in names {
            _ = try write(
                "\(name).lua",
                """
                experiment "\(name)" {
                  steady_state = { every = "100ms", metrics = { well = metric.lua { function() return 1 end, above = 0 } } },
                  faults = { fault.noop { target = target.host {} } }, duration = "500ms",
                }
                """
            )
        }
        let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
        return try write(
            "day.lua",
            "gameday \"rehearsal\" { experiments = { \(list) }, \(options) }"
        )
    }

    /// Says yes from elsewhere, as soon as a day asks.
    func approve(_ day: Program) throws {
        let isAsked = eventually(within: .seconds(60)) { day.errors.contains("moonquake approve") }
        try #require(isAsked, "\(day.output)\(day.errors)")
        let yes = try moonquake("approve", "--comment", "go")
        #expect(yes.code == 0, "\(yes.errors)")
    }

    /// The report of a day in a file.
    func gameDay(_ path: String) throws -> GameDayReport {
        try WireJSON.value(GameDayReport.self, from: try #require(File.text(path)))
    }

    /// The reports of the days in the state directory, the oldest first.
    func gameDays() throws -> [GameDayReport] {
        let folder = state + "/gamedays"
        return try File.names(in: folder).filter { $0.hasSuffix(".json") }
            .map { try gameDay("\(folder)/\($0)") }
    }

    /// The surroundings of somebody else who answers through sudo.
    func person(_ name: String) -> [String: String] {
        Program.environment.merging(["SUDO_USER": name]) { $1 }
    }
}
