// The lines between runner and agent: `{"id":7,"op":"inject","body":{…}}` there,
// `{"id":7,"reply":"injected","body":[…]}` and `{"event":"expired","body":{…}}` back.

import FoundationEssentials

/// A line to the agent.
package struct AgentRequest: Sendable, Hashable, Codable {
    /// Chosen by the runner; the reply repeats it.
    package var id: Int
    /// What is asked.
    package var call: AgentCall

    /// Makes a request.
    package init(id: Int, call: AgentCall) {
        self.id = id
        self.call = call
    }

    private enum CodingKeys: String, CodingKey { case id, op, body }

    private enum Operation: String, Codable {
        case hello, plan, inject, renew, survey, state, revert, recover, leave
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        id = try fields.decode(Int.self, forKey: .id)
        call =
            switch try fields.decode(Operation.self, forKey: .op) {
            case .hello: .hello(try fields.decode(AgentCall.Hello.self, forKey: .body))
            case .plan: .plan(try fields.decode(AgentCall.PlanCall.self, forKey: .body))
            case .inject: .inject(try fields.decode(AgentCall.InjectCall.self, forKey: .body))
            case .renew: .renew
            case .survey: .survey
            case .state: .state(try fields.decode([StatePart].self, forKey: .body))
            case .revert: .revert(try fields.decode([LeaseID].self, forKey: .body))
            case .recover: .recover
            case .leave: .leave
            }
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(id, forKey: .id)
        func put(_ operation: Operation, _ body: (any Encodable)? = nil) throws {
            try fields.encode(operation, forKey: .op)
            if let body { try fields.encode(body, forKey: .body) }
        }
        switch call {
        case .hello(let body): try put(.hello, body)
        case .plan(let body): try put(.plan, body)
        case .inject(let body): try put(.inject, body)
        case .renew: try put(.renew)
        case .survey: try put(.survey)
        case .state(let parts): try put(.state, parts)
        case .revert(let leases): try put(.revert, leases)
        case .recover: try put(.recover)
        case .leave: try put(.leave)
        }
    }
}

/// A line from the agent.
package enum AgentLine: Sendable, Hashable, Codable {
    /// The answer to a request.
    case reply(id: Int, AgentReply)
    /// Something unasked.
    case event(AgentEvent)

    private enum CodingKeys: String, CodingKey { case id, reply, event, body, reason }

    private enum ReplyName: String, Codable {
        case hello, plan, injected, renewed, surveyed, state, reverted, recovered, failed
    }

    private enum EventName: String, Codable {
        case expired, aborted, orphaned, violated, noted
        case targetGone = "target_gone"
        case endedEarly = "ended_early"
    }

    private struct Gone: Codable {
        var lease: LeaseID
        var seen: String
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        func body<Body: Decodable>(_ type: Body.Type = Body.self) throws -> Body {
            try fields.decode(Body.self, forKey: .body)
        }
        if let id = try fields.decodeIfPresent(Int.self, forKey: .id) {
            let reply: AgentReply =
                switch try fields.decode(ReplyName.self, forKey: .reply) {
                case .hello: .hello(try body())
                case .plan: .plan(try body())
                case .injected: .injected(try body())
                case .renewed: .renewed
                case .surveyed: .surveyed(try body())
                case .state: .state(try body())
                case .reverted: .reverted(try body())
                case .recovered: .recovered(try body())
                case .failed: .failed(try body())
                }
            self = .reply(id: id, reply)
            return
        }
        let event: AgentEvent =
            switch try fields.decode(EventName.self, forKey: .event) {
            case .expired: .expired(try body())
            case .aborted:
                .aborted(reason: try fields.decode(String.self, forKey: .reason), try body())
            case .orphaned: .orphaned(try body())
            case .violated:
                .violated(reason: try fields.decode(String.self, forKey: .reason), try body())
            case .targetGone:
                { (gone: Gone) in .targetGone(gone.lease, gone.seen) }(try body())
            case .noted: { (note: Gone) in .noted(note.lease, note.seen) }(try body())
            case .endedEarly:
                { (gone: Gone) in .endedEarly(gone.lease, gone.seen) }(try body())
            }
        self = .event(event)
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .reply(let id, let reply):
            try fields.encode(id, forKey: .id)
            try Self.encode(reply, into: &fields)
        case .event(let event):
            try Self.encode(event, into: &fields)
        }
    }

    private static func encode(
        _ reply: AgentReply,
        into fields: inout KeyedEncodingContainer<CodingKeys>
    ) throws {
        func put(_ name: ReplyName, _ body: (any Encodable)? = nil) throws {
            try fields.encode(name, forKey: .reply)
            if let body { try fields.encode(body, forKey: .body) }
        }
        switch reply {
        case .hello(let body): try put(.hello, body)
        case .plan(let body): try put(.plan, body)
        case .injected(let body): try put(.injected, body)
        case .renewed: try put(.renewed)
        case .surveyed(let body): try put(.surveyed, body)
        case .state(let body): try put(.state, body)
        case .reverted(let body): try put(.reverted, body)
        case .recovered(let body): try put(.recovered, body)
        case .failed(let body): try put(.failed, body)
        }
    }

    private static func encode(
        _ event: AgentEvent,
        into fields: inout KeyedEncodingContainer<CodingKeys>
    ) throws {
        func put(_ name: EventName, _ body: any Encodable) throws {
            try fields.encode(name, forKey: .event)
            try fields.encode(body, forKey: .body)
        }
        switch event {
        case .expired(let record): try put(.expired, record)
        case .aborted(let reason, let records):
            try fields.encode(reason, forKey: .reason)
            try put(.aborted, records)
        case .orphaned(let records): try put(.orphaned, records)
        case .violated(let reason, let records):
            try fields.encode(reason, forKey: .reason)
            try put(.violated, records)
        case .targetGone(let lease, let seen): try put(.targetGone, Gone(lease: lease, seen: seen))
        case .noted(let lease, let seen): try put(.noted, Gone(lease: lease, seen: seen))
        case .endedEarly(let lease, let seen): try put(.endedEarly, Gone(lease: lease, seen: seen))
        }
    }
}

/// JSON on one line, keys in snake_case and sorted, as messages, journals and reports have it.
package enum WireJSON {
    /// One line without its newline.
    package static func line(_ value: some Encodable) throws -> String {
        try text(value, [.sortedKeys, .withoutEscapingSlashes])
    }

    /// Indented lines, for people.
    package static func pretty(_ value: some Encodable) throws -> String {
        try text(value, [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
    }

    private static func text(
        _ value: some Encodable,
        _ formatting: JSONEncoder.OutputFormatting
    ) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = formatting
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "+Inf",
            negativeInfinity: "-Inf",
            nan: "NaN"
        )
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The value of a line.
    package static func value<Value: Decodable>(_ type: Value.Type, from line: String) throws
        -> Value
    {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in
            Key(stringValue: camelCase(path.last?.stringValue ?? ""))
        }
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "+Inf",
            negativeInfinity: "-Inf",
            nan: "NaN"
        )
        return try decoder.decode(Value.self, from: Data(line.utf8))
    }

    /// `boot_id` to `bootID`, `delay_ms` to `delayMs`: the way back of `convertToSnakeCase`, identifiers included.
    private static func camelCase(_ key: String) -> String {
        let words = key.split(separator: "_")
        guard let first = words.first, words.count > 1 else { return key }
        return first
            + words.dropFirst().map {
                $0 == "id" ? "ID" : $0.prefix(1).uppercased() + $0.dropFirst()
            }.joined()
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { nil }
    }
}
