// An answer of the Prometheus HTTP API, read: pure, from status and bytes to series or the reason why there are none.
//
// Format: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries

import ChaosModel
import FoundationEssentials

/// What Prometheus said.
struct PrometheusAnswer: Sendable, Hashable {
    /// The series; empty when the query matched nothing.
    let series: [NamedSeries]
    /// Warnings of the server.
    let warnings: [String]

    /// Reads an answer.
    ///
    /// `range` says what stands for the points of a range query; nil for an instant query.
    init(status: Int, body: [UInt8], range: RangeReduction? = nil) throws(PrometheusTrouble) {
        let decoded = try? JSONDecoder().decode(Envelope.self, from: Data(body))
        guard let envelope = decoded else {
            let start = String(decoding: body.prefix(160), as: UTF8.self).escapedForDisplay
            let what = (200..<300).contains(status) ? "no answer of the Prometheus API" : "refused"
            let shown = start.isEmpty ? "" : ": \"\(start)\""
            throw PrometheusTrouble("HTTP \(status), \(what)\(shown)")
        }
        guard envelope.status == "success", (200..<300).contains(status) else {
            let kind = envelope.errorType.map { " (\($0.escapedForDisplay))" } ?? ""
            let text = (envelope.error ?? "no reason given").escapedForDisplay
            throw PrometheusTrouble("prometheus answers HTTP \(status): \(text)\(kind)")
        }
        guard let data = envelope.data else {
            throw PrometheusTrouble("prometheus answers without data")
        }
        series = try Self.series(data, range)
        warnings = (envelope.warnings ?? []).prefix(3).map(\.escapedForDisplay)
    }

    private static func series(
        _ data: Envelope.Payload,
        _ range: RangeReduction?
    ) throws(PrometheusTrouble) -> [NamedSeries] {
        switch data {
        case .scalar(let point):
            return [NamedSeries(labels: "", value: try number(point.value))]
        case .vector(let elements):
            var series: [NamedSeries] = []
            series.reserveCapacity(elements.count)
            for element in elements {
                let labels = labels(element.metric)
                guard let point = element.value else {
                    throw PrometheusTrouble(
                        "the query gives histograms; take a quantile or a count of them"
                    )
                }
                series.append(NamedSeries(labels: labels, value: try number(point.value)))
            }
            return series
        case .matrix(let elements) where range != nil:
            var series: [NamedSeries] = []
            for element in elements {
                var points: [(at: Double, value: Double)] = []
                for point in element.values ?? [] {
                    points.append((point.at, try number(point.value)))
                }
                guard let value = range?.value(of: points) else { continue }
                series.append(NamedSeries(labels: labels(element.metric), value: value))
            }
            return series
        case .matrix:
            throw PrometheusTrouble(
                "the query gives a matrix and not a scalar or an instant vector; take an instant "
                    + "value, such as rate(…[1m])"
            )
        case .other(let type):
            throw PrometheusTrouble(
                "the query gives a \(type.escapedForDisplay) and not a scalar or an instant vector"
            )
        }
    }

    private static func number(_ text: String) throws(PrometheusTrouble) -> Double {
        switch text {
        case "NaN": return .nan
        case "+Inf", "Inf": return .infinity
        case "-Inf": return -.infinity
        default:
            guard let number = Double(text) else {
                throw PrometheusTrouble("the value \"\(text.escapedForDisplay)\" is no number")
            }
            return number
        }
    }

    private static func labels(_ metric: [String: String]) -> String {
        NamedSeries.labels(metric["__name__"] ?? "", metric.filter { $0.key != "__name__" })
    }
}

/// Why Prometheus gave no value.
struct PrometheusTrouble: Error, Sendable, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The JSON around every answer.
private struct Envelope: Decodable {
    let status: String
    let data: Payload?
    let errorType: String?
    let error: String?
    let warnings: [String]?

    enum Payload: Decodable {
        case scalar(Point)
        case vector([Element])
        case matrix([Element])
        case other(String)

        private enum Keys: String, CodingKey { case resultType, result }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: Keys.self)
            switch try fields.decode(String.self, forKey: .resultType) {
            case "scalar": self = .scalar(try fields.decode(Point.self, forKey: .result))
            case "vector": self = .vector(try fields.decode([Element].self, forKey: .result))
            case "matrix": self = .matrix(try fields.decode([Element].self, forKey: .result))
            case let type: self = .other(type)
            }
        }
    }

    struct Element: Decodable {
        let metric: [String: String]
        let value: Point?
        let values: [Point]?
    }

    /// `[1435781451.781, "1"]`.
    struct Point: Decodable {
        /// Seconds since 1970.
        let at: Double
        let value: String

        init(from decoder: any Decoder) throws {
            var items = try decoder.unkeyedContainer()
            at = try items.decode(Double.self)
            value = try items.decode(String.self)
        }
    }
}
