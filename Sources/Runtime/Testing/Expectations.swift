// What a test expects: `t.equal`, `t.ok` and their like. The first that does not hold ends the test, with both values and
// the line.

import ChaosModel
import LuaBridge

/// The functions that compare.
enum Expectations {
    static func functions(_ vm: LuaVM) -> [String: LuaValue] {
        [
            "equal": function("equal", 2...3) { call in
                guard !call[1].isSame(as: call[2]) else { return }
                throw failure(call[3], "expected \(call[2].shown), got \(call[1].shown)")
            },
            "ok": function("ok", 1...2) { call in
                if call[1].isNil || call[1] == .boolean(false) {
                    throw failure(call[2], "expected a true value, got \(call[1].shown)")
                }
            },
            "near": function("near", 3...4) { call in
                let (actual, wanted) = (
                    try call.number(1, "actual"), try call.number(2, "expected")
                )
                let tolerance = try call.number(3, "tolerance")
                guard !(abs(actual - wanted) <= tolerance) else { return }
                throw failure(
                    call[4],
                    "expected \(call[2].shown) within \(call[3].shown), got \(call[1].shown)"
                )
            },
            "contains": function("contains", 2...3) { call in
                if let text = call[1].string, let part = call[2].string {
                    guard !text.contains(part) else { return }
                } else if let list = call[1].table {
                    guard !list.array.contains(where: { $0.isSame(as: call[2]) }) else { return }
                } else {
                    throw TestMistake("t.contains expects a text or a list, got \(call[1].shown)")
                }
                throw failure(call[3], "\(call[2].shown) is not in \(call[1].shown)")
            },
            "raises": .function(
                LuaFunction(asyncName: "t.raises") { call in
                    [.string(try await raised(by: call, in: vm))]
                }
            ),
        ]
    }

    private static func function(
        _ name: String,
        _ count: ClosedRange<Int>,
        _ check: @escaping @Sendable (LuaCall) throws -> Void
    ) -> LuaValue {
        .function(
            LuaFunction(name: "t.\(name)") { call in
                // A nil at the end of the arguments is not passed on.
                guard call.arguments.count <= count.upperBound else {
                    throw TestMistake(
                        "t.\(name) takes \(count.lowerBound) to \(count.upperBound) arguments, got "
                            + "\(call.arguments.count)"
                    )
                }
                try check(call)
                return []
            }
        )
    }

    private static func failure(_ what: LuaValue, _ text: String) -> FailedExpectation {
        FailedExpectation(what.string.map { "\($0): \(text)" } ?? text)
    }

    /// The message of the error that a function must raise.
    private static func raised(by call: LuaCall, in vm: LuaVM) async throws -> String {
        let function = try call.function(1, "function")
        do throws(LuaError) {
            try await vm.call(function)
        } catch {
            guard let part = call[2].string, !error.message.contains(part) else {
                return error.message
            }
            throw failure(
                call[3],
                "expected an error with \(call[2].shown), got \(LuaValue.string(error.message).shown)"
            )
        }
        throw failure(call[3], "expected an error, and none was raised")
    }
}

extension LuaValue {
    /// Whether two values are the same, whole numbers and doubles alike; tables by what is in them.
    func isSame(as other: LuaValue) -> Bool {
        if let left = number, let right = other.number { return left == right }
        guard let left = table, let right = other.table else { return self == other }
        return left.array.count == right.array.count
            && zip(left.array, right.array).allSatisfy { $0.isSame(as: $1) }
            && left.fields.count == right.fields.count
            && left.fields.allSatisfy { $0.value.isSame(as: right[$0.key]) }
    }

    /// The value as a test would write it, cut where it is long.
    var shown: String {
        let text = written
        return text.count > 400 ? "\(text.prefix(400))…" : text
    }

    private var written: String {
        switch self {
        case .string(let text): "\"\(text.escapedForDisplay(limit: 400))\""
        case .table(let table):
            if table.isEmpty {
                "{}"
            } else {
                "{ "
                    + (table.array.map(\.written)
                    + table.sortedFields.map { "\($0.key) = \($0.value.written)" })
                    .joined(separator: ", ") + " }"
            }
        case .nil, .boolean, .integer, .number, .function, .object: description
        }
    }
}
