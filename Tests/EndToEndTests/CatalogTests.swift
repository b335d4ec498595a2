// The catalogue with the real program: what is run is what was stored, whatever happens to files; and two programs on one
// state directory.

import ChaosGameDay
import ChaosModel
import Glibc
import Testing

@Suite(.serialized)
struct CatalogTests {
    private static func experiment(
        _ title: String,
        _ rest: String = "",
        fault: String = "fault.noop { target = target.host {} }"
    ) -> String {
        """
        local amount = require "lib.amount"
        local given = params { bound = { type = "number", default = 5 } }
        experiment "\(title)" {
          tags = { "catalogue" },
          steady_state = { every = "100ms", metrics = { amount = metric.lua { function() return amount end, below = 5 } } },
          run = function()
            inject(\(fault))
            wait "300ms"
          end,
        }
        \(rest)
        """
    }

    /// A definition with a module beside it.
    private func write(_ box: Sandbox, _ text: String, module: String = "return 3\n") throws
        -> String
    {
        mkdir(box.folder + "/lib", 0o755)
        _ = try box.write("lib/amount.lua", module)
        return try box.write("kill-one.lua", text)
    }

    private func report(_ box: Sandbox, _ file: String) throws -> RunReport {
        try WireJSON.value(RunReport.self, from: try #require(File.text(file)))
    }

    @Test
    func `what is run is the stored definition with its modules, whatever became of the files`()
        throws
    {
        try Sandbox.with { box in
            let text = Self.experiment("kill one")
            let file = try write(box, text)
            let bytes = try #require(File.text(file))
            let added = try box.moonquake("catalog", "add", file)
            #expect(added.code == 0, "\(added.errors)")
            #expect(added.output.hasPrefix("kill-one@1 sha256:"))
            #expect(added.output.hasSuffix(", with 1 module\n"))
            let again = try box.moonquake("catalog", "add", file)
            #expect(again.output.contains("kill-one@1 sha256:"))
            #expect(again.output.contains("has this content already"))

            // Another comment is another version; another module too; and then nothing of it is left on disk.
            _ = try write(box, text + "-- why\n")
            #expect(try box.moonquake("catalog", "add", file).output.hasPrefix("kill-one@2 "))
            _ = try write(box, text + "-- why\n", module: "return 7\n")
            #expect(try box.moonquake("catalog", "add", file).output.hasPrefix("kill-one@3 "))
            unlink(box.folder + "/lib/amount.lua")
            unlink(file)

            let shown = try box.moonquake("catalog", "show", "kill-one@1")
            #expect(shown.output == bytes)
            #expect(shown.errors == "with the module lib/amount.lua\n")
            let module = try box.moonquake(
                "catalog",
                "show",
                "kill-one",
                "--module",
                "lib/amount.lua"
            )
            #expect(module.output == "return 7\n")
            let difference = try box.moonquake("catalog", "diff", "kill-one@2", "kill-one@3").output
            #expect(
                difference == """
                    --- kill-one@2/lib/amount.lua
                    +++ kill-one@3/lib/amount.lua
                    @@ -1 +1 @@
                    -return 3
                    +return 7

                    """
            )
            let comment = try box.moonquake("catalog", "diff", "kill-one@1", "kill-one@2").output
            #expect(comment.contains("--- kill-one@1\n+++ kill-one@2\n"))
            #expect(comment.contains("\n+-- why\n"))
            let list = try box.moonquake("catalog", "list").output.split(separator: "\n")
            #expect(list.map { $0.prefix(10) } == ["kill-one@3", "kill-one@2", "kill-one@1"])
            #expect(list.allSatisfy { $0.hasSuffix("\"kill one\"") })

            let check = try box.moonquake("check", "--plan", "kill-one@1")
            #expect(check.code == 0, "\(check.errors)")
            #expect(check.output.contains("kill-one@1: \"kill one\" is well-formed"))
            let held = try box.moonquake("run", "kill-one@1", "--report", box.folder + "/1.json")
            #expect(held.code == 0, "\(held.output)\(held.errors)")
            let first = try report(box, box.folder + "/1.json")
            #expect(first.definition.version == 1)
            #expect(first.definition.file == "kill-one@1")
            let digest = try #require(added.output.split(separator: " ").dropFirst().first)
            #expect(first.definition.digest == digest.replacing(",", with: ""))
            // The newest has the module with which nothing is healthy.
            #expect(try box.moonquake("run", "kill-one").code == 5)
            #expect(
                try box.moonquake("runs", "--definition", "kill-one@1").output.split(
                    separator: "\n"
                ).count == 1
            )
            #expect(
                try box.moonquake("runs", "--definition", "kill-one").output.split(separator: "\n")
                    .count == 2
            )
        }
    }

    @Test
    func `a name or version that is not there is refused with what there is`() throws {
        try Sandbox.with { box in
            let empty = try box.moonquake("run", "kill-one@1")
            #expect(empty.code == 2)
            #expect(empty.errors.contains("there is no file kill-one@1, and the catalogue"))
            #expect(empty.errors.contains("it is empty"))
            let file = try write(box, Self.experiment("x"))
            #expect(try box.moonquake("catalog", "add", file).code == 0)
            for command in [["run"], ["check"], ["catalog", "show"]] {
                let name = try box.moonquake(command + ["kil-one"])
                #expect(name.code == 2)
                #expect(name.errors.contains("did you mean \"kill-one\"?"), "\(name.errors)")
                let version = try box.moonquake(command + ["kill-one@9"])
                #expect(version.code == 2)
                #expect(version.errors.contains("the newest version is kill-one@1"))
            }
            #expect(
                try box.moonquake("run", "kil-one.lua").errors.contains("cannot read kil-one.lua")
            )
            #expect(try box.moonquake("catalog", "add", file, "--name", "../x").code == 2)
        }
    }

    @Test
    func `a module whose name is computed is not kept, and that is said before anything is stored`()
        throws
    {
        try Sandbox.with { box in
            let file = try write(
                box,
                Self.experiment("x", "local name = \"more\"; require(\"lib.\" .. name)")
            )
            _ = try box.write("lib/more.lua", "return 1")
            #expect(try box.moonquake("check", file).code == 0)
            let added = try box.moonquake("catalog", "add", file)
            #expect(added.code == 2)
            #expect(added.errors.contains("only the modules that it names literally are kept"))
            #expect(try box.moonquake("catalog", "list").output.isEmpty)
        }
    }

    @Test
    func `a past run is run again with its definition, parameters and seed`() throws {
        try Sandbox.with { box in
            let file = try write(box, Self.experiment("one more"))
            let run = try box.moonquake(
                "run",
                file,
                "--seed",
                "77",
                "--param",
                "bound=4.5",
                "--report",
                box.folder + "/1.json"
            )
            #expect(run.code == 0, "\(run.output)\(run.errors)")
            _ = try write(box, "error('not this one')", module: "error('nor this')")
            let again = try box.moonquake(
                "run",
                "--again",
                "last",
                "--report",
                box.folder + "/2.json"
            )
            #expect(again.code == 0, "\(again.output)\(again.errors)")
            let first = try report(box, box.folder + "/1.json")
            let second = try report(box, box.folder + "/2.json")
            #expect(second.definition == first.definition)
            #expect(second.definition.parameters == ["bound": .number(4.5)])
            #expect(second.seed == 77)
            #expect(second.runID != first.runID)
            let other = try box.moonquake(
                "run",
                "--again",
                first.runID,
                "--param",
                "bound=2",
                "--report",
                box.folder + "/3.json"
            )
            #expect(other.code == 0)
            #expect(
                try report(box, box.folder + "/3.json").definition.parameters == [
                    "bound": .number(2)
                ]
            )
            let both = try box.moonquake("run", file, "--again", "last")
            #expect(both.code == 2)
            #expect(both.errors.contains("give a definition, or --again RUN"))
            #expect(try box.moonquake("run", "--again", "20200101-000000-000000").code == 2)
        }
    }

    @Test
    func `of runs that began in one second, the last is the one that began last`() throws {
        try Sandbox.with { box in
            let file = try write(box, Self.experiment("one second"))
            let path = box.folder + "/1.json"
            #expect(try box.moonquake("run", file, "--report", path).code == 0)
            var later = try report(box, path)
            let first = later.runID
            // It would come first by its name.
            later.runID = String(first.prefix(16)) + "000000"
            later.startedAtSeconds += 0.001
            try File.write(try WireJSON.line(later), to: box.state + "/runs/\(later.runID).json")
            let last = try box.moonquake("report", "last")
            #expect(last.output.contains(later.runID), "\(last.output)")
            later.startedAtSeconds -= 0.002
            try File.write(try WireJSON.line(later), to: box.state + "/runs/\(later.runID).json")
            #expect(try box.moonquake("report", "last").output.contains(first))
        }
    }

    @Test
    func `a torn or foreign database is told and left alone, and a run goes on without it`() throws
    {
        try Sandbox.with { box in
            let file = try write(box, Self.experiment("x"))
            #expect(try box.moonquake("catalog", "add", file).code == 0)
            let path = box.state + "/catalogue.sqlite"
            for damage in ["torn", "foreign"] {
                let size = damage == "torn" ? 5000 : 0
                if damage == "torn" {
                    truncate(path, size)
                } else {
                    unlink(path)
                    try box.tool("sqlite3", path, "PRAGMA journal_mode=WAL; CREATE TABLE x (y);")
                }
                let before = try box.tool("sha256sum", path)
                for command in [
                    ["catalog", "add", file], ["catalog", "list"], ["catalog", "show", "kill-one"],
                    ["run", "kill-one@1"], ["run", "--again", "last"],
                ] {
                    let ended = try box.moonquake(command)
                    #expect(ended.code == 2, "\(damage) \(command): \(ended.output)\(ended.errors)")
                }
                let listed = try box.moonquake("catalog", "list").errors
                #expect(listed.contains("it is left alone"), "\(listed)")
                let run = try box.moonquake("run", file)
                #expect(run.code == 0, "\(run.errors)")
                #expect(
                    run.errors.contains("the definition of this run is not kept: the catalogue")
                )
                #expect(try box.moonquake("check", file).errors.isEmpty)
                #expect(try box.tool("sha256sum", path) == before)
                #expect(!File.names(in: box.state).contains { $0.hasPrefix("catalogue.sqlite-") })
            }
            #expect(try box.moonquake("runs").output.split(separator: "\n").count == 2)
        }
    }

    @Test
    func `two programs that add and run at once on one state directory lose nothing`() throws {
        try Sandbox.with { box in
            mkdir(box.folder + "/lib", 0o755)
            _ = try box.write("lib/amount.lua", "return 3")
            let rounds = 6
            for runner in ["a", "b"] {
                // Two runs never hold one target.
                let pid = try box.sleeper().pid
                for round in 0..<rounds {
                    _ = try box.write(
                        "\(runner)\(round).lua",
                        Self.experiment(
                            "run \(runner)\(round)",
                            fault:
                                "fault.process.pause { target = target.process { pid = \(pid) } }"
                        )
                    )
                }
            }
            let shell = """
                set -e
                for i in $(seq 0 \(rounds - 1)); do
                  \(Moonquake.path) catalog add "$1$i.lua" --name shared --state-dir \(box.state)
                  \(Moonquake.path) run "$1$i.lua" --state-dir \(box.state)
                done
                """
            let script = try box.write("both.sh", "cd \(box.folder)\n" + shell)
            let runners = try ["a", "b"].map { try box.start(["sh", script, $0]) }
            for runner in runners {
                #expect(
                    try runner.ended(within: .seconds(120)) == 0,
                    "\(runner.output)\(runner.errors)"
                )
            }
            let versions = try WireJSON.value(
                [ListedVersion].self,
                from: try box.moonquake("catalog", "list", "--json").output
            )
            #expect(versions.map(\.version) == (1...2 * rounds).reversed())
            #expect(Set(versions.flatMap(\.titles)).count == 2 * rounds)
            let runs = try box.moonquake("runs", "--verdict", "held").output.split(separator: "\n")
            #expect(runs.count == 2 * rounds)
            let ids = runs.map { String($0.prefix { $0 != " " }) }
            for id in ids {
                let again = try box.moonquake("run", "--again", id, "--dry-run")
                #expect(again.code == 0, "\(again.errors)")
            }
        }
    }

    private struct ListedVersion: Decodable {
        var version: Int
        var titles: [String]
    }

    @Test
    func `hostile titles and file names do no harm in any file, page or line`() throws {
        try Sandbox.with { box in
            mkdir(box.folder + "/lib", 0o755)
            _ = try box.write("lib/amount.lua", "return 3")
            let titles = [
                "<script>alert(1)</script>", "../../../../tmp/owned", "'; DROP TABLE version; --",
                "]]> & \\\"quoted\\\" `code` |cell|", String(repeating: "x", count: 200),
                "\u{202e}txt.exe",
            ]
            for (number, title) in titles.enumerated() {
                let file = try box.write(
                    "h\(number).lua",
                    Self.experiment(title)
                )
                #expect(try box.moonquake("catalog", "add", file).code == 0)
                let files = ["r.html", "r.md", "r.xml", "r.json"].map { "\(box.folder)/\($0)" }
                let run = try box.moonquake(
                    ["run", "h\(number)"] + files.flatMap { ["--report", $0] }
                )
                #expect(run.code == 0, "\(run.errors)")
                let page = try #require(File.text(files[0]))
                #expect(!page.contains("<script>alert"))
                #expect(!(try #require(File.text(files[1]))).contains("<script>alert"))
                #expect(!(try #require(File.text(files[2]))).contains("<script>alert"))
                let found = try report(box, files[3]).definition.name
                #expect(found == title.replacing("\\\"", with: "\""))
            }
            // A plain script is named after its file, which may be called anything.
            for name in [
                "a\nb\u{1b}[31m.lua", "<b>.lua", String(repeating: "y", count: 250) + ".lua",
            ] {
                let file = try box.write(name, "inject(fault.noop { target = target.host {} })")
                let bare = try box.moonquake("catalog", "add", file)
                #expect(bare.code == 2)
                #expect(bare.errors.contains("give another with --name"))
                #expect(!bare.errors.contains("\u{1b}"))
                #expect(try box.moonquake("catalog", "add", file, "--name", "plain").code == 0)
            }
            for command in [["catalog", "list"], ["runs"]] {
                let said = try box.moonquake(command).output
                #expect(!said.contains("\u{1b}") && !said.contains("\u{202e}"), "\(said)")
                #expect(!said.contains("a\nb"))
            }
            #expect(File.names(in: box.state + "/runs").count == titles.count)
            #expect(
                Set(File.names(in: box.state)).isSubset(of: [
                    "catalogue.sqlite", "runs", "journal", "logs", "open", "closed", "journals",
                ])
            )
            #expect(access("/tmp/owned", F_OK) != 0)
        }
    }

    // MARK: GameDays

    private func gameDay(_ box: Sandbox, _ references: String) throws -> String {
        try box.write(
            "day.lua",
            "gameday \"from the catalogue\" { experiments = { \(references) } }"
        )
    }

    private func plan(_ checked: Moonquake.Ended) throws -> Substring {
        try #require(checked.output.split(separator: "\n").first?.split(separator: " ").last)
    }

    @Test
    func `a GameDay runs versions of the catalogue, and its plan is bound to what they are`() throws
    {
        try Sandbox.with { box in
            let file = try write(box, Self.experiment("first"))
            #expect(try box.moonquake("catalog", "add", file).code == 0)
            let pinned = try gameDay(box, "catalog \"kill-one@1\"")
            let before = try box.moonquake("gameday", "check", pinned)
            #expect(before.code == 0, "\(before.errors)")
            #expect(before.output.contains("\"first\" (catalog kill-one@1)"))
            let newest = try box.write(
                "newest.lua",
                "gameday \"newest\" { experiments = { catalog \"kill-one\" } }"
            )
            let newestBefore = try plan(try box.moonquake("gameday", "check", newest))

            _ = try write(box, Self.experiment("second"))
            #expect(try box.moonquake("catalog", "add", file).output.hasPrefix("kill-one@2 "))
            unlink(file)
            let after = try box.moonquake("gameday", "check", pinned)
            #expect(try plan(after) == plan(before))
            let newestAfter = try box.moonquake("gameday", "check", newest)
            #expect(newestAfter.output.contains("\"second\""))
            #expect(try plan(newestAfter) != newestBefore)

            let result = box.folder + "/day.json"
            let ended = try box.moonquake("gameday", "run", pinned, "--report", result)
            #expect(ended.code == 0, "\(ended.output)\(ended.errors)")
            let day = try WireJSON.value(
                GameDayReport.self,
                from: try #require(File.text(result))
            )
            #expect(day.experiments.map(\.outcome) == [.held])
            let run = try report(box, try #require(day.experiments[0].reportFile))
            #expect(run.definition.name == "first")
            #expect(run.definition.version == 1)
            #expect(try box.moonquake("run", "--again", run.runID).code == 0)
        }
    }

    @Test(arguments: [
        ("catalog \"kil-one@1\"", "did you mean \"kill-one\"?"),
        ("catalog \"kill-one@7\"", "the newest version is kill-one@1"),
    ])
    func `a GameDay that names what the catalogue has not is refused`(
        _ reference: String,
        _ said: String
    ) throws {
        try Sandbox.with { box in
            let file = try write(box, Self.experiment("x"))
            #expect(try box.moonquake("catalog", "add", file).code == 0)
            let day = try gameDay(box, reference)
            for command in [["gameday", "check", day], ["gameday", "run", day]] {
                let ended = try box.moonquake(command)
                #expect(ended.code == 2)
                #expect(ended.errors.contains(said), "\(ended.errors)")
            }
            #expect(File.names(in: box.state + "/runs").isEmpty)
        }
    }

    @Test
    func `the agreed rehearsal of scripts/ finds its versions`() throws {
        try Sandbox.with { box in
            let scripts = Moonquake.tree + "/scripts"
            let day = scripts + "/gamedays/catalogue/pinned-rehearsal.lua"
            #expect(try box.moonquake("gameday", "check", day).code == 2)
            let added = try box.moonquake(
                "catalog",
                "add",
                scripts + "/experiments/slow-cache.lua",
                scripts + "/experiments/paused-redis.lua"
            )
            #expect(added.code == 0, "\(added.errors)")
            let checked = try box.moonquake("gameday", "check", day)
            #expect(checked.code == 0, "\(checked.errors)")
            #expect(checked.output.contains("2 experiments"))
        }
    }
}
