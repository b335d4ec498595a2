// The statistics beside SciPy's: the cases and their values are in Tests/Fixtures/statistics, made by a script there.

import ChaosModel
import ChaosSteadyState
import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// What SciPy says of two samples.
struct ComparedCase: Decodable, Sendable, CustomStringConvertible {
    let name: String
    let first: [Double]
    let second: [Double]
    let u: Double
    let pAuto: Double
    let pAsymptotic: Double
    let pExact: Double?
    let method: String
    let shift: Double
    let low: Double
    let high: Double
    let delta: Double

    var description: String { name }

    private static let folder =
        URL(filePath: #filePath).deletingLastPathComponent().path + "/../../Fixtures/statistics"

    static var fixture: [ComparedCase] {
        get throws {
            try cases(Data(contentsOf: URL(filePath: folder + "/scipy.json")))
        }
    }

    static var script: String { folder + "/compare.py" }

    static func cases(_ data: Data) throws -> [ComparedCase] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode([ComparedCase].self, from: data)
    }

    /// Compares what we make of the samples with what SciPy made of them.
    func check() throws {
        let test = try #require(MannWhitney(first: first, second: second))
        #expect(test.u == u, "\(name)")
        #expect(test.method.rawValue == method, "\(name)")
        #expect(isNear(test.pValue, pAuto), "\(name): \(test.pValue), SciPy \(pAuto)")
        #expect(isNear(test.cliffsDelta, delta), "\(name)")
        let normal = try #require(
            MannWhitney(first: first, second: second, method: .asymptotic)
        )
        #expect(isNear(normal.pValue, pAsymptotic), "\(name): \(normal.pValue), \(pAsymptotic)")
        if let pExact {
            let counted = try #require(MannWhitney(first: first, second: second, method: .exact))
            #expect(isNear(counted.pValue, pExact), "\(name): \(counted.pValue), \(pExact)")
        }
        let estimate = try #require(
            HodgesLehmann(first: first, second: second, method: test.method)
        )
        #expect(isNear(estimate.shift, shift), "\(name): shift \(estimate.shift), \(shift)")
        #expect(isNear(estimate.low, low), "\(name): low \(estimate.low), \(low)")
        #expect(isNear(estimate.high, high), "\(name): high \(estimate.high), \(high)")
    }

    private func isNear(_ value: Double, _ wanted: Double) -> Bool {
        abs(value - wanted) <= 1e-9 * max(1, abs(wanted)) || abs(value / wanted - 1) < 1e-7
    }
}

@Suite
struct `Statistics` {
    private func metric() -> MetricDefinition {
        MetricDefinition(name: "p99", source: "http", options: [:], unit: .seconds)
    }

    private func samples(_ values: [Double?]) -> [Sample] {
        values.enumerated().map { index, value in
            Sample(at: Instant(nanoseconds: Int64(index) * 1_000_000_000), value: value)
        }
    }

    @Test
    func `they are SciPy's in every case of the fixture`() throws {
        let cases = try ComparedCase.fixture
        #expect(cases.count >= 15)
        for one in cases { try one.check() }
    }

    @Test
    func `they are SciPy's when it computes them now`() async throws {
        let asked = try await Subprocess.run(
            .name("python3"),
            arguments: ["-c", "import scipy"],
            output: .discarded,
            error: .discarded
        )
        guard asked.terminationStatus.isSuccess else {
            print("SKIPPED: python3 has no scipy here; the fixture that it made was compared")
            return
        }
        let made = try await Subprocess.run(
            .name("python3"),
            arguments: [ComparedCase.script],
            output: .string(limit: 4 << 20),
            error: .string(limit: 1 << 16)
        )
        #expect(made.terminationStatus.isSuccess, "\(made.standardError)")
        let cases = try ComparedCase.cases(Data(made.standardOutput.utf8))
        #expect(cases.map(\.name) == (try ComparedCase.fixture).map(\.name))
        for one in cases { try one.check() }
    }

    @Test
    func `fewer than eight samples on a side are too few`() {
        let few = samples((0..<7).map(Double.init))
        let many = samples((0..<20).map { Double($0) + 100 })
        for (first, second) in [(few, many), (many, few), ([], many)] {
            let comparison = RunReport.Comparison(
                .beforeDuring,
                of: metric(),
                first: first,
                second: second
            )
            #expect(comparison.result == .tooFewSamples)
            #expect(comparison.pValue == nil)
            #expect(comparison.shift == nil)
        }
        let seven = RunReport.Comparison(.beforeDuring, of: metric(), first: few, second: many)
        #expect(
            seven.sentence
                == "p99 before → during: too few samples (7 and 20, 8 each are needed)"
        )
    }

    @Test
    func `samples without data do not count`() {
        let half = samples((0..<14).map { $0 % 2 == 0 ? Double($0) : nil } + [.nan])
        let whole = samples((0..<20).map(Double.init))
        let comparison = RunReport.Comparison(
            .beforeAfter,
            of: metric(),
            first: half,
            second: whole
        )
        #expect(comparison.firstCount == 7)
        #expect(comparison.result == .tooFewSamples)
    }

    @Test
    func `a difference is told in a sentence`() {
        let before = samples((0..<10).map { 0.010 + Double($0) / 1e6 })
        let during = samples((0..<10).map { 0.110 + Double($0) / 1e6 })
        let comparison = RunReport.Comparison(
            .beforeDuring,
            of: metric(),
            first: before,
            second: during
        )
        #expect(comparison.result == .differs)
        #expect(comparison.u == 100)
        #expect(comparison.cliffsDelta == 1)
        #expect(
            comparison.sentence
                == "p99 before → during: +100ms (95 %: +100ms to +100ms), differs, "
                + "p 0.0002, Cliff's delta 1 (large)"
        )
        let same = RunReport.Comparison(
            .controlDuring,
            of: metric(),
            control: "others",
            first: before,
            second: before
        )
        #expect(same.result == .noDifference)
        #expect(same.sentence.hasPrefix("p99 others during → during: 0"))
    }

    @Test
    func `an infinite value has a rank and no distance`() {
        let before = samples((0..<10).map(Double.init))
        let during = samples((0..<9).map(Double.init) + [.infinity])
        let comparison = RunReport.Comparison(
            .beforeDuring,
            of: metric(),
            first: before,
            second: during
        )
        #expect(comparison.pValue != nil)
        #expect(comparison.shift == nil)
    }

    @Test(.rounds)
    func `hours of samples are compared in a moment`() throws {
        let first = (0..<20_000).map { Double($0 &* 7919 % 19_997) }
        let second = first.map { $0 + 5 }
        let begin = ContinuousClock.now
        let test = try #require(MannWhitney(first: first, second: second))
        let estimate = try #require(
            HodgesLehmann(first: first, second: second, method: test.method)
        )
        #expect(estimate.shift == 5)
        #expect(ContinuousClock.now - begin < .seconds(30), .ofFigure)
    }
}
