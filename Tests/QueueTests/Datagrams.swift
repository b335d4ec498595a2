// Numbered datagrams from one namespace to another, each with the time when it was sent.

import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

@testable import ChaosLinux

/// A datagram that got through.
struct Arrival: Sendable {
    var number: Int
    /// Since it was sent, and since the first was sent.
    var latency: Duration
    var at: Duration
    /// Whether its content is what was sent.
    var isWhole: Bool
}

/// A socket of a test.
final class DatagramSocket: Sendable {
    private let descriptor: Descriptor
    let end: SocketEnd

    init(_ address: String, port: Int = 0, in namespace: NetworkNamespace) throws {
        guard let parsed = NetworkAddress(address) else {
            throw KernelError(.failed, "bind to \(address)", "it is no address")
        }
        let family = address.contains(":") ? AF_INET6 : AF_INET
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let number = try LinuxNamespaces.within(namespace) { () throws(KernelError) -> Int32 in
            let number = socket(family, type, 0)
            guard number >= 0 else { throw .system(errno, "open a socket") }
            return number
        }
        descriptor = Descriptor(number)
        var room: Int32 = 8 << 20
        setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &room, 4)
        guard SocketEnd(parsed, port: port).withAddress({ bind(number, $0, $1) }) == 0 else {
            throw KernelError.system(errno, "bind to \(address)")
        }
        end = SocketEnd(parsed, port: try SocketEnd.port(of: number, "bind to \(address)"))
    }

    /// Sends bytes; false when the kernel took none.
    @discardableResult
    func send(_ bytes: [UInt8], to peer: DatagramSocket) -> Bool {
        peer.end.withAddress { address, length in
            sendto(descriptor.number, bytes, bytes.count, 0, address, length)
        } == bytes.count
    }

    /// The next datagram; nil when there is none within `limit`.
    func receive(within limit: Duration) -> [UInt8]? {
        guard Poll.firstReadable([descriptor.number], within: limit) != nil else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor.number, &buffer, buffer.count, 0)
        return count >= 0 ? Array(buffer[..<count]) : nil
    }
}

/// A flow of datagrams between two sockets.
struct DatagramFlow {
    var sender: DatagramSocket
    var receiver: DatagramSocket
    /// The bytes of each datagram, 17 at least.
    var size = 64

    /// Sends datagrams at a steady pace and returns those that arrived, in their order of arrival.
    ///
    /// It ends when as many have arrived as were sent, or none has for `patience` after the last was sent.
    func run(
        count: Int,
        every pace: Duration,
        patience: Duration = .milliseconds(500)
    ) async throws -> [Arrival] {
        let isSent = Shared(false)
        let start = Self.now
        async let arrivals = OwnThread.value { () throws(KernelError) -> [Arrival] in
            var arrivals: [Arrival] = []
            while arrivals.count < count {
                let isLate = isSent.value
                guard let bytes = receiver.receive(within: patience) else {
                    if isLate { return arrivals }
                    continue
                }
                arrivals.append(Self.arrival(of: bytes, since: start))
            }
            return arrivals
        }
        try await OwnThread.value { () throws(KernelError) in
            for number in 0..<count {
                Self.sleep(until: start + Int64(number) * Int64(pace / .nanoseconds(1)))
                // A socket whose buffers are all under way takes no more for a moment.
                var tries = 0
                while !sender.send(content(number), to: receiver), tries < 1000 {
                    tries += 1
                    usleep(50)
                }
            }
        }
        isSent.value = true
        return try await arrivals
    }

    private func content(_ number: Int) -> [UInt8] {
        var bytes = Int64(number).inNetworkOrder + Self.now.inNetworkOrder
        while bytes.count < size { bytes.append(UInt8(truncatingIfNeeded: number)) }
        return bytes
    }

    private static func arrival(of bytes: [UInt8], since start: Int64) -> Arrival {
        func number(_ range: Range<Int>) -> Int64 {
            bytes[range].reduce(0) { $0 << 8 | Int64($1) }
        }
        let now = Self.now
        let sequence = number(0..<8)
        return Arrival(
            number: Int(sequence),
            latency: .nanoseconds(now - number(8..<16)),
            at: .nanoseconds(now - start),
            isWhole: bytes.dropFirst(16).allSatisfy { $0 == UInt8(truncatingIfNeeded: sequence) }
        )
    }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func sleep(until instant: Int64) {
        var time = timespec(
            tv_sec: Int(instant / 1_000_000_000),
            tv_nsec: Int(instant % 1_000_000_000)
        )
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}

extension QueueNetwork {
    /// A flow between near and an address of far, the way that `direction` says, seen from near.
    func flow(
        _ direction: PacketDirection = .egress,
        _ address: String = "10.9.0.2",
        size: Int = 64
    ) throws -> DatagramFlow {
        let own = address.contains(":") ? "fd09::1" : "10.9.0.1"
        let here = try DatagramSocket(own, in: near)
        let there = try DatagramSocket(address, in: far)
        return direction == .egress
            ? DatagramFlow(sender: here, receiver: there, size: size)
            : DatagramFlow(sender: there, receiver: here, size: size)
    }
}

extension [Arrival] {
    /// How many arrived after one that was sent later.
    var overtaken: Int {
        var latest = -1
        return reduce(0) { count, arrival in
            defer { latest = Swift.max(latest, arrival.number) }
            return count + (arrival.number < latest ? 1 : 0)
        }
    }

    /// The mean time on the way, in milliseconds.
    var meanMs: Double { map { $0.latency / .milliseconds(1) }.reduce(0, +) / Double(count) }
}
