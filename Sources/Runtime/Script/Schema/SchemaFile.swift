// The JSON Schema of YAML and JSON definitions, made from the same descriptors as the builders. What a schema cannot say
// (options that exclude each other, thresholds in the unit of a measure) stays with `moonquake check`.

package import ChaosModel
package import ChaosSteadyState

/// The text of `moonquake schema`.
package enum SchemaFile {
    /// Makes the text.
    package static func text(
        faults: FaultCatalogue,
        metrics: MetricCatalogue
    ) throws -> String {
        try WireJSON.pretty(schema(faults, metrics)) + "\n"
    }

    static func schema(_ faults: FaultCatalogue, _ metrics: MetricCatalogue) -> ParameterValue {
        var definitions: [String: ParameterValue] = [
            "reference": SchemaType.reference,
            "fault": choice(
                of: faults.types.map(\.descriptor.name),
                as: "fault.",
                "A fault: one key, its name, with its options."
            ),
            "metric": choice(
                of: named(metrics).map(\.name),
                as: "metric.",
                "A metric: one key, its source, with its options."
            ),
        ]
        for kind in TargetKind.allCases {
            definitions["target.\(kind.rawValue)"] = object(kind.parameterSet, kind.summary)
        }
        for metric in named(metrics) {
            let target = metric.takesTarget ? ["target": target([.process])] : [:]
            definitions["metric.\(metric.name)"] = object(
                metric.parameterSet,
                metric.summary,
                and: target
            )
        }
        for descriptor in faults.types.map(\.descriptor) {
            definitions["fault.\(descriptor.name)"] = object(
                descriptor.parameterSet,
                descriptor.summary,
                and: ["target": target(descriptor.targets)]
            )
        }
        return experiment(definitions)
    }

    /// What a document can name; functions it cannot have.
    private static func named(_ metrics: MetricCatalogue) -> [MetricDescriptor] {
        metrics.descriptors.filter { $0.name != MetricDraft.functionSource }
    }

    private static func experiment(_ definitions: [String: ParameterValue]) -> ParameterValue {
        let blocks: [String: ParameterValue] = [
            "name": [
                "description": "What is expected, as a title of 1 to 200 characters.",
                "anyOf": [
                    ["type": "string", "minLength": 1, "maxLength": 200],
                    ["$ref": "#/$defs/reference"],
                ],
            ],
            "params": [
                "description": "What --param may set, by name.",
                "type": "object",
                "propertyNames": ["pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"],
                "additionalProperties": object(
                    ParameterDeclaration.parameterSet,
                    "A parameter.",
                    references: false
                ),
            ],
            "steady_state": object(
                SteadyStateBuilder.parameterSet,
                "What is watched, how often, for how long.",
                and: [
                    "metrics": [
                        "type": "object",
                        "propertyNames": ["maxLength": 64],
                        "additionalProperties": ["$ref": "#/$defs/metric"],
                    ]
                ],
                required: false
            ),
            "blast_radius": object(BlastRadiusOptions.parameterSet, "The limits of the run."),
            "faults": [
                "description": "The faults, in the order in which they are made.",
                "type": "array",
                "minItems": 1,
                "items": ["$ref": "#/$defs/fault"],
            ],
        ]
        guard
            case .table(var root) = object(
                ExperimentOptions.plain,
                "An experiment of Moonquake.",
                and: blocks,
                required: false
            )
        else { return [:] }
        root["required"] = ["name", "faults", "duration"]
        root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        root["title"] = "Moonquake experiment"
        root["$defs"] = .table(definitions)
        return .table(root)
    }

    /// An object with the options of a set, and with others beside them.
    private static func object(
        _ set: ParameterSet,
        _ summary: String,
        and others: [String: ParameterValue] = [:],
        required: Bool = true,
        references: Bool = true
    ) -> ParameterValue {
        var properties = others
        for parameter in set.parameters {
            properties[parameter.name] = SchemaType.option(parameter, references: references)
        }
        var needed = set.parameters.filter(\.isRequired).map(\.name)
        if required { needed += others.keys.sorted() }
        var schema: [String: ParameterValue] = [
            "description": .string(summary),
            "type": "object",
            "properties": .table(properties),
            "additionalProperties": false,
        ]
        if !needed.isEmpty { schema["required"] = .list(needed.map { .string($0) }) }
        return .table(schema)
    }

    /// An object with exactly one key out of some.
    private static func choice(
        of names: [String],
        as prefix: String,
        _ summary: String
    ) -> ParameterValue {
        let properties = names.map { name in
            (name, ParameterValue.table(["$ref": .string("#/$defs/\(prefix)\(name)")]))
        }
        return [
            "description": .string(summary),
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
            "properties": .table(Dictionary(properties) { first, _ in first }),
        ]
    }

    private static func target(_ kinds: [TargetKind]) -> ParameterValue {
        choice(of: kinds.map(\.rawValue), as: "target.", "A target: one key, its kind.")
    }
}
