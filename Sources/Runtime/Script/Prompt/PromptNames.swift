// Everything that can be written at a prompt, by name: from the descriptors of targets, metrics, faults and verbs, so that
// completion and help cannot say anything else than the builders do.

package import ChaosModel
package import ChaosSteadyState

/// What can be named at a prompt.
package struct PromptNames: Sendable {
    /// One name.
    package struct Entry: Sendable {
        /// `fault.network.latency`, `wait`.
        package var name: String
        /// What it does, in one sentence.
        package var summary: String
        /// The options of the table that it takes; nil for a verb.
        package var options: [ParameterDescriptor]?
        /// Options that are values of Lua, which no descriptor reads.
        package var live: [String] = []
        /// The arguments of a verb: name and help.
        package var arguments: [(name: String, help: String)] = []
    }

    /// All, in the order of the docs.
    package let all: [Entry]

    /// The names of a program with these faults and metrics.
    package init(faults: FaultCatalogue, metrics: MetricCatalogue) {
        var all = Primitives.all.map { Entry($0.signature) }
        all += InputBuilders.signatures.map { Entry($0) }
        all.append(Entry(name: "log", summary: "Puts a line on the time line, as print does."))
        all += TargetKind.allCases.map { kind in
            Entry(
                name: "target.\(kind.rawValue)",
                summary: kind.summary,
                options: kind.parameterSet.parameters
            )
        }
        all += metrics.descriptors.map { descriptor in
            Entry(
                name: descriptor.subject,
                summary: descriptor.summary,
                options: descriptor.parameterSet.parameters,
                live: descriptor.takesTarget ? ["target"] : []
            )
        }
        all += faults.types.map(\.descriptor).map { descriptor in
            Entry(
                name: "fault.\(descriptor.name)",
                summary: descriptor.summary,
                options: descriptor.parameterSet.parameters,
                live: ["target"]
            )
        }
        self.all = all.map { entry in
            guard entry.name == SteadyStateBuilder.name else { return entry }
            var steady = entry
            steady.options = SteadyStateBuilder.parameterSet.parameters
            steady.live = [SteadyStateBuilder.metrics.name]
            return steady
        }
    }

    /// An entry by its name; nil when there is none.
    package subscript(_ name: String) -> Entry? { all.first { $0.name == name } }

    /// What a name means, as lines; the names below it for a family such as `fault.network`.
    package func help(_ name: String) -> [String]? {
        if let entry = self[name] { return entry.lines }
        let below = all.filter { $0.name.hasPrefix("\(name).") }
        guard !below.isEmpty else { return nil }
        let width = below.map(\.name.count).max() ?? 0
        return below.map { entry in
            let padding = String(repeating: " ", count: width - entry.name.count)
            return "\(entry.name)\(padding)  \(entry.summary)"
        }
    }
}

extension PromptNames.Entry {
    fileprivate init(_ signature: Signature) {
        let arguments = signature.parameters.map { (name: $0.name, help: $0.help) }
        self.init(name: signature.name, summary: signature.help, arguments: arguments)
    }

    fileprivate var lines: [String] {
        var lines = ["\(name): \(summary)"]
        lines += arguments.map { argument in
            "  \(argument.name)" + (argument.help.isEmpty ? "" : "  \(argument.help)")
        }
        lines += live.map { "  \($0)  (\($0 == "target" ? "a target" : "a table of them"))" }
        return lines + (options ?? []).flatMap(\.lines)
    }
}

extension ParameterDescriptor {
    /// The option as help shows it: what it takes, then what it is for with an example.
    package var lines: [String] {
        let fallback = fallback.map { ", default \($0)" } ?? ""
        let required = isRequired ? ", required" : ""
        let allowed = shape.allowed.map { ": \($0)" } ?? ""
        return [
            "    \(name)  (\(shape.type)\(allowed)\(fallback)\(required))",
            "        \(help)  \(name) = \(shape.example)",
        ]
    }
}
