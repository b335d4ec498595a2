// One builder in LuaCATS: a class for its options and a function.

import ChaosModel
import ChaosSteadyState

/// A builder as editors see it.
struct MetaBuilder {
    /// `fault.network.partition`.
    let path: String
    let summary: String
    /// The options, `target` among them.
    let fields: [String]
    let result: String
    /// What the function takes; its options otherwise.
    var takes: String?

    init(_ kind: TargetKind) {
        path = "target.\(kind.rawValue)"
        summary = kind.summary
        fields = kind.parameterSet.parameters.map(MetaClass.field)
        result = "moonquake.Target"
    }

    init(_ descriptor: MetricDescriptor) {
        let target = "---@field target moonquake.Target What to measure."
        path = descriptor.subject
        summary = descriptor.summary
        var fields = descriptor.parameterSet.parameters.map(MetaClass.field)
        if descriptor.takesTarget { fields.insert(target, at: 0) }
        if descriptor.name == MetricDraft.functionSource {
            fields.insert("---@field [1] fun(): number?, string? The function.", at: 0)
            takes = "(fun(): number?, string?)|moonquake.metric.\(descriptor.name)"
        }
        self.fields = fields
        result = "moonquake.Metric"
    }

    init(_ descriptor: FaultDescriptor) {
        let kinds = descriptor.allTargets.map { "target.\($0.rawValue)" }.joined(separator: ", ")
        path = "fault.\(descriptor.name)"
        summary = descriptor.summary
        let target = "---@field target moonquake.Target What to hit: \(kinds)."
        fields = [target] + descriptor.parameterSet.parameters.map(MetaClass.field)
        result = "moonquake.Fault"
    }

    var text: String {
        let options = ["---@class moonquake.\(path)"] + fields
        let function = [
            "---\(summary)", "---@param options \(takes ?? "moonquake.\(path)")",
            "---@return \(result)", "function \(path)(options) end",
        ]
        return options.joined(separator: "\n") + "\n\n" + function.joined(separator: "\n")
    }
}

/// Options in LuaCATS.
enum MetaClass {
    /// A class of options.
    static func text(_ name: String, _ summary: String, _ options: [ParameterDescriptor]) -> String
    {
        (["---@class moonquake.\(name) \(summary)"] + options.map(field)).joined(separator: "\n")
    }

    /// One option: its type, its help, and what it is when left out.
    static func field(_ option: ParameterDescriptor) -> String {
        let mark = option.isRequired ? "" : "?"
        let fallback = option.fallback.map { " Default: \($0)." } ?? ""
        return "---@field \(option.name)\(mark) \(type(option.shape)) \(option.help)\(fallback)"
    }

    private static func type(_ shape: ParameterShape) -> String {
        let one = shape.choices.map { $0.map { "\"\($0)\"" }.joined(separator: "|") }
        switch shape.json {
        case "live": return shape.type
        case "array":
            let element = one ?? element(of: shape.type)
            return element.contains("|") ? "\(element)|(\(element))[]" : "\(element)|\(element)[]"
        case "object": return "table<string, string>"
        case "string or number": return "string|number"
        case "number": return shape.type == "integer" ? "integer" : "number"
        default: return one ?? shape.json
        }
    }

    private static func element(of type: String) -> String {
        switch type {
        case "list of integer": "integer"
        case "list of threshold": "string|number"
        default: "string"
        }
    }
}
