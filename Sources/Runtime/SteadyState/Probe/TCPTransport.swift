// One attempt over TCP: connect, then close.

import NIOCore

/// Connects and closes.
struct TCPTransport: ProbeTransport {
    private let connector: ProbeConnector

    init(to address: ProbeAddress, on loop: any EventLoop) {
        connector = ProbeConnector(to: address, on: loop)
    }

    func attempt(
        within limit: TimeAmount,
        done: @escaping @Sendable (ProbeOutcome) -> Void
    ) -> ProbeAttempt {
        let attempt = ProbeAttempt(on: connector.loop)
        connector.connect(within: limit, for: attempt).whenComplete { result in
            guard !attempt.isOver else { return }
            attempt.end()
            switch result {
            case .success: done(.good)
            case .failure(let error): done(.failed(ConnectionTrouble.words(error)))
            }
        }
        return attempt
    }

    func close() { connector.close() }
}
