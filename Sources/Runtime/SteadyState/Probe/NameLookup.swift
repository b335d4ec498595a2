// Host names of probes, by getaddrinfo(3) on the host.
//
// A lookup blocks its thread, and while DNS is broken for many seconds. So a probe has one lookup under way and not
// one per request: requests that come meanwhile share its answer, each with its own time-out.

import Dispatch
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// The resolver of one probe; all is called on its loop.
final class NameLookup: Resolver, Sendable {
    /// The addresses of a name.
    private struct Answer {
        var v4: [SocketAddress] = []
        var v6: [SocketAddress] = []
    }

    private let loop: any EventLoop
    private let queue = DispatchQueue(label: "probe.lookup")
    private let pending: NIOLoopBoundBox<EventLoopPromise<Answer>?>
    private let isClosed = Mutex(false)

    init(on loop: any EventLoop) {
        self.loop = loop
        pending = NIOLoopBoundBox(nil, eventLoop: loop)
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        answer(host: host, port: port).map(\.v4)
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        answer(host: host, port: port).map(\.v6)
    }

    func cancelQueries() {}

    /// Ends the lookup that is under way as far as the loop is concerned; its thread ends when it can.
    func close() {
        isClosed.withLock { $0 = true }
        pending.value?.fail(ProbeStartError("stopped"))
        pending.value = nil
    }

    private func answer(host: String, port: Int) -> EventLoopFuture<Answer> {
        if let pending = pending.value { return pending.futureResult }
        let promise = loop.makePromise(of: Answer.self)
        pending.value = promise
        promise.futureResult.whenComplete { _ in self.pending.value = nil }
        queue.async {
            let result = Result { try Self.resolve(host: host, port: port) }
            // The loop may have ended meanwhile; then nobody waits, and nothing may be put on it.
            self.isClosed.withLock { if !$0 { promise.completeWith(result) } }
        }
        return promise.futureResult
    }

    private static func resolve(host: String, port: Int) throws -> Answer {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else {
            throw ProbeStartError(
                "cannot resolve \(host): \(String(cString: gai_strerror(status)))"
            )
        }
        var answer = Answer()
        var next = list
        while let entry = next?.pointee {
            switch entry.ai_family {
            case AF_INET:
                entry.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    answer.v4.append(SocketAddress($0.pointee, host: host))
                }
            case AF_INET6:
                entry.ai_addr.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    answer.v6.append(SocketAddress($0.pointee, host: host))
                }
            default: break
            }
            next = entry.ai_next
        }
        return answer
    }
}
