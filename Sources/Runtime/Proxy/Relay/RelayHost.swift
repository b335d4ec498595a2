// What all relays of one loop share: the rules, the way to the upstream, and the list of who is there.

import ChaosModel
import Glibc
package import NIOCore
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
    /// Where the client wanted to go, as the kernel remembers it (SO_ORIGINAL_DST), and what is to be forgotten.
    case original((any RedirectMemory)?)
    /// To one place.
    case fixed(SocketAddress)
}

/// The relays of one loop.
final class RelayHost {
    private static let connectLimit = TimeAmount.seconds(10)

    let counters: ProxyCounters
    let set: SocketSet
    let timers: Timers
    private let upstream: ProxyUpstream
    private let mark: UInt32?
    var book = RuleBook()
    /// The ports that we listen on.
    var ports: Set<Int> = []
    /// Whether the loop is to end.
    private(set) var hasEnded = false
    private(set) var isDraining = false
    private var relays: [Relay] = []

    init(
        counters: ProxyCounters,
        upstream: ProxyUpstream,
        mark: UInt32?,
        set: SocketSet,
        timers: Timers = Timers()
    ) {
        self.counters = counters
        self.upstream = upstream
        self.mark = mark
        self.set = set
        self.timers = timers
        set.later = { [unowned timers] in timers.after($0, $1) }
        set.onAccept = { [unowned self] in accepted($0, from: $1) }
        if case .original(let memory?) = upstream {
            set.onReset = { memory.forget(connectionFrom: $0, to: $1) }
        }
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

    /// Lets go what only rules keep back that have ended.
    func letGo() { for relay in relays { relay.letGo() } }

    /// Closes each connection as soon as nothing is under way on it.
    func drain() {
        isDraining = true
        for relay in relays { relay.drain() }
    }

    /// Closes all connections now.
    func closeAll() { for relay in relays { relay.close(reset: true) } }

    /// Ends everything, and the loop.
    func end() {
        hasEnded = true
        set.stopListening()
        closeAll()
    }

    // MARK: Connections

    private func accepted(_ descriptor: Int32, from address: RawAddress) {
        let relay = Relay(host: self, client: address)
        let stream = StreamSocket(
            descriptor,
            to: address,
            relay,
            .client,
            in: set,
            isConnected: true
        )
        guard set.add(stream) else {
            close(descriptor)
            return
        }
        relay.started(stream)
        switch upstream {
        case .fixed(let address):
            if let address = RawAddress(address) { open(relay, to: address) }
        case .original:
            do throws(OriginalDestinationError) {
                let original = try OriginalDestination.of(
                    descriptor,
                    isIPv6: address.isIPv6,
                    listeners: ports
                )
                open(relay, to: original)
            } catch {
                relay.failed(error.reason)
            }
        }
    }

    /// Connects a relay to its upstream.
    private func open(_ relay: Relay, to address: RawAddress) {
        func refuse(_ code: Int32) {
            relay.failed("\(address.textual): \(String(cString: strerror(code)))")
        }
        let flags = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let descriptor = socket(address.family, Int32(flags), 0)
        guard descriptor >= 0 else { return refuse(errno) }
        if var mark {
            let size = socklen_t(MemoryLayout.size(ofValue: mark))
            setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, size)
        }
        let isConnected = address.given { connect(descriptor, $0, $1) } == 0
        let code = errno
        guard isConnected || code == EINPROGRESS else {
            close(descriptor)
            return refuse(code)
        }
        let stream = StreamSocket(
            descriptor,
            to: address,
            relay,
            .server,
            in: set,
            isConnected: isConnected
        )
        guard set.add(stream) else {
            close(descriptor)
            return refuse(errno)
        }
        relay.connects(stream)
        if isConnected {
            relay.connected()
        } else {
            set.limitConnecting(stream, to: Self.connectLimit)
        }
    }
}
