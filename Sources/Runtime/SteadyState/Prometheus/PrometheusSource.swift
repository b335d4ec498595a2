// Asks Prometheus at each sample, within the time-out, whatever the server does.

import ChaosModel
import NIOCore
import Synchronization

/// An instant query, or a range query over the last window.
///
/// It goes as a POST form, so that its length has no limit, and as a GET where POST is not allowed (a read-only proxy).
final class PrometheusSource: MetricSource {
    /// What is asked, and how.
    struct Query: Sendable {
        /// The URL of the API, without a slash at its end.
        let api: String
        /// The query as it was written.
        let text: String
        /// Nil for an instant query.
        let range: Range?
        /// The scrape interval, if the script says it.
        let declaredLag: Duration?
        let choice: SeriesChoice
    }

    /// The points of a range query.
    struct Range: Sendable {
        let step: Duration
        let window: Duration
        let figure: RangeReduction.Figure
    }

    private let query: Query
    private let client: ServerClient
    /// Asks for the age of the samples beside the query itself.
    private let ageClient: ServerClient
    private let time: any TimePort
    private let selectors: [String]
    private let usesGet = Mutex(false)
    private let lag: Mutex<Duration>

    init(_ query: Query, client: ServerClient, ageClient: ServerClient, time: any TimePort) {
        self.query = query
        self.client = client
        self.ageClient = ageClient
        self.time = time
        selectors = query.range == nil ? QuerySelectors.instant(in: query.text) : []
        lag = Mutex(query.declaredLag ?? PrometheusMetric.assumedInterval)
    }

    func start() async {
        client.start()
        ageClient.start()
    }

    func stop() async {
        await client.stop()
        await ageClient.stop()
    }

    func readLag() async -> LagReading? {
        if query.declaredLag != nil { return nil }
        client.start()
        do {
            let url = "\(query.api)/targets?state=active"
            let answer = try await client.ask(url, by: client.deadline)
            guard answer.status == 200, let intervals = ScrapeIntervals(answer.body) else {
                return .assumed(
                    PrometheusMetric.assumedInterval,
                    why: "the server does not tell its scrape intervals (HTTP \(answer.status))"
                )
            }
            let (seconds, jobs) = intervals.longest(for: query.text)
            lag.withLock { $0 = .seconds(seconds) }
            let source = jobs.isEmpty ? "the slowest target" : "job \(jobs.joined(separator: ", "))"
            return .read(.seconds(seconds), from: "Prometheus, \(source.escapedForDisplay)")
        } catch {
            return .assumed(PrometheusMetric.assumedInterval, why: error.description)
        }
    }

    func sample() async -> Reading {
        do {
            async let age = oldestAge()
            let answer = try await answer()
            let reading = query.choice.reading(of: answer)
            let limit = lag.withLock(\.self) * 2
            guard case .value = reading, let age = await age, age > limit.inSeconds else {
                return reading
            }
            return .noData(
                "the newest sample is \(Duration.seconds(age).spelled) old, more than twice the scrape "
                    + "interval (\(limit.spelled))"
            )
        } catch let trouble as PrometheusTrouble {
            return .noData(trouble.description)
        } catch {
            return .noData("\(error)")
        }
    }

    private func answer() async throws -> PrometheusAnswer {
        let form = "query=" + FormEncoding.encode(query.text)
        guard let range = query.range else {
            let answer = try await ask("query", form, with: client)
            return try PrometheusAnswer(status: answer.status, body: answer.body)
        }
        let end = time.secondsSince1970
        let start = end - range.window.inSeconds
        let answer = try await ask(
            "query_range",
            form + "&start=\(start)&end=\(end)&step=\(range.step.inSeconds)",
            with: client
        )
        let ended = end - range.step.inSeconds - lag.withLock(\.self).inSeconds * 2
        return try PrometheusAnswer(
            status: answer.status,
            body: answer.body,
            range: RangeReduction(figure: range.figure, newest: ended)
        )
    }

    /// The age of the oldest series that the query takes as it stands, by the server's clock; nil when that is not known.
    private func oldestAge() async -> Double? {
        var oldest: Double?
        for selector in selectors {
            let text = "time() - min(timestamp(\(selector)))"
            let form = "query=" + FormEncoding.encode(text)
            guard let answer = try? await ask("query", form, with: ageClient),
                let read = try? PrometheusAnswer(status: answer.status, body: answer.body),
                let age = read.series.first?.value, age.isFinite
            else { continue }
            oldest = max(oldest ?? age, age)
        }
        return oldest
    }

    private func ask(
        _ endpoint: String,
        _ form: String,
        with client: ServerClient
    ) async throws -> ServerAnswer {
        let deadline = client.deadline
        let url = "\(query.api)/\(endpoint)"
        if !usesGet.withLock(\.self) {
            let answer = try await client.ask(url, form: form, by: deadline)
            guard answer.status == 405 else { return try answer.here() }
            usesGet.withLock { $0 = true }
        }
        return try await client.ask("\(url)?\(form)", by: deadline).here()
    }
}

extension ServerAnswer {
    /// The answer, unless it sends us elsewhere.
    fileprivate func here() throws(PrometheusTrouble) -> ServerAnswer {
        if let redirection { throw PrometheusTrouble(redirection) }
        return self
    }
}
