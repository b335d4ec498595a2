// How something is spelled in Lua, for messages that say what to write.

import ChaosModel
import ChaosSteadyState

extension TargetKind {
    /// A call of the builder: `target.process { name = "nginx" }`.
    var spelling: String {
        let required = parameterSet.parameters.filter(\.isRequired)
        let named = parameterSet.parameters.filter { $0.name == "name" }
        return Spelling.call("target.\(rawValue)", (required.isEmpty ? named : required).spelled)
    }
}

extension FaultDescriptor {
    /// A call of the builder: `fault.process.pause { target = target.process { name = "nginx" } }`.
    var spelling: String {
        let target = "target = \((targets.first ?? .host).spelling)"
        return Spelling.call("fault.\(name)", [target] + parameters.filter(\.isRequired).spelled)
    }
}

extension MetricDescriptor {
    /// A call of the builder: `metric.http { url = "http://10.9.0.2:8080/health" }`.
    var spelling: String {
        if name == MetricDraft.functionSource { return "metric.lua(function() … end)" }
        let target = takesTarget ? ["target = \(TargetKind.process.spelling)"] : []
        return Spelling.call(subject, target + parameters.filter(\.isRequired).spelled)
    }
}

/// Puts calls into words.
enum Spelling {
    static func call(_ name: String, _ options: [String]) -> String {
        options.isEmpty ? "\(name) {}" : "\(name) { \(options.joined(separator: ", ")) }"
    }

    /// A call as it was made, for `tostring`.
    static func call(
        _ name: String,
        target: TargetSelector?,
        _ options: [String: ParameterValue]
    ) -> String {
        let target = target.map { ["target = \($0)"] } ?? []
        return call(name, target + options.sorted { $0.key < $1.key }.map { "\($0) = \($1)" })
    }
}

extension [ParameterDescriptor] {
    /// Each as `name = example`; a list of one is written without its braces.
    fileprivate var spelled: [String] {
        map { parameter in
            let example = parameter.shape.example
            let isList = parameter.shape.type.hasPrefix("list of ") && !example.contains(", ")
            let inner = isList ? example.dropFirst(2).dropLast(2) : example[...]
            return "\(parameter.name) = \(inner)"
        }
    }
}
