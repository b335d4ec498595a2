// Sends notices beside the day, never in its way: each notifier has a line of its own, with time-outs and retries, and
// what could not be sent is in the report.

package import ChaosModel

/// Sends one notice to one place, within a bounded time.
package protocol NoticeSender: Sendable {
    /// Sends it.
    ///
    /// - Throws: why it did not arrive.
    func send(_ notice: Notice) async throws
}

/// How the sending of a notice ended.
package struct NoticeRecord: Sendable, Hashable, Codable {
    /// The notifier, without secrets.
    package var notifier: String
    /// What it was about.
    package var kind: Notice.Kind
    /// How often it was tried.
    package var attempts: Int
    /// Why it did not arrive; nil when it did.
    package var failure: String?
    /// Seconds since 1970, UTC, of the end.
    package var at: Double

    /// Makes a record.
    package init(notifier: String, kind: Notice.Kind, attempts: Int, failure: String?, at: Double) {
        self.notifier = notifier
        self.kind = kind
        self.attempts = attempts
        self.failure = failure
        self.at = at
    }
}

/// The notifiers of one day.
package actor Notifications {
    /// How often a notice is tried.
    static let attempts = 3
    /// How long one attempt may take.
    static let patience = Duration.seconds(10)

    private let lines: [(name: String, sender: any NoticeSender)]
    private let time: any TimePort
    private var tails: [Int: Task<Void, Never>] = [:]
    /// One for each notice and notifier, from the moment when there is something to tell.
    private var records: [NoticeRecord] = []

    /// Makes the notifiers of a day.
    package init(_ senders: [(name: String, sender: any NoticeSender)], time: any TimePort) {
        lines = senders
        self.time = time
    }

    /// Begins to tell everybody; returns at once.
    package func tell(_ notice: Notice) {
        for (index, line) in lines.enumerated() {
            let earlier = tails[index]
            let record = records.count
            records.append(
                NoticeRecord(
                    notifier: line.name,
                    kind: notice.kind,
                    attempts: 0,
                    failure: "its turn did not come: the notices before it took too long",
                    at: time.secondsSince1970
                )
            )
            tails[index] = Task {
                await earlier?.value
                await self.send(notice, by: line.sender, record)
            }
        }
    }

    /// What was sent and what was not, after waiting for what is under way, at most for `limit`.
    package func settle(within limit: Duration) async -> [NoticeRecord] {
        let tails = Array(self.tails.values)
        let (over, end) = AsyncStream.makeStream(of: Void.self)
        // Not children of this task: it would wait for a sender that cannot be cancelled, such as libcurl's.
        Task {
            for tail in tails { await tail.value }
            end.finish()
        }
        let timer = Task { [time] in
            try? await time.sleep(for: limit)
            end.finish()
        }
        for await _ in over {}
        timer.cancel()
        for tail in tails { tail.cancel() }
        return records
    }

    private func send(_ notice: Notice, by sender: any NoticeSender, _ record: Int) async {
        for attempt in 1...Self.attempts {
            guard !Task.isCancelled else { return }
            note(record, attempt, "no answer by the end of the day")
            do {
                try await Self.limited(to: Self.patience, time) { try await sender.send(notice) }
                return note(record, attempt, nil)
            } catch {
                guard !Task.isCancelled else { return }
                note(record, attempt, "\(error)")
            }
            guard attempt < Self.attempts else { return }
            try? await time.sleep(for: .seconds(1 << (attempt - 1)))
        }
    }

    private func note(_ record: Int, _ attempts: Int, _ failure: String?) {
        records[record].attempts = attempts
        records[record].failure = failure
        records[record].at = time.secondsSince1970
    }

    private static func limited(
        to limit: Duration,
        _ time: any TimePort,
        _ work: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await time.sleep(for: limit)
                throw NoticeTimeout(limit: limit)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

/// An attempt that took too long.
struct NoticeTimeout: Error, CustomStringConvertible {
    let limit: Duration

    var description: String { "no answer within \(limit.spelled)" }
}

extension Notifications {
    /// Makes the notifiers of a definition.
    package init(_ notifiers: [Notifier], time: any TimePort) {
        self.init(notifiers.map { ($0.name, $0.sender) }, time: time)
    }
}

extension Notifier {
    fileprivate var sender: any NoticeSender {
        switch self {
        case .webhook(let url, let headers):
            WebhookSender(url: url, headers: headers, patience: Notifications.patience)
        case .email(let email): EmailSender(email: email, patience: Notifications.patience)
        case .command(let arguments): CommandSender(arguments: arguments)
        }
    }
}
