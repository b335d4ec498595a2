// The options of `gameday "title" {…}` and of `notify`, described once.

import ChaosGameDay
import ChaosModel

/// The options of a GameDay.
enum GameDayOptions {
    static let subject = "gameday"

    static let pause = Parameter(
        "pause",
        ParameterKind<Duration>.duration(to: .seconds(86_400)),
        default: "0s",
        help: "How long to wait between two experiments."
    )
    static let recovery = Parameter(
        "recovery",
        ParameterKind<Duration>.duration(from: .seconds(1), to: .seconds(86_400)),
        default: "10m",
        help:
            "How long `health` may take to come back before an experiment; then the day is halted."
    )
    static let approval = Parameter(
        "approval",
        ParameterKind<String>.choice(ApprovalRule.Scope.allCases.map(\.rawValue)),
        help: "What waits for approval: the whole day, or each experiment."
    )
    static let approvers = Parameter(
        "approvers",
        ParameterKind<Int>.integer(1...20),
        default: 1,
        help: "How many different people must approve."
    )
    static let approvalTimeout = Parameter(
        "approval_timeout",
        ParameterKind<Duration>.duration(from: .seconds(1), to: .seconds(7 * 86_400)),
        default: "15m",
        help: "How long a gate waits; then it counts as rejected."
    )

    static let experiments = Parameter(
        "experiments",
        .live(
            "(string|moonquake.Experiment|moonquake.CatalogEntry)[]",
            example: "{ \"slow-database\", catalog \"kill-one@3\" }"
        ),
        help:
            "The experiments, in their order: files, names, entries of the catalogue, or experiments of this file."
    )
    static let health = Parameter(
        "health",
        .live(
            "moonquake.steady_state|moonquake.SteadyState",
            example: "steady_state { metrics = {…} }"
        ),
        help: "What must be healthy before each experiment."
    )
    static let notify = Parameter(
        "notify",
        .live(
            "moonquake.Notifier|moonquake.Notifier[]",
            example: "{ notify.webhook \"https://…\" }"
        ),
        help: "Who is told when the day begins, waits at a gate, is aborted and ends."
    )
    static let schedule = Parameter(
        "schedule",
        .live(
            "moonquake.schedule",
            example: "{ every = \"week\", on = \"tuesday\", at = \"10:00\" }"
        ),
        help: "When `gameday daemon` runs it."
    )
    static let run = Parameter(
        "run",
        .live("fun(day: moonquake.Day)", example: "function(day) … end"),
        help: "The steps in Lua, instead of one experiment after the other."
    )

    /// Those that a plain value carries.
    static let plain = ParameterSet(
        of: subject,
        [
            ExperimentOptions.owner.erased, ExperimentOptions.description.erased,
            ExperimentOptions.tags.erased, pause.erased, recovery.erased, approval.erased,
            approvers.erased, approvalTimeout.erased,
        ]
    )
    /// Those that Lua holds.
    static let live = [
        experiments.erased, health.erased, notify.erased, schedule.erased, run.erased,
    ]
}

/// The options of notifiers.
enum NotifyOptions {
    static let url = Parameter(
        required: "url",
        ParameterKind<String>.string(example: "\"https://hooks.example.org/x\""),
        help: "Where the JSON object is posted."
    )
    static let headers = Parameter(
        "headers",
        ParameterKind<[String: String]>.stringTable,
        help: "More headers, such as an Authorization."
    )
    static let to = Parameter(
        required: "to",
        ParameterKind<[String]>.list(of: .string(example: "\"sre@example.org\"")),
        help: "Who gets it."
    )
    static let from = Parameter(
        "from",
        ParameterKind<String>.string(example: "\"moonquake@example.org\""),
        default: "moonquake@localhost",
        help: "Who it comes from."
    )
    static let via = Parameter(
        required: "via",
        ParameterKind<String>.string(example: "\"smtps://mail.example.org\""),
        help: "The mail server: smtps://, or smtp:// with STARTTLS."
    )
    static let user = Parameter(
        "user",
        ParameterKind<String>.string(example: "\"moonquake\""),
        help: "The login, where the server wants one."
    )
    static let password = Parameter(
        "password",
        ParameterKind<String>.string(example: "\"…\""),
        help: "Its password."
    )
    static let caFile = Parameter(
        "ca_file",
        ParameterKind<String>.string(example: "\"/etc/ssl/own-ca.pem\""),
        help: "Certificates to trust instead of the system's."
    )
    static let plain = Parameter(
        "plain",
        ParameterKind<Bool>.boolean,
        default: .boolean(false),
        help: "Accept a server that offers no TLS."
    )
    static let run = Parameter(
        required: "run",
        ParameterKind<[String]>.list(of: .string(example: "\"/usr/local/bin/page\"")),
        help: "The program and its arguments; the JSON object is its standard input."
    )

    static let webhook = ParameterSet(of: "notify.webhook", [url.erased, headers.erased])
    static let email = ParameterSet(
        of: "notify.email",
        [
            to.erased, from.erased, via.erased, user.erased, password.erased, caFile.erased,
            plain.erased,
        ]
    )
    static let command = ParameterSet(of: "notify.command", [run.erased])
}
