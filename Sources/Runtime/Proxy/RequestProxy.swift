// The proxy: listens, relays, and does to requests what its rules say.

package import ChaosModel
package import NIOCore
package import NIOPosix
import Synchronization

/// A proxy with one listener.
package final class RequestProxy: Sendable {
    private struct State {
        var rules: [CompiledRule] = []
        var channels: [any Channel] = []
    }

    private let hosts: [NIOLoopBoundBox<RelayHost>]
    private let group: MultiThreadedEventLoopGroup
    private let counters = ProxyCounters()
    private let state = Mutex(State())

    /// Makes a proxy whose connections go to `upstream`, marked with `mark`.
    ///
    /// The loops' threads are those of `group`, whose network namespace the connections are in.
    package init(group: MultiThreadedEventLoopGroup, upstream: ProxyUpstream, mark: UInt32?) {
        self.group = group
        let counters = counters
        hosts = group.makeIterator().map { loop in
            // Nothing touches it outside of its loop.
            .makeBoxSendingValue(
                RelayHost(loop: loop, counters: counters, upstream: upstream, mark: mark),
                eventLoop: loop
            )
        }
    }

    /// Listens on an address, and returns it.
    ///
    /// Port 0 takes any.
    package func listen(on address: SocketAddress) async throws -> SocketAddress {
        let hosts = hosts
        let (group, loop) = (group, group.next())
        // A socket is in the network namespace of the thread that makes it: the loop's.
        let channel = try await loop.flatSubmit {
            let server = ServerBootstrap(group: group)
            return Self.only(address, server)
                .serverChannelOption(.backlog, value: 4096)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.recvAllocator, value: ReadBuffers())
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let host = hosts.first(where: { $0.eventLoop === channel.eventLoop })
                        else { throw ChannelError.inappropriateOperationForState }
                        let relay = Relay(
                            host: host.value,
                            client: channel.remoteAddress?.networkAddress
                        )
                        try channel.pipeline.syncOperations.addHandler(RelayEnd(relay, .client))
                    }
                }
                .bind(to: address)
        }.get()
        state.withLock { $0.channels.append(channel) }
        return channel.localAddress ?? address
    }

    /// A listener of IPv6 leaves IPv4 to another one.
    private static func only(
        _ address: SocketAddress,
        _ server: ServerBootstrap
    ) -> ServerBootstrap {
        guard case .v6 = address else { return server }
        return server.serverChannelOption(
            ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only),
            value: 1
        )
    }

    /// Adds a rule; requests whose head comes from now on are judged by it.
    package func add(_ rule: RequestRule) async throws {
        let rules = state.withLock { state in
            state.rules.removeAll { $0.rule.name == rule.name }
            state.rules.append(CompiledRule(rule))
            return state.rules
        }
        try await use(rules)
    }

    /// Removes a rule; requests whose head comes from now on are not judged by it.
    package func remove(_ name: String) async throws {
        let rules = state.withLock { state in
            state.rules.removeAll { $0.rule.name == name }
            return state.rules
        }
        try await use(rules)
    }

    /// What a rule counted so far; nil when there is none of that name.
    package func count(_ name: String) -> RequestCount? {
        let rules = state.withLock { $0.rules }
        guard var count = rules.first(where: { $0.rule.name == name })?.count else { return nil }
        count.ownFailures = counters.ownFailures.load(ordering: .relaxed)
        count.tls = counters.tls.load(ordering: .relaxed)
        count.other = counters.other.load(ordering: .relaxed)
        return count
    }

    /// The failures of our own so far.
    package var ownFailures: UInt64 { counters.ownFailures.load(ordering: .relaxed) }

    /// How many connections are open.
    package func openConnections() async throws -> Int {
        var count = 0
        for host in hosts { count += try await host.eventLoop.submit { host.value.count }.get() }
        return count
    }

    /// Takes no more connections, and closes those that are open as soon as nothing is under way on them, or
    /// when the time is over.
    ///
    /// Returns how many had to be cut.
    package func drain(within limit: Duration) async throws -> Int {
        try await stopListening()
        for host in hosts { try await host.eventLoop.submit { host.value.drain() }.get() }
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if try await openConnections() == 0 { return 0 }
            try await Task.sleep(for: .milliseconds(20))
        }
        let left = try await openConnections()
        for host in hosts { try await host.eventLoop.submit { host.value.closeAll() }.get() }
        return left
    }

    /// Ends listener and connections now.
    package func close() async throws {
        try await stopListening()
        for host in hosts { try await host.eventLoop.submit { host.value.closeAll() }.get() }
    }

    private func stopListening() async throws {
        let channels = state.withLock { state in
            defer { state.channels = [] }
            return state.channels
        }
        for channel in channels { try await channel.close().get() }
    }

    private func use(_ rules: [CompiledRule]) async throws {
        for host in hosts {
            try await host.eventLoop.submit { host.value.book = RuleBook(rules) }.get()
        }
    }
}
