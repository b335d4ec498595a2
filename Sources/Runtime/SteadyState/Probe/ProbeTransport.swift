// How a probe makes one attempt; HTTP and TCP differ only here.

import NIOCore

/// Makes attempts from one event loop.
///
/// All is called on that loop, so that sockets are made on its thread, which may have entered a network namespace.
protocol ProbeTransport: Sendable {
    /// Starts an attempt, which calls `done` on the loop, at most once.
    func attempt(
        within limit: TimeAmount,
        done: @escaping @Sendable (ProbeOutcome) -> Void
    ) -> ProbeAttempt

    /// Closes what it keeps open.
    func close()
}

/// An attempt on its way: the channels that were made for it.
///
/// A name may stand for several addresses, which are tried side by side, so there may be several.
final class ProbeAttempt: Sendable {
    private struct State {
        var channels: [any Channel] = []
        var isOver = false
    }

    private let state: NIOLoopBoundBox<State>

    init(on loop: any EventLoop) {
        state = NIOLoopBoundBox(State(), eventLoop: loop)
    }

    /// Whether it has ended.
    var isOver: Bool { state.value.isOver }

    /// Adds a channel; one that comes after the end is closed.
    func add(_ channel: any Channel) {
        guard !state.value.isOver else { return channel.close(mode: .all, promise: nil) }
        state.value.channels.append(channel)
    }

    /// Ends the attempt and closes its channels, but for one that is kept.
    func end(keeping kept: (any Channel)? = nil) {
        state.value.isOver = true
        for channel in state.value.channels where channel !== kept {
            channel.close(mode: .all, promise: nil)
        }
        state.value.channels = []
    }
}
