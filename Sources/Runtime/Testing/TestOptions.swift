// What a test gives to `t.run` and `t.gameday` beside the file.

import ChaosModel
import LuaBridge

/// The options of a made-up run.
struct TestOptions: Sendable {
    /// What metrics are, by name.
    var metrics: [String: LuaValue]
    /// As `--param` gives them.
    var parameters: [String: String]
    /// The variables of the environment.
    var environment: [String: String]
    /// The machine; nil for one that has what the targets name.
    var machine: LuaTable?
    /// The seed, when it is not that of all tests.
    var seed: UInt64?
    /// Which experiment of the file.
    var experiment: String?
    /// Why faults fail, by name.
    var failures: [String: String]
    /// What happens after so long, in order.
    var moments: [(after: Duration, action: LuaFunction)]
    /// Who answers gates.
    var approve: LuaValue
    /// Files that stand for the catalogue, by name.
    var catalogue: [String: String]

    static let ofRun = [
        "metrics", "params", "env", "machine", "seed", "experiment", "fail", "at",
    ]
    static let ofDay = [
        "metrics", "params", "env", "machine", "seed", "fail", "approve", "catalog",
    ]

    /// Reads the second argument of a call.
    init(_ call: LuaCall) throws(TestMistake) {
        let name = call.function
        guard call.arguments.count <= 2, call[2].isNil || call[2].table != nil else {
            throw TestMistake("\(name): write \(name)(\"file.lua\", { … }), got \(call[2])")
        }
        let table = call[2].table ?? LuaTable()
        try Self.check(table, of: name, known: name == "t.run" ? Self.ofRun : Self.ofDay)
        metrics = try Self.fields(table, "metrics", name)
        parameters = try Self.texts(table, "params", name)
        environment = try Self.texts(table, "env", name)
        failures = try Self.texts(table, "fail", name)
        catalogue = try Self.texts(table, "catalog", name)
        machine =
            table["machine"].isNil ? nil : LuaTable(fields: try Self.fields(table, "machine", name))
        seed = table["seed"].integer.map { UInt64(bitPattern: $0) }
        experiment = table["experiment"].string
        approve = table["approve"].isNil ? .boolean(true) : table["approve"]
        moments = try Self.moments(table, name)
    }

    /// Refuses names that are not known.
    static func check(
        _ table: LuaTable,
        of name: String,
        known: [String]
    ) throws(TestMistake) {
        if let key = table.keys.first(where: { !known.contains($0) }) {
            let hint = NearestName.hint(for: key, among: known)
            throw TestMistake("\(name): unknown option \"\(key.escapedForDisplay)\"\(hint)")
        }
    }

    private static func fields(
        _ table: LuaTable,
        _ key: String,
        _ name: String
    ) throws(TestMistake) -> [String: LuaValue] {
        guard let fields = table[key].table?.fields else {
            guard table[key].isNil else {
                throw TestMistake("\(name): \(key) must be a table, got \(table[key])")
            }
            return [:]
        }
        return fields
    }

    private static func texts(
        _ table: LuaTable,
        _ key: String,
        _ name: String
    ) throws(TestMistake) -> [String: String] {
        var texts: [String: String] = [:]
        for (field, value) in try fields(table, key, name) {
            switch value {
            case .string(let text): texts[field] = text
            case .integer(let number): texts[field] = "\(number)"
            case .number(let number): texts[field] = ParameterValue.shortest(number)
            case .boolean(let flag): texts[field] = "\(flag)"
            case .nil, .table, .function, .object:
                throw TestMistake("\(name): \(key).\(field) must be a plain value, got \(value)")
            }
        }
        return texts
    }

    private static func moments(
        _ table: LuaTable,
        _ name: String
    ) throws(TestMistake) -> [(after: Duration, action: LuaFunction)] {
        var moments: [(after: Duration, action: LuaFunction)] = []
        for (time, value) in LuaTable(fields: try fields(table, "at", name)).sortedFields {
            guard let seconds = Units.seconds(time), let action = value.function else {
                throw TestMistake(
                    "\(name): at takes times with functions, such as [\"3s\"] = function(machine) … end; "
                        + "got [\"\(time.escapedForDisplay)\"] = \(value)"
                )
            }
            moments.append((.seconds(seconds), action))
        }
        return moments.sorted { $0.after < $1.after }
    }
}
