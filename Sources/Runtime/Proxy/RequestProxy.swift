// The proxy: listens, relays, and does to requests what its rules say.

package import ChaosModel
import Glibc
import Synchronization

/// A proxy; its threads end with it.
package final class RequestProxy: Sendable {
    private struct State {
        var rules: [CompiledRule] = []
        var listeners: [Int32] = []
    }

    private let loops: [SocketLoop]
    private let counters: ProxyCounters
    private let state = Mutex(State())

    /// Makes a proxy whose connections go to `upstream`, marked with `mark`.
    ///
    /// Its threads, and so the connections that it makes, are in the network namespace of the calling thread.
    package init(threads: Int, upstream: ProxyUpstream, mark: UInt32?) throws(KernelError) {
        let counters = ProxyCounters()
        self.counters = counters
        var loops: [SocketLoop] = []
        for _ in 0..<threads {
            loops.append(
                try SocketLoop.start(counters: counters, upstream: upstream, mark: mark)
            )
        }
        self.loops = loops
    }

    deinit {
        stopListening()
        for loop in loops { loop.with { $0.end() } }
    }

    /// Takes the connections of sockets that listen on a port; they are the proxy's from now on.
    package func listen(on descriptors: [Int32], port: Int) {
        for descriptor in descriptors {
            let flags = fcntl(descriptor, F_GETFL)
            _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
            // What is accepted has it too.
            var on: Int32 = 1
            let size = socklen_t(MemoryLayout.size(ofValue: on))
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
        }
        state.withLock { $0.listeners += descriptors }
        for loop in loops {
            loop.with { host in
                host.ports.insert(port)
                for descriptor in descriptors { host.set.listen(on: descriptor) }
            }
        }
    }

    /// Adds a rule; requests whose head comes from now on are judged by it.
    package func add(_ rule: RequestRule) {
        use { rules in
            rules.removeAll { $0.rule.name == rule.name }
            rules.append(CompiledRule(rule))
        }
    }

    /// Removes a rule; requests whose head comes from now on are not judged by it, and what it keeps back goes on.
    package func remove(_ name: String) {
        use { rules in
            for rule in rules where rule.rule.name == name { rule.end.come() }
            rules.removeAll { $0.rule.name == name }
        }
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
    package var openConnections: Int {
        loops.reduce(0) { sum, loop in sum + loop.with { $0.count } }
    }

    /// Takes no more connections, and closes those that are open as soon as nothing is under way on them, or
    /// when the time is over.
    ///
    /// Returns how many had to be cut.
    package func drain(within limit: Duration) async -> Int {
        stopListening()
        for loop in loops { loop.with { $0.drain() } }
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if openConnections == 0 { return 0 }
            try? await Task.sleep(for: .milliseconds(20))
        }
        let left = openConnections
        for loop in loops { loop.with { $0.closeAll() } }
        return left
    }

    private func stopListening() {
        let listeners = state.withLock { state in
            defer { state.listeners = [] }
            return state.listeners
        }
        for loop in loops { loop.with { $0.set.stopListening() } }
        for descriptor in listeners { close(descriptor) }
    }

    private func use(_ change: (inout [CompiledRule]) -> Void) {
        state.withLock { state in
            change(&state.rules)
            let book = RuleBook(state.rules)
            for loop in loops {
                loop.with { host in
                    host.book = book
                    host.letGo()
                }
            }
        }
    }
}
