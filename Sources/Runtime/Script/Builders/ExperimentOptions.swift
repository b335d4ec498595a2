// The options of `experiment "title" {…}`.

import ChaosModel

/// The options of an experiment, described once.
enum ExperimentOptions {
    static let subject = "experiment"

    static let owner = Parameter(
        "owner",
        ParameterKind<String>.string(example: "\"payments\""),
        help: "Who answers for it."
    )
    static let description = Parameter(
        "description",
        ParameterKind<String>.text(example: "\"What it is for.\""),
        help: "What it is for."
    )
    static let hypothesis = Parameter(
        "hypothesis",
        ParameterKind<String>.text(example: "\"p99 stays under 300 ms\""),
        help: "What is expected to hold, in words."
    )
    static let tags = Parameter(
        "tags",
        ParameterKind<[String]>.list(of: .string(example: "\"database\"")),
        help: "Words to find it by."
    )
    static let duration = Parameter(
        "duration",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(86_400)),
        help: "How long `faults` stay on; only with `faults`."
    )

    static let steadyState = Parameter(
        "steady_state",
        .live(
            "moonquake.steady_state|moonquake.SteadyState",
            example: "{ metrics = { p99 = metric.http {…} } }"
        ),
        help: "What is watched."
    )
    static let blastRadius = Parameter(
        "blast_radius",
        .live("moonquake.blast_radius", example: "{ targets = \"50%\" }"),
        help: "The limits of the run."
    )
    static let run = Parameter(
        "run",
        .live("fun()", example: "function() … end"),
        help: "The body, called once the baseline was checked."
    )
    static let faults = Parameter(
        "faults",
        .live("moonquake.Fault|moonquake.Fault[]", example: "{ fault.noop {…} }"),
        help: "The faults of an experiment without a body; they stay on for `duration`."
    )

    /// Those that a plain value carries.
    static let plain = ParameterSet(
        of: subject,
        [owner.erased, description.erased, hypothesis.erased, tags.erased, duration.erased]
    )
    /// Those that Lua holds.
    static let live = [steadyState.erased, blastRadius.erased, run.erased, faults.erased]

    /// Checks a title: 1 to 200 characters without control characters.
    static func check(title text: String, of subject: String) throws(DefinitionError) {
        let hasControl = text.unicodeScalars.contains {
            $0.value < 0x20 || (0x7f...0x9f).contains($0.value)
        }
        guard (1...200).contains(text.count), !hasControl else {
            throw DefinitionError(
                subject,
                "the title must be 1 to 200 characters without control characters, "
                    + "got \"\(text.escapedForDisplay)\""
            )
        }
    }
}
