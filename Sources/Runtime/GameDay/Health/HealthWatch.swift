// The health check between experiments: the metrics of a steady state, sampled until all are healthy.

package import ChaosModel
import ChaosSteadyState

/// Watches a steady state outside of a run.
package struct HealthWatch: HealthCheck {
    private let steadyState: SteadyStateDefinition
    private let makeSource: @Sendable (MetricDefinition) throws(DefinitionError) -> any MetricSource
    private let time: any TimePort

    /// Makes a check.
    ///
    /// - Parameters:
    ///   - steadyState: What must be healthy.
    ///   - makeSource: Makes the source of a metric.
    ///   - time: Time.
    package init(
        _ steadyState: SteadyStateDefinition,
        makeSource:
            @escaping @Sendable (MetricDefinition) throws(DefinitionError) -> any MetricSource,
        time: any TimePort
    ) {
        self.steadyState = steadyState
        self.makeSource = makeSource
        self.time = time
    }

    package func awaitHealthy(within limit: Duration) async -> String? {
        var sources: [(name: String, source: any MetricSource)] = []
        do throws(DefinitionError) {
            for metric in steadyState.metrics {
                sources.append((metric.name, try makeSource(metric)))
            }
        } catch {
            return "\(error)"
        }
        for source in sources { await source.source.start() }
        let problem = await watch(sources, within: limit)
        for source in sources { await source.source.stop() }
        return problem
    }

    private func watch(
        _ sources: [(name: String, source: any MetricSource)],
        within limit: Duration
    ) async -> String? {
        let every = Duration.milliseconds(max(1, steadyState.everyMs))
        let deadline = time.now.advanced(by: limit)
        var judge = SteadyStateJudge(steadyState.metrics)
        var latest: [String: Sample] = [:]
        while !Task.isCancelled {
            for (name, sample) in await Self.samples(of: sources, time) {
                latest[name] = sample
                _ = judge.judge(sample, of: name)
            }
            if judge.isSteady { return nil }
            guard time.now < deadline else { break }
            let next = min(time.now.advanced(by: every), deadline)
            guard (try? await time.sleep(until: next)) != nil else { break }
        }
        return problem(judge, latest, limit)
    }

    /// All at once, so that one that hangs makes the others no later than its own time-out.
    private static func samples(
        of sources: [(name: String, source: any MetricSource)],
        _ time: any TimePort
    ) async -> [(String, Sample)] {
        await withTaskGroup(of: (String, Sample).self) { group in
            for (name, source) in sources {
                group.addTask {
                    let at = time.now
                    switch await source.sample() {
                    case .value(let value, let note):
                        return (name, Sample(at: at, value: value, note: note))
                    case .noData(let why): return (name, Sample(at: at, value: nil, note: why))
                    }
                }
            }
            var samples: [(String, Sample)] = []
            for await sample in group { samples.append(sample) }
            return samples
        }
    }

    private func problem(
        _ judge: SteadyStateJudge,
        _ latest: [String: Sample],
        _ limit: Duration
    ) -> String {
        let bad = steadyState.metrics.filter { judge.unsteady[$0.name] != nil }.map { metric in
            let sample = latest[metric.name]
            let value =
                sample?.value.map(metric.unit.spelled) ?? "no data (\(sample?.note ?? "none yet"))"
            let wanted = metric.healthy.map { ", must be \($0.spelled(in: metric.unit))" } ?? ""
            return "\(metric.name) is \(value)\(wanted)"
        }
        return bad.joined(separator: "; ") + ", after \(limit.spelled)"
    }
}
