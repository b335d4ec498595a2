// Reads the page at each sample, within the time-out, and keeps the pages of the window.

import ChaosModel
import Synchronization

/// A metric of a /metrics page.
final class ScrapeSource: MetricSource {
    private static let format = "text/plain;version=0.0.4;q=1,*/*;q=0.1"

    private let url: String
    private let name: String
    private let labels: [String: String]
    private let measure: ScrapeMeasure
    private let choice: SeriesChoice
    private let history: Mutex<ScrapeHistory>
    private let client: ServerClient
    private let time: any TimePort

    init(
        url: String,
        name: String,
        labels: [String: String],
        measure: ScrapeMeasure,
        choice: SeriesChoice,
        history: ScrapeHistory,
        client: ServerClient,
        time: any TimePort
    ) {
        self.url = url
        self.name = name
        self.labels = labels
        self.measure = measure
        self.choice = choice
        self.history = Mutex(history)
        self.client = client
        self.time = time
    }

    func start() async { client.start() }

    func stop() async { await client.stop() }

    func sample() async -> Reading {
        do {
            let at = time.now
            let answer = try await client.ask(url, accepting: Self.format, by: client.deadline)
            if let elsewhere = answer.redirection { return .noData(elsewhere) }
            guard (200..<300).contains(answer.status) else {
                return .noData("HTTP \(answer.status)")
            }
            let samples = try ExpositionParser(names: names).samples(of: answer.body)
                .filter { sample in labels.allSatisfy { sample.labels[$0.key] == $0.value } }
            return reading(of: ScrapedPage(at: at, samples: samples))
        } catch let trouble as ServerTrouble {
            return .noData(trouble.description)
        } catch {
            return .noData("\(error)")
        }
    }

    /// The names of the series that the measure needs.
    private var names: Set<String> {
        switch measure {
        case .value, .rate: [name]
        case .mean: [name + "_sum", name + "_count"]
        case .quantile: [name + "_bucket"]
        }
    }

    private func reading(of page: ScrapedPage) -> Reading {
        guard !page.samples.isEmpty else { return .noData(nothing) }
        if measure == .value {
            let series = page.samples.map {
                NamedSeries(labels: NamedSeries.labels(name, $0.labels), value: $0.value)
            }
            return choice.reading(of: series, warnings: [])
        }
        return history.withLock { history in
            history.add(page)
            guard let span = history.span else {
                return .noData("a rate needs pages at least 1s apart")
            }
            return windowed(history, over: span)
        }
    }

    private func windowed(_ history: ScrapeHistory, over span: Duration) -> Reading {
        let value: Double? =
            switch measure {
            case .value: nil
            case .rate: history.growth(of: name) / span.inSeconds
            case .mean:
                history.growth(of: name + "_count") > 0
                    ? history.growth(of: name + "_sum") / history.growth(of: name + "_count") : nil
            case .quantile(let share):
                BucketQuantile.value(share, of: history.buckets(of: name + "_bucket"))
            }
        guard let value, !value.isNaN else {
            return .noData("\(name) has no observation in the last \(span.spelled)")
        }
        return .value(value)
    }

    private var nothing: String {
        let wanted = labels.isEmpty ? "" : " with \(NamedSeries.labels("", labels))"
        return "the page has no series \(names.sorted().joined(separator: " or "))\(wanted)"
    }
}
