// Runs a source for the length of a test, and waits for what it says.

import ChaosModel
import ChaosSteadyState

/// Makes, starts and stops a source around a test.
func withSource<Result>(
    _ kind: String,
    _ options: [String: ParameterValue],
    target: TargetSelector? = nil,
    in context: SourceContext = .stub(),
    _ body: (any MetricSource) async throws -> Result
) async throws -> Result {
    let catalogue = MetricCatalogue()
    let definition = try catalogue.definition(
        name: "m",
        source: kind,
        options: options,
        target: target
    )
    let source = try catalogue.source(for: definition, in: context)
    await source.start()
    do {
        let result = try await body(source)
        await source.stop()
        return result
    } catch {
        await source.stop()
        throw error
    }
}

extension MetricSource {
    /// The first reading that is as wanted, or the last one seen after ten seconds.
    func reading(where isWanted: (Reading) -> Bool) async throws -> Reading {
        let end = ContinuousClock.now + .seconds(10)
        var last = await sample()
        while !isWanted(last), ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(5))
            last = await sample()
        }
        return last
    }

    /// The first value that is as wanted, or the last one after ten seconds.
    func value(where isWanted: (Double) -> Bool = { _ in true }) async throws -> Double? {
        let reading = try await reading { $0.number.map(isWanted) ?? false }
        if reading.number.map(isWanted) != true { print("GAVE UP: \(reading)") }
        return reading.number
    }
}

extension Reading {
    /// The value, if there is one.
    var number: Double? {
        if case .value(let value, _) = self { return value }
        return nil
    }

    /// The note, or the reason why there is no value.
    var text: String {
        switch self {
        case .value(_, let note): note ?? ""
        case .noData(let reason): reason
        }
    }
}
