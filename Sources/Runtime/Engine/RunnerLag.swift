// How old the values are that a run is judged by, and what follows from that: too short a run shows nothing in them,
// and an abort comes late.

package import ChaosModel
import ChaosSteadyState

extension SteadyStateDefinition {
    /// How late an abort may come at worst because of a metric: from the moment a value goes wrong, until the next
    /// scrape, until the next sample, and for as long as the metric is forgiven.
    func abortLagMs(of metric: MetricDefinition) -> Double {
        let forgiven = max(
            Double(max(0, metric.failures - 1)) * everyMs,
            everyMs > 0 ? (metric.forAtLeastMs / everyMs).rounded(.up) * everyMs : 0
        )
        return everyMs + metric.lagMs + forgiven
    }

    /// Why a run is too short to show in a metric that is scraped, or nil.
    ///
    /// `known` says of which metrics the interval is known and not guessed.
    package func tooShort(
        _ length: Duration?,
        known: (MetricDefinition) -> Bool
    ) -> DefinitionError? {
        guard let length else { return nil }
        let judged = metrics.filter { metric in
            metric.isScraped && known(metric) && metric.lagMs > 0
                && (metric.healthy != nil || metric.tolerated != nil)
        }
        guard let slowest = judged.max(by: { $0.lagMs < $1.lagMs }),
            length.inMilliseconds < slowest.lagMs * 2
        else { return nil }
        let lag = Duration.milliseconds(slowest.lagMs)
        return DefinitionError(
            "steady_state",
            "the faults are on for \(length.spelled), and \(slowest.name) is scraped every \(lag.spelled): "
                + "what they do may never be seen; keep them on for at least \((lag * 2).spelled), or scrape "
                + "more often and say so with scrape_interval",
            at: slowest.location
        )
    }
}

extension MetricDefinition {
    /// Whether the script says how often it is scraped.
    package var declaresInterval: Bool { options["scrape_interval"] != nil }
}

extension Runner {
    /// Asks every source how old its values may be; returns why the run is too short for them, or nil.
    func readLags() async -> DefinitionError? {
        let asked = record.metrics.compactMap { metric in
            sources[metric.name].map { (name: metric.name, source: $0) }
        }
        let readings = await withTaskGroup(of: (String, LagReading?).self) { group in
            for (name, source) in asked { group.addTask { (name, await source.readLag()) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        var guessed: Set<String> = []
        for index in record.metrics.indices {
            let name = record.metrics[index].name
            switch readings[name] {
            case .read(let lag, let source):
                record.metrics[index].lagMs = lag.inMilliseconds
                emit(.plan, "\(name): scraped every \(lag.spelled) (read from \(source))")
            case .assumed(let lag, let why):
                record.metrics[index].lagMs = lag.inMilliseconds
                guessed.insert(name)
                emit(
                    .warning,
                    "\(name): its values are taken to be up to \(lag.spelled) old, since \(why); "
                        + "say scrape_interval if you know it"
                )
            case nil: break
            }
        }
        let watched = record.watched
        if let slowest = watched.metrics.max(by: {
            watched.abortLagMs(of: $0) < watched.abortLagMs(of: $1)
        }) {
            let lag = Duration.milliseconds(watched.abortLagMs(of: slowest)).spelled
            emit(.plan, "an abort can be late by \(lag) at worst, because of \(slowest.name)")
        }
        return watched.tooShort(rehearsal.length) { !guessed.contains($0.name) }
    }
}

extension RunRecord {
    /// The steady state with what is known of its metrics by now.
    var watched: SteadyStateDefinition {
        var watched = experiment.steadyState
        watched.metrics = metrics
        return watched
    }
}
