// Waiting for the end of a process without asking again and again.
//
// A thread of its own sleeps in poll on the pidfd. A dispatch source would share one thread, but it asks each
// descriptor with FIONREAD how much there is to read, which a pidfd cannot answer.

import CLinux
import ChaosModel
import ChaosThreads
import Glibc

/// Waits for processes to end.
enum ProcessEnd {
    /// Whether a process has ended within `limit`; false at once when the task is cancelled.
    static func wait(
        for process: ProcessIdentity,
        within limit: Duration
    ) async throws(KernelError) -> Bool {
        let operation = "wait for process \(process.pid)"
        let wake = WakeCounter(try Descriptor(clinux_wake_counter(), operation))
        let result = await withTaskCancellationHandler {
            await Result { () async throws(KernelError) -> Bool in
                try await OwnThread.value { () throws(KernelError) -> Bool in
                    guard let handle = try ProcessHandle.open(process, operation) else {
                        return true
                    }
                    let descriptors = [handle.descriptor.number, wake.descriptor.number]
                    return Poll.firstReadable(descriptors, within: limit)
                        == handle.descriptor.number
                }
            }
        } onCancel: {
            wake.wake()
        }
        return try result.get()
    }
}

/// An eventfd that ends a poll from another thread.
private final class WakeCounter: Sendable {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    func wake() {
        var one: UInt64 = 1
        // It cannot fail: the counter is far from its limit.
        _ = write(descriptor.number, &one, MemoryLayout<UInt64>.size)
    }
}

extension Result where Failure == KernelError, Success: Sendable {
    fileprivate init(_ body: () async throws(KernelError) -> Success) async {
        do throws(KernelError) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
