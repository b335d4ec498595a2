// The metrics of a test: each says what the test says, be it a value or a function of the moment. A metric that the test
// says nothing about is the test's mistake, unless a function of the script itself or the made-up machine can answer.

import ChaosModel
import ChaosSteadyState
import LuaBridge
import Synchronization

/// What a test says that metrics are.
final class MadeUpMetrics: Sendable {
    private let given: [String: LuaValue]
    private let vm: LuaVM
    /// What a function is given.
    private let moment: @Sendable () -> LuaValue
    private let missing = Mutex<Set<String>>([])
    private let failure = Mutex<LuaError?>(nil)

    init(_ given: [String: LuaValue], in vm: LuaVM, moment: @escaping @Sendable () -> LuaValue) {
        self.given = given
        self.vm = vm
        self.moment = moment
    }

    /// What the test forgot, or what one of its functions failed with.
    func problem(of file: String) -> (any Error)? {
        if let failure = failure.withLock({ $0 }) { return failure }
        let names = missing.withLock { $0.sorted() }
        guard let first = names.first else { return nil }
        return TestMistake(
            "\(file) watches \(names.joined(separator: ", ")), and the test says nothing of it: "
                + "add metrics = { \(first) = … }, a value or a function"
        )
    }

    /// The source of a metric; what is not made up comes from `other`.
    func source(
        of metric: MetricDefinition,
        other: (MetricDefinition) throws(DefinitionError) -> any MetricSource
    ) throws(DefinitionError) -> any MetricSource {
        if let value = given[metric.name] { return MadeUpSource(metric, value, self) }
        guard expect(metric) else {
            throw DefinitionError(
                "metric.\(metric.source)",
                "the test says nothing of \(metric.name)",
                at: metric.location
            )
        }
        return try other(metric)
    }

    /// Takes note of a metric that is to be watched; false when there is nobody to say what it is.
    @discardableResult
    func expect(_ metric: MetricDefinition) -> Bool {
        guard given[metric.name] == nil, metric.source != "lua", !metric.countsProcesses else {
            return true
        }
        missing.withLock { _ = $0.insert(metric.name) }
        return false
    }

    fileprivate func reading(of metric: MetricDefinition, _ value: LuaValue) async -> Reading {
        guard case .function(let function) = value else {
            return Self.reading([value], of: metric)
        }
        do throws(LuaError) {
            return Self.reading(
                try await vm.call(function, [moment(), metric.described]),
                of: metric
            )
        } catch {
            failure.withLock { $0 = $0 ?? error }
            return .noData(error.description)
        }
    }

    private static func reading(_ results: [LuaValue], of metric: MetricDefinition) -> Reading {
        let first = results.first ?? .nil
        switch first {
        case .integer(let number): return .value(Double(number))
        case .number(let number):
            return number.isNaN ? .noData("the value is NaN") : .value(number)
        case .boolean(let flag): return .value(flag ? 1 : 0)
        case .string(let text):
            guard let number = metric.unit.read(text) else {
                return .noData("\"\(text)\" is no value of \(metric.name)")
            }
            return .value(number)
        case .nil: return .noData(results.dropFirst().first?.string ?? "the test says so")
        case .table, .function, .object:
            return .noData("a value must be a number or a string with its unit, got \(first)")
        }
    }
}

extension MetricDefinition {
    /// What a function of a test is told of it.
    fileprivate var described: LuaValue {
        var table: LuaTable = [
            "name": .string(name), "source": .string(source), "unit": .string(unit.rawValue),
        ]
        if case .string(let measure) = options["measure"] { table["measure"] = .string(measure) }
        return .table(table)
    }

    /// Whether it is the number of processes, which the made-up machine knows.
    var countsProcesses: Bool { source == "process" && options["measure"] == "alive" }
}

/// One metric of a test.
private struct MadeUpSource: MetricSource {
    private let metric: MetricDefinition
    private let value: LuaValue
    private let metrics: MadeUpMetrics

    init(_ metric: MetricDefinition, _ value: LuaValue, _ metrics: MadeUpMetrics) {
        self.metric = metric
        self.value = value
        self.metrics = metrics
    }

    func start() async {}
    func sample() async -> Reading { await metrics.reading(of: metric, value) }
    func stop() async {}
}
