// `metric.command`: a program of the user's that prints a number or answers with its exit status.

import ChaosModel

/// The kind `command`.
enum CommandMetric: MetricKind {
    static let descriptor = MetricDescriptor(
        name: "command",
        summary: "A program run at each sample: the number that it prints, or its exit status.",
        parameters: [Options.run.erased, Options.timeout.erased],
        measures: [("stdout_number", .number), ("exit_status", .number)]
    )

    enum Options {
        static let run = Parameter(
            required: "run",
            ParameterKind<[String]>.list(of: .argument),
            help: "The program and its arguments; no shell is between."
        )
        static let timeout = Parameter(
            "timeout",
            ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(60)),
            default: "5s",
            help: "How long it may run; then it is killed with its children, and there is no data."
        )
    }

    static func check(_ parameters: Parameters) throws(DefinitionError) {
        let run = try parameters.value(Options.run)
        guard let program = run.first, !program.isEmpty else {
            throw parameters.error("run must start with the name of a program")
        }
        guard run.count > 1 || !program.contains(" ") else {
            let words = program.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ", ")
            throw parameters.error(
                "run is a list, and no shell is between: write run = { \(words) }, "
                    + "got \"\(program.escapedForDisplay)\""
            )
        }
    }
}

extension CommandMetric {
    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        CommandSource(
            run: try request.parameters.value(Options.run),
            timeout: try request.parameters.value(Options.timeout),
            wantsStatus: request.measure == "exit_status",
            time: request.context.kernel.time
        )
    }
}

extension ParameterKind where Value == String {
    /// One argument of a program: any text without NUL.
    fileprivate static var argument: ParameterKind {
        var kind = text(example: "\"/usr/bin/redis-cli\", \"dbsize\"")
        let parse = kind.parse
        kind.parse = { value throws(ParameterProblem) in
            let text = try parse(value)
            guard !text.utf8.contains(0) else {
                throw ParameterProblem("must not contain NUL, got \(value)")
            }
            return text
        }
        return kind
    }
}
