// `gameday "title" {…}`: what a file says becomes the definition, and its function drives a day whose steps are written
// down here instead of being done.

import ChaosGameDay
import ChaosModel
import ChaosScript
import Synchronization
import TestSupport
import Testing

@Suite
struct `A GameDay in Lua` {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    /// Controls that write down the steps, and answer that an experiment ended as it is told.
    private final class Day: DayControls {
        private let steps = Mutex<[String]>([])
        private let outcomes: [String: GameDayReport.Outcome]
        private let refused: String?

        init(_ outcomes: [String: GameDayReport.Outcome] = [:], refusing subject: String? = nil) {
            self.outcomes = outcomes
            refused = subject
        }

        var log: [String] { steps.withLock { $0 } }

        private func note(_ step: String) { steps.withLock { $0.append(step) } }

        func experiment(
            _ reference: ExperimentReference
        ) async throws(DayHalt) -> GameDayReport.Row {
            note("experiment \(reference)")
            var row = GameDayReport.Row(
                reference,
                title: "\(reference)",
                outcome: outcomes["\(reference)"] ?? .held,
                reason: "p99 was 2s"
            )
            row.runID = "run-7"
            row.recoveredAfterMs = 1500
            return row
        }

        func pause(_ span: Duration) async throws(DayHalt) { note("pause \(span.spelled)") }

        func approve(_ subject: String) async throws(DayHalt) {
            note("approve \(subject)")
            if subject == refused { throw DayHalt("\(subject) was rejected") }
        }

        func observe(_ text: String) async { note("observe \(text)") }
        func log(_ text: String) async { note("log \(text)") }
    }

    private func load(_ text: String) async throws -> LoadedGameDay {
        let file = try folder.write(text)
        return try #require(try await folder.loader().loadGameDay(file: file))
    }

    private func refusal(_ text: String) async -> String {
        do {
            return "accepted: \(try await load(text).definition.name)"
        } catch let error as ScriptError {
            return folder.short(error.description)
        } catch {
            return "\(error)"
        }
    }

    /// How the function of a day ends; nil when it comes to its end.
    private func end(of text: String, _ day: Day) async throws -> DayHalt? {
        let body = try await load(text).body
        do throws(DayHalt) {
            try await body.run(day)
            return nil
        } catch {
            return error
        }
    }

