// Host names through the resolver of the C library, as the programs under test resolve them: hosts file, DNS
// and whatever else nsswitch.conf names. It blocks and cannot be stopped, hence a thread of its own; on a
// time-out the thread is left to the resolver's own limits.

import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// Looks host names up.
enum HostNames {
    /// All addresses of a name, both families, each once.
    static func addresses(
        of name: String,
        within limit: Duration
    ) async throws(KernelError) -> [NetworkAddress] {
        let operation = "look up \(name.escapedForDisplay)"
        let race = Race()
        let timer = Task {
            try await Task.sleep(for: limit)
            let reason = "no answer within \(limit.spelled)"
            race.finish(.failure(KernelError(.failed, operation, reason)))
        }
        defer { timer.cancel() }
        let result = await withCheckedContinuation { continuation in
            race.begin(continuation)
            do throws(KernelError) {
                try OwnThread.start { race.finish(resolve(name, operation)) }
            } catch {
                race.finish(.failure(error))
            }
        }
        return try result.get()
    }

    private static func resolve(
        _ name: String,
        _ operation: String
    ) -> Result<[NetworkAddress], KernelError> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        // Without a type each address would come once per type.
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else {
            let isUnknown = code == EAI_NONAME || code == noAddress
            let kind: KernelError.Kind = isUnknown ? .gone : .failed
            return .failure(KernelError(kind, operation, String(cString: gai_strerror(code))))
        }
        defer { freeaddrinfo(list) }
        var found: [NetworkAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            if let address = address(of: entry), !found.contains(address) { found.append(address) }
        }
        return .success(found)
    }

    /// EAI_NODATA, which glibc has beside POSIX: the name is known, but has no address.
    private static let noAddress: Int32 = -5

    private static func address(of entry: addrinfo) -> NetworkAddress? {
        guard let socketAddress = entry.ai_addr else { return nil }
        let raw = UnsafeRawPointer(socketAddress)
        switch entry.ai_family {
        case AF_INET:
            let address = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
            return withUnsafeBytes(of: address) { NetworkAddress(bytes: Array($0)) }
        case AF_INET6:
            let address = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            return withUnsafeBytes(of: address) { NetworkAddress(bytes: Array($0)) }
        default: return nil
        }
    }
}

/// The first answer wins; the second is dropped.
private final class Race: Sendable {
    typealias Answer = Result<[NetworkAddress], KernelError>

    private enum State {
        case idle
        case waiting(CheckedContinuation<Answer, Never>)
        case done
    }

    private let state = Mutex<State>(.idle)

    func begin(_ continuation: CheckedContinuation<Answer, Never>) {
        state.withLock { $0 = .waiting(continuation) }
    }

    func finish(_ answer: Answer) {
        let waiting = state.withLock { state -> CheckedContinuation<Answer, Never>? in
            guard case .waiting(let continuation) = state else { return nil }
            state = .done
            return continuation
        }
        waiting?.resume(returning: answer)
    }
}
