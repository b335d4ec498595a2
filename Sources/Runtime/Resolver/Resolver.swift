// The responder: stations in namespaces, each with listeners and rules. It opens no socket and knows no namespace:
// whoever uses it does, and passes open sockets in.

package import ChaosModel
import Synchronization

/// Answers and passes on the queries of all stations of a worker.
package final class Resolver: Sendable {
    private let loop: DatagramLoop
    private let streams: StreamServer
    private let next = Mutex(0)

    /// Starts the threads of a responder, which end with the process.
    package init() throws(KernelError) {
        loop = try DatagramLoop.start()
        streams = StreamServer(loop)
    }

    /// Opens a station without rules, which passes everything on; it owns the sockets from now on.
    package func open(
        _ sockets: StationSockets,
        host: any ResolverHost
    ) async throws(KernelError) -> Int {
        let station = next.withLock { number in
            number += 1
            return number
        }
        do throws(KernelError) {
            try loop.with { server throws(KernelError) in
                try server.open(station, sockets.datagrams, host: host)
            }
            try await streams.open(station, sockets.streams, host: host)
        } catch {
            await close(station)
            throw error
        }
        return station
    }

    /// Closes a station; connections that are open go on until they end.
    package func close(_ station: Int) async {
        await streams.close(station)
        loop.looking { $0.close(station) }
    }

    /// Adds the rule of a lease, after those that are there.
    package func add(_ rule: NameRule, lease: String, to station: Int) {
        loop.looking { server in _ = server.rules(of: station) { $0.add(rule, lease: lease) } }
    }

    /// Removes the rule of a lease, and lets go what is held back; true when none is left in the station.
    package func remove(lease: String, from station: Int) -> Bool {
        defer { streams.release(station) }
        return loop.looking { server in
            let isLast = server.rules(of: station) { rules in
                rules.remove(lease: lease)
                return rules.isEmpty
            }
            server.release(station)
            return isLast ?? true
        }
    }

    /// Answers a name with addresses of nobody, before all rules and uncounted, until `wasAsked`.
    package func expect(_ name: String, in station: Int) {
        loop.looking { server in _ = server.rules(of: station) { $0.expect(name) } }
    }

    /// Stops that; whether the name was asked for.
    package func wasAsked(_ name: String, in station: Int) -> Bool {
        loop.looking { server in server.rules(of: station) { $0.wasAsked(name) } ?? false }
    }

    /// How many queries wait for an answer of a real resolver.
    package func waiting(in station: Int) -> Int {
        loop.looking { $0.waiting(in: station) } + streams.waiting(in: station)
    }

    /// What the rule of a lease has done so far; nil when it is not there.
    package func count(lease: String, in station: Int) -> NameCount? {
        loop.looking { server in server.rules(of: station) { $0.count(lease: lease) } ?? nil }
    }
}
