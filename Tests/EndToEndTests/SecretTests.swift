// A secret that a script does its best to leak is in nothing that is written.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct SecretTests {
    private static let secret = #"hun"ter<2>&token=9"#

    private static let script = """
        local token = secret "MQ_TOKEN"
        print("printed " .. token)
        experiment "the secret stays one" {
          owner = token, hypothesis = "it is " .. token, tags = { token },
          steady_state = {
            every = "100ms", warmup = "200ms",
            metrics = {
              said = metric.command { run = { "/bin/echo", token }, no_data = "ignore" },
              asked = metric.http {
                url = "http://127.0.0.1:1/", headers = { Authorization = token }, rate = "10/s", no_data = "ignore",
              },
            },
          },
          run = function()
            print("in the body " .. token)
            observe("seen " .. token)
            inject(fault.noop { target = target.host {} })
            wait "300ms"
            error("failed with " .. token)
          end,
        }
        """

    /// What of a secret must not be anywhere: itself, and as it would be escaped.
    private static let forms = [
        "hun\"ter", "hun\\\"ter", "hun&quot;ter", "hun%22ter", "ter<2>", "ter&lt;2", "token=9",
    ]

    @Test
    func `it is masked in journal, log, reports, events and errors`() throws {
        try Sandbox.with { box in
            let script = try box.write("x.lua", Self.script)
            let files = ["r.html", "r.md", "r.xml", "r.json"].map { "\(box.folder)/\($0)" }
            let arguments = ["run", script] + files.flatMap { ["--report", $0] }
            let environment = Program.environment.merging(["MQ_TOKEN": Self.secret]) { $1 }
            for more in [[], ["--json"]] {
                let run = try box.moonquake(arguments + more, environment: environment)
                #expect(run.code == 2, "\(run.errors)\(run.output)")
                for text in [run.output, run.errors] { Self.expectNoSecret(in: text) }
                #expect((run.output + run.errors).contains("[secret MQ_TOKEN]"))
            }
            for file in files {
                let text = File.text(file) ?? ""
                Self.expectNoSecret(in: text)
                #expect(text.contains("secret MQ"), "\(file)")
            }
            let listed = try box.tool("find", box.state, "-type", "f")
            let kept = listed.split(separator: "\n").map(String.init)
            #expect(
                kept.contains { $0.contains("/runs/") }
                    && kept.contains { $0.contains("/journals/") }
            )
            for file in kept { Self.expectNoSecret(in: File.text(file) ?? "") }
            let report = try box.lastReport()
            #expect(report.error?.message.contains("failed with [secret MQ_TOKEN]") == true)
            #expect(report.definition.owner == "[secret MQ_TOKEN]")
        }
    }

    private static let day = """
        local token = secret "MQ_TOKEN"
        local it = experiment("it is " .. token) {
          run = function()
            observe("seen " .. token)
            inject(fault.noop { target = target.host {} })
          end,
        }
        gameday("the day of " .. token) {
          owner = token,
          experiments = { it },
          approval = "day",
          notify = {
            notify.command { run = { "/bin/dd", "status=none", "oflag=append", "conv=notrunc", "of=" .. NOTICES } },
            notify.webhook { url = "http://127.0.0.1:1/" .. token, headers = { Authorization = token } },
            notify.command { run = { "/bin/sh", "-c", "echo $0 >&2; exit 1", token } },
          },
          run = function(day)
            day.observe("noted " .. token)
            day.approve("more of " .. token)
            day.experiment(it)
          end,
        }
        """

    @Test
    func `it is masked in the notices, the audit trail and the reports of a GameDay`() throws {
        try Sandbox.with { box in
            let notices = "\(box.folder)/notices"
            let text = Self.day.replacing("NOTICES", with: "\"\(notices)\"")
            let script = try box.write("day.lua", text)
            let files = ["d.html", "d.md", "d.xml", "d.json"].map { "\(box.folder)/\($0)" }
            let environment = Program.environment.merging(["MQ_TOKEN": Self.secret]) { $1 }
            let day = try box.begin(
                ["gameday", "run", script] + files.flatMap { ["--report", $0] },
                environment: environment
            )
            for gate in 1...2 {
                let isAsked = eventually(within: .seconds(30)) {
                    day.errors.contains("-gate\(gate)")
                }
                #expect(isAsked, "\(day.errors)")
                let waiting = try box.tool("find", box.state, "-type", "f")
                for file in waiting.split(separator: "\n") {
                    Self.expectNoSecret(in: File.text(String(file)) ?? "")
                }
                let yes = try box.moonquake("approve", "--comment", "go")
                #expect(yes.code == 0, "\(yes.errors)")
            }
            #expect(try day.ended(within: .seconds(120)) == 7, "\(day.errors)")
            let kept = try box.tool("find", box.state, "-type", "f").split(separator: "\n")
            #expect(kept.contains { $0.contains("/gamedays/") })
            for file in kept.map(String.init) + files + [notices] {
                let text = File.text(file) ?? ""
                Self.expectNoSecret(in: text)
                if files.contains(file) || file == notices {
                    #expect(text.contains("secret MQ"), "\(file)")
                }
            }
            for text in [day.output, day.errors] { Self.expectNoSecret(in: text) }
        }
    }

    @Test
    func `it is masked in the message about a wrong definition`() throws {
        try Sandbox.with { box in
            let script = try box.write(
                "x.yaml",
                """
                name: x
                steady_state:
                  metrics: { m: { http: { url: { secret: MQ_TOKEN }, below: 1% } } }
                faults: [ noop: { target: { host: {} } } ]
                duration: 1s
                """
            )
            let environment = Program.environment.merging(["MQ_TOKEN": Self.secret]) { $1 }
            let check = try box.moonquake(["check", script], environment: environment)
            #expect(check.code == 2)
            Self.expectNoSecret(in: check.errors)
            #expect(check.errors.contains("[secret MQ_TOKEN]"), "\(check.errors)")
        }
    }

    private static func expectNoSecret(in text: String) {
        for form in forms { #expect(!text.contains(form), "\(form) is in: \(text.prefix(4000))") }
    }
}
