// Texts of scripts and lines of the wire, broken without end: each is read or refused in words, and nothing crashes.
//
// MOONQUAKE_SEED=N begins elsewhere; a failure says the seed that repeats it.

import ChaosModel
import ChaosSimulation
import Foundation
import Testing

@Suite
struct `Broken texts` {
    private static let seed =
        ProcessInfo.processInfo.environment["MOONQUAKE_SEED"].flatMap { UInt64($0) } ?? 1

    /// Does something with many generators; its failures say how to repeat them.
    private func times(_ count: UInt64, _ body: (inout SeededGenerator) throws -> Void) throws {
        for seed in Self.seed..<Self.seed + count {
            var random = SeededGenerator(seed: seed)
            do {
                try body(&random)
            } catch {
                Issue.record("\(error); again: MOONQUAKE_SEED=\(seed)")
                return
            }
        }
    }

    private static let conditions = [
        "p99 > 2s and error_rate > 5%", "not (up == 1 or p99 <= 300ms)", "a ~= -1.5e3",
        "rss >= 512MiB or rps < 200/s and not up != 1",
    ]
    private static let conditionWords = [
        "(", ")", "not ", " and ", " or ", "==", "<", "~=", "1e999", "nan", "5%", "µs", "\u{0}",
        "é",
        String(repeating: "(", count: 5000), String(repeating: "not ", count: 900),
    ]

    @Test
    func `a broken condition is one that reads back the same, or is refused`() throws {
        var accepted = 0
        try times(50_000) { random in
            let whole = Self.conditions.randomElement(using: &random) ?? ""
            let text = random.broken(whole, words: Self.conditionWords)
            do throws(ParameterProblem) {
                let condition = try Condition(parsing: text)
                accepted += 1
                guard try Condition(parsing: condition.description) == condition else {
                    throw ParameterProblem("\"\(condition)\" reads back otherwise")
                }
                _ = condition.holds(["p99": 1, "a": .nan, "up": .infinity], units: [:])
            } catch {
                guard
                    error.text.contains("is no condition") || error.text.hasPrefix("must be")
                        || error.text.hasPrefix("is nested")
                else { throw error }
            }
        }
        #expect(accepted > 5000 && accepted < 45_000, "both kinds came: \(accepted)")
    }

    private static let units = [
        "250ms", "1m30s", "10%", "512MiB", "1.5GB", "10mbit", "200/s", "-3s", "1e3s",
    ]
    private static let unitWords = [
        "1e400", "-", "+", ".", "µ", "inf", "nan", "0x10", "٣", " ", "%%", "s", "KiB", "/m",
    ]

    @Test
    func `a broken value has a finite number, or none`() throws {
        var accepted = 0
        try times(50_000) { random in
            let whole = Self.units.randomElement(using: &random) ?? ""
            let text = random.broken(whole, words: Self.unitWords)
            let values = [
                Units.seconds(text), Units.share(text), Units.bytes(text),
                Units.bitsPerSecond(text), Units.perSecond(text),
            ]
            for value in values.compactMap({ $0 }) {
                accepted += 1
                guard value.isFinite else { throw ParameterProblem("\"\(text)\" is \(value)") }
            }
            if let span = Units.duration(text) { _ = span.spelled }
        }
        #expect(accepted > 1000, "both kinds came: \(accepted)")
    }

    private static let requests = [
        #"{"id":7,"op":"inject","body":{"spec":{"fault":"noop","target":{"kind":"host","options":{}},"options":{"a_b":[1,"x"]}},"targets":[{"kind":"host"}],"deadline_ms":600000,"seed":1}}"#,
        #"{"id":3,"op":"revert","body":["1f0c9a1"]}"#,
        #"{"id":6,"op":"state","body":[{"process":{"identity":{"pid":2396,"start_time":360730}}}]}"#,
        #"{"id":1,"op":"hello","body":{"protocol_version":1,"run":"r","protected_endpoints":[{"address":"10.9.0.9","port":9090,"reason":"x"}],"protected_processes":[2],"term_ms":3000}}"#,
    ]
    private static let answers = [
        #"{"body":[{"effect":{"figures":[{"name":"x","value":"NaN","unit":""}],"hit":true,"seen":"s"},"fault":"noop","lease":"1","outcome":"reverted","seen":"s","target":{"kind":"process","name":"sleep","pid":2,"start_time":3},"took_ms":0.7}],"id":5,"reply":"reverted"}"#,
        #"{"body":{"lease":"1f0c9a1","seen":"gone"},"event":"target_gone"}"#,
        #"{"body":{"kind":"definition","message":"m"},"id":7,"reply":"failed"}"#,
    ]
    private static let frameWords = [
        "{", "}", "[", "]", "null", "true", "1e999", "-0", "\"\"", "\\u0000", "\\ud800", "\"id\":",
        "99999999999999999999", "\"body\":{}", "\u{1b}[2J", String(repeating: "[", count: 3000),
    ]

    /// A line that is read must be one that can be written and read again.
    private func frame<Line: Codable & Equatable>(_ type: Line.Type, _ text: String) throws -> Bool
    {
        guard let line = try? WireJSON.value(Line.self, from: text) else { return false }
        let again = try WireJSON.line(line)
        // NaN is not equal to itself, so the texts are compared.
        guard try WireJSON.line(WireJSON.value(Line.self, from: again)) == again else {
            throw ParameterProblem("\(text) reads back otherwise: \(again)")
        }
        return true
    }

    @Test
    func `a broken frame of runner or agent is one that reads back the same, or is refused`() throws
    {
        var accepted = 0
        try times(30_000) { random in
            let isRequest = Bool.random(using: &random)
            let whole = (isRequest ? Self.requests : Self.answers).randomElement(using: &random)
            let text = random.broken(whole ?? "", words: Self.frameWords)
            let isRead =
                isRequest ? try frame(AgentRequest.self, text) : try frame(AgentLine.self, text)
            accepted += isRead ? 1 : 0
        }
        #expect(accepted > 500 && accepted < 29_500, "both kinds came: \(accepted)")
    }
}
