// Numbered datagrams from one socket to another on the same machine: which came, in what order, how long each took.

import ChaosModel
import Glibc

@testable import ChaosLinux

/// What became of some datagrams.
struct DatagramStream {
    /// Each that came: its number and how long it took, in milliseconds, in the order of arrival.
    private(set) var arrivals: [(number: Int, tookMs: Double)] = []
    /// When the first and the last came, in milliseconds from the start.
    private(set) var firstMs = 0.0
    private(set) var lastMs = 0.0

    private static let headerSize = 16

    /// Sends datagrams and waits until none came for `quietMs`.
    init(
        _ count: Int,
        from sender: TestSocket,
        to receiver: TestSocket,
        at address: String,
        size: Int = 64,
        everyMs: Double = 0,
        quietMs: Double = 400
    ) {
        let start = Self.nowMs()
        var lastSeen = start
        var sent = 0
        while true {
            let now = Self.nowMs()
            if sent < count, now - start >= Double(sent) * everyMs {
                var bytes = NetlinkBytes(UInt64(sent), now.bitPattern).bytes
                bytes += [UInt8](repeating: 1, count: max(size - bytes.count, 0))
                if sender.send(bytes, to: receiver.port, at: address) { sent += 1 }
                lastSeen = now
            }
            while let bytes = receiver.receive() {
                lastSeen = Self.nowMs()
                note(bytes, at: lastSeen, start)
            }
            if sent == count, Self.nowMs() - lastSeen > quietMs { return }
            if sent == count { receiver.wait(milliseconds: 1) }
        }
    }

    /// The median of how long they took; nil when none came.
    var medianMs: Double? {
        let sorted = arrivals.map(\.tookMs).sorted()
        return sorted.isEmpty ? nil : sorted[sorted.count / 2]
    }

    /// The shortest that one took.
    var leastMs: Double { arrivals.map(\.tookMs).min() ?? .infinity }

    /// The mean and the standard deviation.
    var spread: (mean: Double, deviation: Double) {
        let values = arrivals.map(\.tookMs)
        let mean = values.reduce(0, +) / Double(max(values.count, 1))
        let squares = values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
        return (mean, (squares / Double(max(values.count, 1))).squareRoot())
    }

    /// How many came after one with a higher number.
    var overtaken: Int {
        var highest = -1
        var count = 0
        for (number, _) in arrivals {
            if number < highest { count += 1 }
            highest = max(highest, number)
        }
        return count
    }

    private mutating func note(_ bytes: [UInt8], at now: Double, _ start: Double) {
        guard bytes.count >= Self.headerSize else { return }
        let sent = Double(bitPattern: NetlinkAttributes.number(Array(bytes[8...]), as: UInt64.self))
        let number = Int(truncatingIfNeeded: NetlinkAttributes.number(bytes, as: UInt64.self))
        if arrivals.isEmpty { firstMs = now - start }
        lastMs = now - start
        arrivals.append((number, now - sent))
    }

    private static func nowMs() -> Double { Double(LinuxTime().now.nanoseconds) / 1e6 }
}
