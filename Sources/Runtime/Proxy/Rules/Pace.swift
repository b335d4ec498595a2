// A rate of bytes: a bucket that fills with time and holds a tenth of a second's worth.

import NIOCore
import Synchronization

/// Says how many bytes may go now.
protocol Pace: AnyObject {
    /// Takes up to `wanted` bytes; 0 means none for `pause`.
    func take(_ wanted: Int, now: NIODeadline) -> Int
    /// How long to wait when nothing was left.
    var pause: TimeAmount { get }
}

/// The bucket.
struct ByteBucket {
    private let bytesPerSecond: Double
    private let capacity: Double
    private var level: Double
    private var filledAt: NIODeadline?

    init(bytesPerSecond: Double) {
        self.bytesPerSecond = bytesPerSecond
        capacity = max(1, bytesPerSecond / 20)
        level = capacity
    }

    mutating func take(_ wanted: Int, now: NIODeadline) -> Int {
        if let filledAt {
            let seconds = Double((now - filledAt).nanoseconds) / 1e9
            level = min(capacity, level + max(0, seconds) * bytesPerSecond)
        }
        filledAt = now
        // Not byte by byte as they come, which would keep the loop busy with one connection.
        guard level >= min(Double(wanted), portion) else { return 0 }
        let taken = min(wanted, Int(level))
        level -= Double(taken)
        return taken
    }

    /// The time until some bytes are there: 10 ms' worth, or one.
    var pause: TimeAmount { .nanoseconds(Int64(portion / bytesPerSecond * 1e9) + 1) }

    /// The least that is given at once, unless less is wanted.
    private var portion: Double { max(1, bytesPerSecond / 100) }
}

/// The rate of one request, for as long as its rule is there.
final class OwnPace: Pace {
    private var bucket: ByteBucket
    private let end: RuleEnd

    init(bytesPerSecond: Double, until end: RuleEnd) {
        bucket = ByteBucket(bytesPerSecond: bytesPerSecond)
        self.end = end
    }

    func take(_ wanted: Int, now: NIODeadline) -> Int {
        end.hasCome ? wanted : bucket.take(wanted, now: now)
    }
    var pause: TimeAmount { bucket.pause }
}

/// The rate that all requests of a rule share, on all loops, for as long as the rule is there.
final class SharedPace: Pace, Sendable {
    private let bucket: Mutex<ByteBucket>
    private let end: RuleEnd

    init(bytesPerSecond: Double, until end: RuleEnd) {
        bucket = Mutex(ByteBucket(bytesPerSecond: bytesPerSecond))
        self.end = end
    }

    func take(_ wanted: Int, now: NIODeadline) -> Int {
        end.hasCome ? wanted : bucket.withLock { $0.take(wanted, now: now) }
    }
    var pause: TimeAmount { bucket.withLock { $0.pause } }
}