    @Test
    func `every option is in the definition`() async throws {
        let day = try await load(
            """
            gameday "checkout rehearsal" {
              owner = "payments", description = "what it is for", tags = { "checkout" },
              experiments = {
                "checkout-slow-db", catalog "kill-one@3",
                experiment "the third" { run = function() inject(fault.noop { target = target.host {} }) end },
              },
              pause = "5m", recovery = "7m",
              health = steady_state { metrics = { errors = metric.http { url = "http://10.9.0.2/", below = "1%" } } },
              approval = "each", approvers = 2, approval_timeout = "20m",
              notify = {
                notify.webhook "https://hooks.example.org/T0",
                notify.email { to = "sre@example.org", from = "moon@example.org", via = "smtps://mail.example.org" },
                notify.command { run = { "/bin/page", "-x" } },
              },
              schedule = { every = "week", on = "tuesday", at = "10:00", zone = "Europe/Oslo", only_between = "09:00-16:00" },
            }
            """
        )
        let found = day.definition
        #expect(found.name == "checkout rehearsal" && found.owner == "payments")
        #expect(found.description == "what it is for" && found.tags == ["checkout"])
        #expect(
            found.experiments == [
                .named("checkout-slow-db"), .catalogued(name: "kill-one", version: 3),
                .inline(title: "the third"),
            ]
        )
        #expect(day.inline.map(\.definition.name) == ["the third"])
        #expect(found.pauseMs == 300_000 && found.recoveryMs == 420_000)
        #expect(found.health?.metrics.map(\.name) == ["errors"])
        #expect(
            found.approval == ApprovalRule(scope: .each, approvers: 2, timeoutMs: 1_200_000)
        )
        let email = Notifier.Email(
            to: ["sre@example.org"],
            from: "moon@example.org",
            via: "smtps://mail.example.org"
        )
        #expect(
            found.notifiers == [
                .webhook(url: "https://hooks.example.org/T0", headers: [:]), .email(email),
                .command(["/bin/page", "-x"]),
            ]
        )
        let tuesday = Schedule(
            .weekly(on: [.tuesday], at: [try #require(TimeOfDay("10:00"))]),
            zone: "Europe/Oslo",
            window: DailyWindow("09:00-16:00")
        )
        #expect(found.schedule == tuesday)
        #expect(!found.hasBody)
    }

    @Test
    func `a function drives the day with what it is told`() async throws {
        let day = Day(["first": .deviated])
        let end = try await end(
            of: """
                gameday "x" {
                  experiments = { "first", "second" },
                  run = function(day)
                    observe "the queue is empty"
                    local row = day.experiment "first"
                    log(row.title, row.outcome, row.held, row.reason, row.run_id, row.recovered_after)
                    day.pause "90s"
                    day.approve "the harsh one"
                    if day.experiment("second").held then day.observe("all well") end
                  end,
                }
                """,
            day
        )
        #expect(end == nil, "\(end?.reason ?? "")")
        let steps = day.log.map { $0.replacing("\t", with: " ") }
        #expect(
            steps == [
                "observe the queue is empty", "experiment first",
                "log first deviated false p99 was 2s run-7 1.5", "pause 1m30s",
                "approve the harsh one", "experiment second", "observe all well",
            ]
        )
    }

    @Test
    func `a halt ends the function, whatever it catches`() async throws {
        let day = Day(refusing: "the harsh one")
        let end = try await end(
            of: """
                gameday "x" {
                  experiments = { "first" },
                  run = function(day)
                    pcall(day.approve, "the harsh one")
                    day.experiment "first"
                  end,
                }
                """,
            day
        )
        #expect(end == DayHalt("the harsh one was rejected"))
        #expect(day.log == ["approve the harsh one"])
    }

    @Test(arguments: [
        (
            "day.pause(5)",
            "day.pause: expects a duration such as \"5m\", at most 24h, got the number 5"
        ),
        ("inject(fault.noop { target = target.host {} })", "inject"),
        ("error 'the script is wrong'", "the script is wrong"),
    ])
    func `an error in the function halts the day as a wrong definition`(
        _ step: String,
        _ text: String
    ) async throws {
        let script =
            "gameday \"x\" { experiments = { \"first\" }, run = function(day) \(step) end }"
        let halt = try #require(try await end(of: script, Day()))
        #expect(halt.code == .definition)
        #expect(halt.reason.contains(text) && halt.reason.contains("x.lua:1"), "\(halt.reason)")
    }

    @Test(arguments: [
        (
            "webhook 'hooks.example.org'",
            "url must begin with https:// or http://, got \"hooks.example.org\""
        ),
        (
            "webhook { url = 'https://x/\\n' }",
            "url must be 1 to 4096 bytes without control characters"
        ),
        (
            "email { to = 'a@b', via = 'mail.example.org' }",
            "via must begin with smtps:// or smtp://"
        ),
        (
            "email { to = 'a@b\\r\\nRCPT TO:<c@d>', via = 'smtps://m' }",
            "to must be 1 to 4096 bytes without"
        ),
        (
            "email { to = 'a@b', via = 'smtps://m', user = 'u' }",
            "user and password go together: give both or none"
        ),
        ("command { run = {} }", "run "),
    ])
    func `wrong notifiers are refused in words`(_ notifier: String, _ text: String) async {
        let found = await refusal(
            "gameday \"x\" { experiments = { 'a' }, notify = { notify.\(notifier) } }"
        )
        let name = notifier.prefix { $0.isLetter }
        #expect(found.hasPrefix("notify.\(name): \(text)"), "\(found)")
    }

    @Test
    func `an email needs no more than who gets it and by which way`() async throws {
        let day = try await load(
            """
            gameday "x" {
              experiments = { "a" }, notify = notify.email { to = "sre@example.org", via = "smtps://mail.example.org" },
            }
            """
        )
        let email = Notifier.Email(
            to: ["sre@example.org"],
            from: "moonquake@localhost",
            via: "smtps://mail.example.org"
        )
        #expect(day.definition.notifiers == [.email(email)])
    }

    @Test(arguments: [
        (
            "",
            "experiments must be a list: write experiments = { \"slow-database\", catalog \"kill-one@3\" }, got nothing"
        ),
        ("experiments = { 'a', 'a' }", "experiments names a twice: give each experiment once"),
        (
            "experiments = { 7 }",
            "experiments must name files, entries of the catalogue or experiments, got the number 7"
        ),
        (
            "experiments = { 'a' }, approvers = 2",
            "approvers needs approval: write approval = \"day\" or approval = \"each\""
        ),
        (
            "experiments = { 'a' }, approval = 'all'",
            "approval must be one of \"day\", \"each\", got \"all\""
        ),
        ("experiments = { 'a' }, health = { metrics = {} }", "health watches no metric"),
        (
            "experiments = { 'a' }, health = { metrics = { m = metric.lua { function() return 1 end, above = 0 } } }",
            "health cannot use metric.lua: a GameDay's function is not there between experiments"
        ),
        (
            "experiments = { 'a' }, notify = 'me'",
            "notify must be a list: write notify = { notify.webhook \"https://…\" }, got a string \"me\""
        ),
        (
            "experiments = { 'a' }, pause = 5",
            "pause needs a unit: write \"5s\", got the bare number 5"
        ),
        (
            "experiments = { 'a' }, shedule = {}",
            "unknown option \"shedule\"; did you mean \"schedule\"?"
        ),
    ])
    func `wrong options are refused in words`(_ options: String, _ text: String) async {
        let found = await refusal("gameday \"x\" { \(options) }")
        #expect(found == "gameday: \(text) (x.lua:1)")
    }
}
