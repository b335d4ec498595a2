// Signals as calls: their default action is off as long as this object lives.

import Dispatch
import Glibc

/// Calls a function for each signal that comes.
final class Signals {
    private let sources: [any DispatchSourceSignal]

    init(_ numbers: [Int32], _ body: @escaping @Sendable (Int32) -> Void) {
        let queue = DispatchQueue(label: "moonquake.signals", qos: .userInteractive)
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { body(number) }
            source.resume()
            return source
        }
    }
}
