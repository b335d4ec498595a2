// A thread that waits for sockets and for time, and serves one host of relays.
//
// Not SwiftNIO's channels: making two of them, and telling the kernel eleven times what to watch, was a good half of what
// a request on a connection of its own cost (docs/decisions/0033-sockets-of-the-request-proxy.md). NIO's buffers and its
// HPACK are used as they are.

import CSockets
import ChaosModel
import ChaosThreads
import Glibc
import NIOCore
import Synchronization

/// Serves the relays of one host on a thread of its own, until it is told to end.
final class SocketLoop: Sendable {
    /// How long the loop sleeps at most: what others set a time for meanwhile is not later than that.
    private static let patience: Int64 = 500

    private let set: Int32
    private let host: Mutex<RelayHost>

    /// Starts the loop on a thread that is in the network namespace of the calling one.
    static func start(
        counters: ProxyCounters,
        upstream: ProxyUpstream,
        mark: UInt32?
    ) throws(KernelError) -> SocketLoop {
        let loop = try SocketLoop(counters, upstream, mark)
        try OwnThread.start { loop.run() }
        return loop
    }

    private init(
        _ counters: ProxyCounters,
        _ upstream: ProxyUpstream,
        _ mark: UInt32?
    ) throws(KernelError) {
        let opened = cs_set_open()
        guard opened >= 0 else {
            throw KernelError(.failed, "wait for sockets", String(cString: strerror(-opened)))
        }
        set = opened
        host = Mutex(
            RelayHost(counters: counters, upstream: upstream, mark: mark, set: SocketSet(opened))
        )
    }

    deinit { Glibc.close(set) }

    /// Does something with the host while the loop waits.
    func with<Value: Sendable>(_ body: (RelayHost) -> Value) -> Value {
        host.withLock { body($0) }
    }

    private func run() {
        let events = UnsafeMutablePointer<cs_event>.allocate(capacity: Int(CS_ROUND))
        defer { events.deallocate() }
        var wait: Int64 = 0
        while true {
            let count = cs_wait(set, events, Int32(wait))
            let next: Int64? = host.withLock { host in
                guard !host.hasEnded else { return nil }
                for index in 0..<Int(count) {
                    host.set.serve(events[index].token, events[index].events)
                }
                host.set.serveAgain()
                let due = host.timers.runDue()
                guard !host.set.hasMore else { return 0 }
                return min(due ?? Self.patience, Self.patience)
            }
            guard let next else { return }
            wait = next
        }
    }
}
