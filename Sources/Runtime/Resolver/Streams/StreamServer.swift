// Queries over TCP, on SwiftNIO: each connection has one of its own to the real resolver, opened when a query is passed
// on for the first time, so that what is not meant goes there and back unchanged.

import ChaosModel
import NIOCore
import NIOPosix
import Synchronization

/// Serves the queries of all stations over TCP.
final class StreamServer: Sendable {
    /// The most connections at once; more are closed as they come.
    static let connectionLimit = 1024

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let loop: DatagramLoop
    private let stations = Mutex<[Int: [any Channel]]>([:])
    private let connections = Mutex<[ObjectIdentifier: Connection]>([:])

    /// A connection, and how many of its queries are held back or wait for an answer of the real resolver.
    private struct Connection {
        var station: Int
        var channel: any Channel
        var waiting = 0
    }

    /// Makes a server that decides by the rules of a loop.
    init(_ loop: DatagramLoop) { self.loop = loop }

    /// Serves the listeners of a station.
    func open(
        _ station: Int,
        _ listeners: [StationSockets.Streams],
        host: any ResolverHost
    ) async throws(KernelError) {
        for listener in listeners {
            let bootstrap = ServerBootstrap(group: group)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelInitializer { channel in
                    guard self.admit(channel, to: station) else { return channel.close() }
                    return channel.eventLoop.makeCompletedFuture {
                        let handlers = channel.pipeline.syncOperations
                        try handlers.addHandler(IdleStateHandler(allTimeout: .seconds(60)))
                        try handlers.addHandler(ClientStream(listener, host, of: station, self))
                    }
                }
            do {
                let channel = try await bootstrap.withBoundSocket(listener.descriptor).get()
                stations.withLock { $0[station, default: []].append(channel) }
            } catch {
                throw KernelError(.failed, "listen for queries over TCP", "\(error)")
            }
        }
    }

    /// Closes the listeners of a station and the connections of nobody else.
    func close(_ station: Int) async {
        let channels = stations.withLock { $0.removeValue(forKey: station) ?? [] }
        for channel in channels { try? await channel.close().get() }
    }

    /// Lets go what is held back for a station, at once.
    func release(_ station: Int) {
        let open = connections.withLock { $0.values.filter { $0.station == station } }
        for connection in open {
            connection.channel.pipeline.fireUserInboundEventTriggered(ClientStream.Release())
        }
    }

    /// How many queries of a station are held back or wait for an answer.
    func waiting(in station: Int) -> Int {
        connections.withLock { connections in
            connections.values.reduce(0) { $0 + ($1.station == station ? $1.waiting : 0) }
        }
    }

    /// Notes that a query of a connection waits, or (-1) that one does no longer.
    func note(_ step: Int, on channel: any Channel) {
        connections.withLock { connections in
            // A resolver may send several messages for one query (RFC 5936, 2.2).
            let waiting = connections[ObjectIdentifier(channel)]?.waiting ?? 0
            connections[ObjectIdentifier(channel)]?.waiting = max(0, waiting + step)
        }
    }

    /// Notes that a delayed query went on at once.
    func noteBypass(in station: Int) {
        loop.looking { server in _ = server.rules(of: station) { $0.noteBypass() } }
    }

    private func admit(_ channel: any Channel, to station: Int) -> Bool {
        let id = ObjectIdentifier(channel)
        let isAdmitted = connections.withLock { connections in
            guard connections.count < Self.connectionLimit else { return false }
            connections[id] = Connection(station: station, channel: channel)
            return true
        }
        guard isAdmitted else { return false }
        channel.closeFuture.whenComplete { _ in
            _ = self.connections.withLock { $0.removeValue(forKey: id) }
        }
        return true
    }

    /// What happens to a query of a stream.
    func decide(_ message: ByteBuffer, of station: Int) -> StreamVerdict {
        loop.looking { server in
            message.withUnsafeReadableBytes { bytes in
                guard let (verdict, question) = server.decide(bytes.bytes, of: station) else {
                    return StreamVerdict(ending: .pass, delay: .zero)
                }
                let delay = TimeAmount.nanoseconds(verdict.delay)
                switch verdict.ending {
                case .pass: return StreamVerdict(ending: .pass, delay: delay)
                case .drop: return StreamVerdict(ending: .drop, delay: delay)
                case .answer(let content):
                    var answer = ByteBuffer()
                    answer.writeWithUnsafeMutableBytes(minimumWritableBytes: AnswerWriter.room) {
                        let room = UnsafeMutableRawBufferPointer(rebasing: $0[..<AnswerWriter.room])
                        return AnswerWriter.write(content, to: bytes.bytes, question, into: room)
                    }
                    return StreamVerdict(ending: .answer(answer), delay: delay)
                }
            }
        }
    }
}

/// What happens to a query of a stream, as values.
struct StreamVerdict: Sendable {
    /// How it ends.
    enum Ending: Sendable {
        case pass, drop
        case answer(ByteBuffer)
    }

    var ending: Ending
    var delay: TimeAmount
}
