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
    private let connections = Mutex<[ObjectIdentifier: any Channel]>([:])

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
                    guard self.admit(channel) else { return channel.close() }
                    return channel.eventLoop.makeCompletedFuture {
                        let handlers = channel.pipeline.syncOperations
                        try handlers.addHandler(IdleStateHandler(allTimeout: .seconds(60)))
                        try handlers.addHandler(
                            ClientStream(listener, host) { message in
                                self.decide(message, of: station)
                            }
                        )
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

    private func admit(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isAdmitted = connections.withLock { connections in
            guard connections.count < Self.connectionLimit else { return false }
            connections[id] = channel
            return true
        }
        guard isAdmitted else { return false }
        channel.closeFuture.whenComplete { _ in
            _ = self.connections.withLock { $0.removeValue(forKey: id) }
        }
        return true
    }

    /// What happens to a query of a stream.
    private func decide(_ message: ByteBuffer, of station: Int) -> StreamVerdict {
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
