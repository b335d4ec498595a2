// Queries over UDP: one thread for all stations of the worker.
//
// Not SwiftNIO's datagram channels: those close for good when a send fails with anything but EMSGSIZE or
// EHOSTUNREACH, and a connected UDP socket is told ECONNREFUSED and EPERM of earlier datagrams at any time
// (docs/decisions/0021-datagrams-in-batches.md).

import CDatagrams
import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Serves the queries of all stations over UDP.
final class DatagramLoop: Sendable {
    /// How long the loop sleeps at most: what others hold back meanwhile is not later than that.
    private static let patience: Int64 = 1_000

    private let set: Int32
    private let server: Mutex<DatagramServer>

    /// Starts the loop on a thread of its own, for as long as the process lives.
    static func start() throws(KernelError) -> DatagramLoop {
        let loop = try DatagramLoop()
        try OwnThread.start { loop.run() }
        return loop
    }

    private init() throws(KernelError) {
        let opened = dg_set_open()
        guard opened >= 0 else {
            throw KernelError(.failed, "wait for datagrams", String(cString: strerror(-opened)))
        }
        guard let batch = dg_batch_make() else {
            close(opened)
            throw KernelError(.failed, "wait for datagrams", "out of memory")
        }
        set = opened
        server = Mutex(DatagramServer(set: opened, batch: batch))
    }

    /// Does something with the server while the loop waits.
    func with<Value: Sendable>(
        _ body: (DatagramServer) throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        try server.withLock { server throws(KernelError) in try body(server) }
    }

    /// The same, for what cannot fail.
    func looking<Value: Sendable>(_ body: (DatagramServer) -> Value) -> Value {
        server.withLock { body($0) }
    }

    private func run() {
        let tokens = UnsafeMutablePointer<UInt64>.allocate(capacity: Int(DG_BATCH))
        var firstDue: Int64?
        while true {
            let rest = firstDue.map { max(0, ($0 - Monotonic.now + 999_999) / 1_000_000) }
            let count = dg_set_wait(set, tokens, Int32(min(rest ?? Self.patience, Self.patience)))
            firstDue = server.withLock { server in
                for index in 0..<Int(count) { server.serve(tokens[index]) }
                server.releaseDue(at: Monotonic.now)
                return server.firstDue
            }
        }
    }
}
