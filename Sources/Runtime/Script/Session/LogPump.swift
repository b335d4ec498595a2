// Lines of a script on their way to the time line. `print` cannot wait, since it may be called from inside
// table.sort; so its lines go through a bounded queue, and every verb first waits until the queue is empty: the
// order on the time line is the order in the script.

import Synchronization

/// Writes lines in their order.
final class LogPump: Sendable {
    private enum Entry {
        case line(String)
        case fence(CheckedContinuation<Void, Never>)
    }

    private static let mostEntries = 10_000
    private static let mostCharacters = 4096

    private let queue: AsyncStream<Entry>.Continuation

    /// Starts a queue that ends when its last user lets it go.
    init(_ write: @escaping @Sendable (String) async -> Void) {
        let (entries, queue) = AsyncStream.makeStream(
            of: Entry.self,
            bufferingPolicy: .bufferingOldest(Self.mostEntries)
        )
        self.queue = queue
        Task {
            for await entry in entries {
                switch entry {
                case .line(let text): await write(text)
                case .fence(let waiter): waiter.resume()
                }
            }
        }
    }

    deinit { queue.finish() }

    /// Adds a line; lines over the bound are dropped, since nobody could read them.
    func append(_ line: String) {
        queue.yield(.line(String(line.prefix(Self.mostCharacters))))
    }

    /// Returns when every line before it was written.
    func flush() async {
        await withCheckedContinuation { waiter in
            switch queue.yield(.fence(waiter)) {
            case .enqueued: break
            default: waiter.resume()
            }
        }
    }
}
