// An answer of the Prometheus HTTP API, read: pure, from status and bytes to series or the reason why there are none.
//
// Format: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries

import ChaosModel
import FoundationEssentials

/// One series of an instant vector; a scalar is a series without labels.
struct PrometheusSeries: Sendable, Hashable {
    /// The labels as PromQL writes them: `{instance="a", job="b"}`.
    let labels: String
    /// The value; NaN as it came.
    let value: Double
}

/// What Prometheus said.
struct PrometheusAnswer: Sendable, Hashable {
    /// The series; empty when the query matched nothing.
    let series: [PrometheusSeries]
    /// Warnings of the server.
    let warnings: [String]

    /// Reads an answer.
    init(status: Int, body: [UInt8]) throws(PrometheusTrouble) {
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
        series = try Self.series(data)
        warnings = (envelope.warnings ?? []).prefix(3).map(\.escapedForDisplay)
    }

    private static func series(
        _ data: Envelope.Payload
    ) throws(PrometheusTrouble) -> [PrometheusSeries] {
        switch data {
        case .scalar(let point):
            return [PrometheusSeries(labels: "", value: try number(point.value))]
        case .vector(let elements):
            var series: [PrometheusSeries] = []
            series.reserveCapacity(elements.count)
            for element in elements {
                let labels = labels(element.metric)
                guard let point = element.value else {
                    throw PrometheusTrouble(
                        "the query gives histograms; take a quantile or a count of them"
                    )
                }
                series.append(PrometheusSeries(labels: labels, value: try number(point.value)))
            }
            return series
        case .other(let type):
            let hint = type == "matrix" ? "; take an instant value, such as rate(…[1m])" : ""
            throw PrometheusTrouble(
                "the query gives a \(type.escapedForDisplay) and not a scalar or an instant "
                    + "vector\(hint)"
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
        let name = metric["__name__"] ?? ""
        let rest = metric.filter { $0.key != "__name__" }.sorted { $0.key < $1.key }
        let inner = rest.map { "\($0.key)=\"\($0.value.escapedForDisplay)\"" }
        return inner.isEmpty ? name : "\(name){\(inner.joined(separator: ", "))}"
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
        case other(String)

        private enum Keys: String, CodingKey { case resultType, result }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: Keys.self)
            switch try fields.decode(String.self, forKey: .resultType) {
            case "scalar": self = .scalar(try fields.decode(Point.self, forKey: .result))
            case "vector": self = .vector(try fields.decode([Element].self, forKey: .result))
            case let type: self = .other(type)
            }
        }
    }

    struct Element: Decodable {
        let metric: [String: String]
        let value: Point?
    }

    /// `[1435781451.781, "1"]`.
    struct Point: Decodable {
        let value: String

        init(from decoder: any Decoder) throws {
            var items = try decoder.unkeyedContainer()
            _ = try items.decode(Double.self)
            value = try items.decode(String.self)
        }
    }
}
