import ChaosModel
import Testing

@Suite
struct `Conditions` {
    private let units: [String: MetricUnit] = [
        "p99": .seconds, "error_rate": .share, "rss": .bytes, "rps": .perSecond, "up": .number,
    ]

    private func parse(_ text: String) throws(ParameterProblem) -> Condition {
        try Condition(parsing: text)
    }

    private func problem(_ text: String) -> String {
        do throws(ParameterProblem) {
            let condition = try parse(text)
            try condition.check(against: units)
            return "accepted: \(condition)"
        } catch {
            return error.text
        }
    }

    private func holds(_ text: String, _ values: [String: Double]) throws -> Bool? {
        let condition = try parse(text)
        try condition.check(against: units)
        return condition.holds(values, units: units)
    }

    @Test(arguments: [
        ("p99 > 2s", "p99 > 2s"),
        ("p99>2s", "p99 > 2s"),
        ("p99 > 2s and error_rate > 5%", "p99 > 2s and error_rate > 5%"),
        ("a > 1 and b > 1 or c > 1", "a > 1 and b > 1 or c > 1"),
        ("a > 1 and (b > 1 or c > 1)", "a > 1 and (b > 1 or c > 1)"),
        ("not up == 1", "not (up == 1)"),
        ("up ~= 1", "up != 1"),
        ("  p99   <=   300ms ", "p99 <= 300ms"),
        ("up == -1", "up == -1"),
    ])
    func `texts are read and written`(text: String, written: String) throws {
        let condition = try parse(text)
        #expect(condition.description == written)
        #expect(try parse(condition.description) == condition)
    }

    @Test(
        arguments: [
            ("p99 > 2s", 2.1, true), ("p99 > 2s", 2.0, false), ("p99 >= 2s", 2.0, true),
            ("p99 < 300ms", 0.299, true), ("p99 <= 300ms", 0.3, true), ("p99 == 300ms", 0.3, true),
            ("p99 == 300ms", 0.1 + 0.2, true), ("p99 != 300ms", 0.3, false),
            ("not p99 > 2s", 2.1, false), ("p99 > 1m30s", 91, true), ("p99 < 1s", .infinity, false),
            ("p99 > 1s", .infinity, true),
        ] as [(String, Double, Bool)]
    )
    func `values are compared in the metric's unit`(
        text: String,
        value: Double,
        expected: Bool
    ) throws {
        #expect(try holds(text, ["p99": value]) == expected)
    }

    @Test
    func `and binds closer than or`() throws {
        let text = "up == 1 or p99 > 1s and error_rate > 5%"
        #expect(try holds(text, ["up": 1, "p99": 0, "error_rate": 0]) == true)
        #expect(try holds(text, ["up": 0, "p99": 2, "error_rate": 0]) == false)
        #expect(try holds(text, ["up": 0, "p99": 2, "error_rate": 0.06]) == true)
    }

    @Test
    func `a missing value decides nothing unless the rest decides`() throws {
        #expect(try holds("p99 > 2s", [:]) == nil)
        #expect(try holds("p99 > 2s", ["p99": .nan]) == nil)
        #expect(try holds("not p99 > 2s", [:]) == nil)
        #expect(try holds("p99 > 2s and up == 1", ["up": 0]) == false)
        #expect(try holds("p99 > 2s and up == 1", ["up": 1]) == nil)
        #expect(try holds("p99 > 2s or up == 1", ["up": 1]) == true)
        #expect(try holds("p99 > 2s or up == 1", ["up": 0]) == nil)
    }

    @Test(arguments: [
        ("", "\"\" is no condition: expected the name of a metric, found the end"),
        ("p99", "\"p99\" is no condition: expected <, <=, >, >=, == or !=, found the end"),
        (
            "p99 = 2s",
            "\"p99 = 2s\" is no condition: expected <, <=, >, >=, == or !=, found \"=\""
        ),
        (
            "p99 > fast",
            "\"p99 > fast\" is no condition: expected a value such as 300ms, 5% or 3, found \"fast\""
        ),
        (
            "p99 > 2s error_rate > 5%",
            "\"p99 > 2s error_rate > 5%\" is no condition: expected \"and\", \"or\" or the end, "
                + "found \"error_rate\""
        ),
        ("(p99 > 2s", "\"(p99 > 2s\" is no condition: expected \")\", found the end"),
        ("p98 > 2s", "unknown metric \"p98\"; did you mean \"p99\"?"),
        ("p99 > 2", "needs a unit: write \"2s\", got the bare number 2"),
        ("error_rate > 5", "needs a unit: write \"5%\", got the bare number 5"),
        ("p99 > 5%", "the value for p99 must be a duration such as \"300ms\", got \"5%\""),
    ])
    func `what is no condition says why`(text: String, expected: String) {
        #expect(problem(text) == expected)
    }

    @Test
    func `depth and length are bounded`() {
        let deep = String(repeating: "(", count: 1000) + "up == 1"
        #expect(
            problem(deep).hasSuffix("is nested more than 64 deep") || problem(deep).contains("64")
        )
        #expect(problem(String(repeating: "not ", count: 900) + "up == 1").contains("64 deep"))
        #expect(problem(String(repeating: "x", count: 5000)) == "must be at most 4096 bytes long")
        let wide = Array(repeating: "up == 1", count: 300).joined(separator: " or ")
        #expect(!problem(wide).isEmpty)
    }

    @Test
    func `metrics are listed once, in order`() throws {
        #expect(try parse("b > 1 and a > 1 or not b < 2").metrics == ["b", "a"])
    }
}
