// Signals as calls: their default action is off as long as this object lives.

import Dispatch

/// Calls a function for each signal that comes.
final class Signals {
    private let sources: [any DispatchSourceSignal]

    /// Returns when the signals are caught: one that comes before has its default action, and none is lost.
    init(_ numbers: [Int32], _ body: @escaping @Sendable (Int32) -> Void) {
        let queue = DispatchQueue(label: "moonquake.signals", qos: .userInteractive)
        // Dispatch installs its handlers later, by a thread of its own; a signal that is ignored until then is lost.
        let installing = DispatchGroup()
        sources = numbers.map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { body(number) }
            installing.enter()
            source.setRegistrationHandler { installing.leave() }
            source.resume()
            return source
        }
        installing.wait()
    }
}
