// What all relays of one event loop share: the rules, the way to the upstream, and the list of who is there.

import ChaosModel
import Glibc
package import NIOCore
import NIOPosix
import Synchronization

/// Counts of the whole proxy.
final class ProxyCounters: Sendable {
    let connections = Atomic<UInt64>(0)
    let ownFailures = Atomic<UInt64>(0)
    let tls = Atomic<UInt64>(0)
    let other = Atomic<UInt64>(0)
}

/// Where a proxy's connections go.
package enum ProxyUpstream: Sendable {
    /// Where the client wanted to go, as the kernel remembers it (SO_ORIGINAL_DST).
    case original
    /// To one place.
    case fixed(SocketAddress)
}

/// The relays of one event loop.
final class RelayHost {
    let loop: any EventLoop
    let counters: ProxyCounters
    private let upstream: ProxyUpstream
    private let mark: UInt32?
    var book = RuleBook()
    /// Connects in another way, for tests without sockets.
    var connector: ((Relay) -> Void)?
    private(set) var isDraining = false
    private var relays: [Relay] = []
    /// The relay whose connection is being made.
    private var connecting: Relay?

    init(
        loop: any EventLoop,
        counters: ProxyCounters,
        upstream: ProxyUpstream,
        mark: UInt32?
    ) {
        self.loop = loop
        self.counters = counters
        self.upstream = upstream
        self.mark = mark
    }

    /// How many connections there are.
    var count: Int { relays.count }

    func add(_ relay: Relay) {
        counters.connections.add(1, ordering: .relaxed)
        relay.index = relays.count
        relays.append(relay)
    }

    func remove(_ relay: Relay) {
        guard relays.indices.contains(relay.index), relays[relay.index] === relay else { return }
        let last = relays.removeLast()
        guard last !== relay else { return }
        relays[relay.index] = last
        last.index = relay.index
    }

    /// Closes each connection as soon as nothing is under way on it.
    func drain() {
        isDraining = true
        for relay in relays { relay.drain() }
    }

    /// Closes all connections now.
    func closeAll() { for relay in relays { relay.close(reset: true) } }

    /// Connects a relay to where its client wanted to go.
    func connect(_ relay: Relay, from client: any Channel) {
        if let connector { return connector(relay) }
        switch upstream {
        case .fixed(let address): open(relay, to: address)
        case .original:
            do throws(OriginalDestinationError) {
                open(relay, to: try OriginalDestination.of(client))
            } catch {
                relay.failed(error.reason)
            }
        }
    }

    private func open(_ relay: Relay, to address: SocketAddress) {
        // On the loop, the initializer of the channel runs before `connect` returns.
        connecting = relay
        defer { connecting = nil }
        upstreams.connect(to: address).assumeIsolated().whenFailure { error in
            relay.failed("\(address.textual): \(Self.reason(error))")
        }
    }

    /// Weak, so that host and bootstrap do not keep each other.
    private struct Itself {
        weak var host: RelayHost?
    }

    /// What makes connections to upstreams; made once, since making it costs as much as a request.
    private lazy var upstreams: ClientBootstrap = {
        let bound = NIOLoopBound(Itself(host: self), eventLoop: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.recvAllocator, value: ReadBuffers())
            .channelOption(.maxMessagesPerRead, value: 1)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let relay = bound.value.host?.connecting else {
                        throw ChannelError.inappropriateOperationForState
                    }
                    try channel.pipeline.syncOperations.addHandler(RelayEnd(relay, .server))
                }
            }
        guard let mark else { return bootstrap }
        return bootstrap.channelOption(
            ChannelOptions.Types.SocketOption(level: .socket, name: .init(rawValue: SO_MARK)),
            value: SocketOptionValue(truncatingIfNeeded: mark)
        )
    }()

    private static func reason(_ error: any Error) -> String {
        switch error {
        case ChannelError.connectTimeout: "no answer within 10 s"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        default: "\(error)"
        }
    }
}

extension SocketAddress {
    /// `10.9.0.2:8080`, `[fd00::1]:8080`.
    var textual: String {
        let ip = ipAddress ?? "?"
        return ip.contains(":") ? "[\(ip)]:\(port ?? 0)" : "\(ip):\(port ?? 0)"
    }
}
