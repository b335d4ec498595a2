// The types of the Lua side for editors (LuaCATS, as lua-language-server reads them), made from the same descriptors
// as the builders, so that they cannot say anything else. A test compares stdlib/_meta with this text.

import ChaosGameDay
package import ChaosModel
package import ChaosSteadyState

/// The text of `stdlib/_meta/moonquake.lua`.
package enum MetaFile {
    /// Makes the text.
    package static func text(faults: FaultCatalogue, metrics: MetricCatalogue) -> String {
        let sections =
            [header, values]
            + [
                builders("target", TargetKind.allCases.map(MetaBuilder.init)),
                builders("metric", metrics.descriptors.map(MetaBuilder.init)),
                builders("fault", faults.types.map { MetaBuilder($0.descriptor) }),
                experiment, inputs, notifiers, gameDay,
            ] + Primitives.all.map { function($0.signature) } + [log, tests]
        return sections.joined(separator: "\n\n") + "\n"
    }

    private static let header = """
        ---@meta moonquake
        -- Types of the Moonquake primitives, for editors. Generated from the descriptors of targets, metrics and
        -- faults; do not edit: MOONQUAKE_UPDATE=1 swift test --filter ScriptTests writes it again.
        -- luacheck: ignore
        """

    private static let values = """
        ---@class moonquake.Target A target selector.

        ---@class moonquake.Metric A metric; it gets its name where it is put.

        ---@class moonquake.Fault A fault; `inject` makes it.

        ---@class moonquake.SteadyState What is watched.

        ---@class moonquake.Experiment An experiment of this file, to be named in a GameDay.

        ---@class moonquake.CatalogEntry A definition of the catalogue.

        ---@class moonquake.Notifier Somebody who is told of a GameDay.

        ---@class moonquake.Figures The answer of `check_metric`; each value is a field of its own, too.
        ---@field held? boolean Whether the condition held; nil when a value was missing.
        ---@field values table<string, number> The values in base units: seconds, bytes, shares, events a second.
        ---@field took number How long it took until it held, in seconds; at most the time of `within`.
        ---@field [string] number

        ---@class moonquake.Handle A fault in force; a `<close>` variable puts it back at the end of its scope.
        ---@field fault string The name of the fault.
        ---@field targets string[] What was hit.
        local Handle = {}

        ---Puts the fault back.
        function Handle:rollback() end
        """

    /// The namespace of a family of builders: its options, then its functions.
    private static func builders(_ family: String, _ builders: [MetaBuilder]) -> String {
        var namespaces: [String] = []
        for builder in builders {
            let parts = builder.path.split(separator: ".").dropLast()
            for count in 1..<parts.count + 1 {
                let name = parts.prefix(count).joined(separator: ".")
                if !namespaces.contains(name) { namespaces.append(name) }
            }
        }
        let tables = namespaces.map { "\($0) = {}" }.joined(separator: "\n")
        return ([tables] + builders.map(\.text)).joined(separator: "\n\n")
    }

    private static var experiment: String {
        let options = ExperimentOptions.plain.parameters + ExperimentOptions.live
        return [
            MetaClass.text(
                "blast_radius",
                "The limits of a run.",
                BlastRadiusOptions.parameterSet.parameters
            ),
            MetaClass.text(
                "steady_state",
                "What is watched, how often, for how long.",
                SteadyStateBuilder.parameterSet.parameters + [SteadyStateBuilder.metrics.erased]
            ),
            MetaClass.text("experiment", "An experiment.", options),
            """
            ---Declares an experiment: `experiment "title" { … }`.
            ---@param title string 1 to 200 characters.
            ---@return fun(options: moonquake.experiment): moonquake.Experiment
            function experiment(title) end
            """,
        ].joined(separator: "\n\n")
    }

    private static var notifiers: String {
        let builders = NotifyBuilder.all.map { notifier in
            let result = "moonquake.Notifier"
            let options = MetaClass.text(
                notifier.set.subject,
                notifier.help,
                notifier.set.parameters
            )
            let takes =
                notifier.takesText
                ? "string|moonquake.\(notifier.path)" : "moonquake.\(notifier.path)"
            return [
                options,
                """
                ---\(notifier.help)
                ---@param options \(takes)
                ---@return \(result)
                function \(notifier.path)(options) end
                """,
            ].joined(separator: "\n\n")
        }
        return (["notify = {}"] + builders).joined(separator: "\n\n")
    }

    private static var gameDay: String {
        [
            MetaClass.text(
                "schedule",
                "When a GameDay runs by itself.",
                ScheduleOptions.set.parameters
            ),
            MetaClass.text(
                "gameday",
                "A GameDay.",
                GameDayOptions.plain.parameters + GameDayOptions.live
            ),
            """
            ---@class moonquake.Row How an experiment of a GameDay came out.
            ---@field title string
            ---@field outcome "held"|"deviated"|"inconclusive"|"aborted"|"failed"|"leaked"|"skipped"
            ---@field held boolean Whether the hypothesis held.
            ---@field reason string Why it did not; empty when it held.
            ---@field run_id? string
            ---@field recovered_after? number Seconds from the rollback until the system was healthy.

            ---@class moonquake.Day What the function of a GameDay may do.
            ---@field experiment fun(experiment: string|moonquake.Experiment|moonquake.CatalogEntry): moonquake.Row Runs one of the GameDay's experiments.
            ---@field pause fun(duration: string) Waits.
            ---@field approve fun(subject: string) Waits for approval of something in words.
            ---@field observe fun(text: string) Puts an observation on the time line.

            ---Declares a GameDay: `gameday "title" { … }`.
            ---@param title string 1 to 200 characters.
            ---@return fun(options: moonquake.gameday)
            function gameday(title) end

            ---Names a definition of the catalogue.
            ---@param name string "name", or "name@version".
            ---@return moonquake.CatalogEntry
            function catalog(name) end
            """,
        ].joined(separator: "\n\n")
    }

    private static var inputs: String {
        let declaration = MetaClass.text(
            "param",
            "What `--param` may set.",
            ParameterDeclaration.parameterSet.parameters
        )
        return ([declaration] + InputBuilders.signatures.map(function)).joined(separator: "\n\n")
    }

    private static let log = """
        ---Puts a line on the time line; `print` does the same.
        ---@param ... any
        function log(...) end
        """

    /// What files of tests have (docs/testing.md); no script has it.
    private static let tests = """
        ---@class moonquake.TestOptions How `t.run` runs a script.
        ---@field metrics? table<string, number|string|boolean|fun(now: moonquake.Moment, metric: table): any, string?>
        ---@field machine? table What there is: processes, units, containers, netns, hosts.
        ---@field params? table<string, string|number|boolean> As `--param` gives them.
        ---@field env? table<string, string> The variables of the environment.
        ---@field seed? integer
        ---@field experiment? string The title, when the file defines several.
        ---@field fail? table<string, string> Faults that cannot be made, with the reason.
        ---@field at? table<string, fun(machine: moonquake.TestMachine)> What happens after so long.
        ---@field approve? boolean|fun(subject: string): boolean? What is said at a gate of a GameDay.
        ---@field catalog? table<string, string> Files that stand for definitions of the catalogue.

        ---@class moonquake.Moment A moment of a made-up run.
        ---@field time number Seconds since the run began.
        ---@field faults table<string, table<string, any>> The faults in force, with their options in base units.
        ---@field running table<string, integer> How many processes run, by name.

        ---@class moonquake.TestMachine What may happen to a made-up machine.
        ---@field starts fun(name: string) One more process of this name is there.
        ---@field ends fun(name: string) All processes of this name end.
        ---@field agent_dies fun() The agent dies as by `kill -9`.
        ---@field interrupt fun() Somebody presses Ctrl-C.

        ---@class moonquake.Test What a test may do.
        ---@field run fun(file: string, options?: moonquake.TestOptions): table Runs an experiment; returns its report.
        ---@field gameday fun(file: string, options?: moonquake.TestOptions): table Runs a GameDay; returns its report.
        ---@field equal fun(actual: any, expected: any, what?: string)
        ---@field ok fun(value: any, what?: string)
        ---@field near fun(actual: number, expected: number, tolerance: number, what?: string)
        ---@field contains fun(text: string|any[], part: any, what?: string)
        ---@field raises fun(body: function, part?: string): string Returns the message.

        ---Declares a test, in a file for `moonquake test`.
        ---@param name string
        ---@param body fun(t: moonquake.Test)
        function test(name, body) end
        """

    private static func function(_ signature: Signature) -> String {
        var lines = ["---\(signature.help)"]
        lines += signature.parameters.map { part in
            "---@param \(part.name) \(part.type)" + (part.help.isEmpty ? "" : " \(part.help)")
        }
        lines += signature.result.map { ["---@return \($0.type) \($0.name) \($0.help)"] } ?? []
        let names = signature.parameters.map { $0.name.filter { $0 != "?" } }
        lines.append("function \(signature.name)(\(names.joined(separator: ", "))) end")
        return lines.map(\.trimmingTrailingSpaces).joined(separator: "\n")
    }
}

extension String {
    /// The text without the spaces at its end.
    fileprivate var trimmingTrailingSpaces: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
