// How often a Prometheus server scrapes, read from its list of targets.
//
// Format: https://prometheus.io/docs/prometheus/latest/querying/api/#targets

import ChaosModel
import FoundationEssentials

/// The targets of a server and their intervals.
struct ScrapeIntervals: Sendable {
    private let intervals: [(job: String, seconds: Double)]

    /// Reads the answer of `/api/v1/targets`; nil when it is none, or tells no intervals.
    init?(_ body: [UInt8]) {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            answer.status == "success"
        else { return nil }
        intervals = (answer.data?.activeTargets ?? []).compactMap { target in
            guard let text = target.scrapeInterval, let seconds = Units.seconds(text), seconds > 0
            else { return nil }
            return (target.labels?["job"] ?? target.scrapePool ?? "", seconds)
        }
        if intervals.isEmpty { return nil }
    }

    /// The longest interval among the jobs that a query names, or among all when it names none.
    func longest(for query: String) -> (seconds: Double, jobs: [String]) {
        let named = query.matches(of: /job\s*=\s*"([^"\\]*)"/).map { String($0.1) }
        let known = Set(intervals.map(\.job))
        let isKnown = !named.isEmpty && named.allSatisfy(known.contains)
        let jobs = isKnown ? named : []
        let longest = intervals.filter { jobs.isEmpty || jobs.contains($0.job) }.map(\.seconds)
            .max()
        return (longest ?? 0, jobs)
    }

    private struct Answer: Decodable {
        let status: String
        let data: Payload?
    }

    private struct Payload: Decodable { let activeTargets: [Target]? }

    private struct Target: Decodable {
        let labels: [String: String]?
        let scrapePool: String?
        let scrapeInterval: String?
    }
}
