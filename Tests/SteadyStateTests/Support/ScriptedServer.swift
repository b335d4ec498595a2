// A server on loopback that answers as a test says: well, late, never, endlessly, or by breaking off.

import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// What the server does with a request.
enum ScriptedReply: Sendable {
    /// Sends this and closes.
    case text(String)
    /// Sends this and leaves the connection open.
    case keepOpen(String)
    /// Sends this after a while and closes.
    case late(TimeAmount, String)
    /// Sends this, and then more for ever.
    case endless(String)
    /// Never answers.
    case hang
    /// Breaks off with a reset.
    case reset

    /// An answer with a body.
    static func http(_ status: String, _ body: String, headers: String = "") -> ScriptedReply {
        .text("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
    }
}

/// A server that answers as it is told.
final class ScriptedServer: Sendable {
    /// The requests that came, whole.
    let requests = Mutex<[String]>([])
    /// How many connections came.
    let connections = Mutex(0)
    let answer: @Sendable (String) -> ScriptedReply

    init(_ answer: @escaping @Sendable (String) -> ScriptedReply) {
        self.answer = answer
    }

    /// Runs a server for the length of a test.
    static func run<Result>(
        _ answer: @escaping @Sendable (String) -> ScriptedReply,
        on port: Int = 0,
        _ body: (ScriptedServer, Int) async throws -> Result
    ) async throws -> Result {
        let server = ScriptedServer(answer)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        server.connections.withLock { $0 += 1 }
                        try channel.pipeline.syncOperations.addHandler(Conversation(server))
                    }
                }
                .bind(host: "127.0.0.1", port: port).get()
            let port = channel.localAddress?.port ?? 0
            let result = try await body(server, port)
            try await group.shutdownGracefully()
            return result
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }

    /// A port of loopback that was free a moment ago, for servers that must be told theirs.
    static func freePort() throws -> Int {
        let held = try HeldPort()
        held.release()
        return held.port
    }
}

/// A port of loopback that is taken and that nobody listens on, so that connections to it are refused.
struct HeldPort {
    let port: Int
    private let socket: Int32

    init() throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) | getsockname(socket, $0, &size)
            }
        }
        guard status == 0 else { throw StubRefusal(description: "no free port: \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func release() { close(socket) }

    /// Holds a port for the length of a test.
    static func hold<Result>(_ body: (Int) async throws -> Result) async throws -> Result {
        let held = try HeldPort()
        defer { held.release() }
        return try await body(held.port)
    }
}

/// One connection of the server.
private final class Conversation: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: ScriptedServer
    private var received = ""

    init(_ server: ScriptedServer) {
        self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += String(buffer: unwrapInboundIn(data))
        guard let end = received.firstRange(of: "\r\n\r\n")?.upperBound else { return }
        let length = received.split(separator: "\r\n")
            .first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: ":")[1].filter { $0 != " " }) }
        guard received[end...].utf8.count >= length ?? 0 else { return }
        let request = received
        received = ""
        server.requests.withLock { $0.append(request) }
        reply(server.answer(request), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func reply(_ reply: ScriptedReply, _ context: ChannelHandlerContext) {
        let channel = context.channel
        switch reply {
        case .text(let text): Self.send(text, on: channel, closing: true)
        case .keepOpen(let text): Self.send(text, on: channel, closing: false)
        case .late(let delay, let text):
            channel.eventLoop.scheduleTask(in: delay) {
                Self.send(text, on: channel, closing: true)
            }
        case .endless(let text):
            Self.send(text, on: channel, closing: false)
            Self.sendForEver(on: channel)
        case .hang: break
        case .reset:
            guard let options = channel as? any SocketOptionProvider else { return }
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in
                channel.close(promise: nil)
            }
        }
    }

    private static func send(_ text: String, on channel: any Channel, closing: Bool) {
        channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in
            if closing { channel.close(promise: nil) }
        }
    }

    private static func sendForEver(on channel: any Channel) {
        let chunk = ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)
        channel.writeAndFlush(chunk).whenSuccess { sendForEver(on: channel) }
    }
}
