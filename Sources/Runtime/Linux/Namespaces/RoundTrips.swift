// The way to a far end and back, measured from inside a namespace by a thread of its own: ICMP echoes that are all
// under way at once, or TCP connections that are reset as soon as they stand. Never longer than its limit.

import ChaosModel
import Glibc

/// Measures round trips.
enum RoundTrips {
    /// Measures in the calling thread's namespace; nil where the sockets cannot be had.
    static func measure(_ probe: RoundTripProbe, within limit: Duration) -> RoundTrip? {
        let end = now() + limit.inMilliseconds
        return probe.port.map { connect(probe, port: $0, until: end) }
            ?? echo(probe, until: end)
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1e6
    }

    private static func result(_ sent: Int, _ times: [Double]) -> RoundTrip {
        RoundTrip(
            sent: sent,
            answered: times.count,
            meanMs: times.isEmpty ? nil : times.reduce(0, +) / Double(times.count)
        )
    }

    // MARK: Echoes

    private static func echo(_ probe: RoundTripProbe, until end: Double) -> RoundTrip? {
        let isIPv6 = probe.address.isIPv6
        let number = socket(
            isIPv6 ? AF_INET6 : AF_INET,
            Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            isIPv6 ? Int32(IPPROTO_ICMPV6) : Int32(IPPROTO_ICMP)
        )
        guard number >= 0 else { return nil }
        let descriptor = Descriptor(number)
        // No id is ours alone; this one is not likely another's at the same time.
        let id = UInt16.random(in: .min ... .max)
        var sentAt: [Double] = []
        for index in 0..<probe.count {
            let packet = request(id: id, UInt16(index), isIPv6: isIPv6)
            sentAt.append(now())
            // One that cannot even be sent is one that is not answered.
            _ = SocketEnd(probe.address, port: 0).withAddress { address, length in
                sendto(descriptor.number, packet, packet.count, 0, address, length)
            }
        }
        var times: [Int: Double] = [:]
        while times.count < probe.count, wait(descriptor.number, POLLIN, until: end) {
            var buffer = [UInt8](repeating: 0, count: 2048)
            let length = recv(descriptor.number, &buffer, buffer.count, 0)
            let at = now()
            guard length > 0,
                let index = answered(buffer[..<length], id: id, isIPv6: isIPv6),
                index < probe.count, times[index] == nil
            else { continue }
            times[index] = at - sentAt[index]
        }
        return result(probe.count, Array(times.values))
    }

    private static func request(id: UInt16, _ index: UInt16, isIPv6: Bool) -> [UInt8] {
        var bytes: [UInt8] = [isIPv6 ? 128 : 8, 0, 0, 0]
        for value in [id, index] { bytes += [UInt8(value >> 8), UInt8(value & 0xff)] }
        bytes += Array("moonquake".utf8)
        bytes += [UInt8](repeating: 0, count: bytes.count % 2)
        // The kernel fills in that of ICMPv6.
        guard !isIPv6 else { return bytes }
        var sum = stride(from: 0, to: bytes.count, by: 2).reduce(UInt32(0)) {
            $0 + (UInt32(bytes[$1]) << 8 | UInt32(bytes[$1 + 1]))
        }
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        let check = ~UInt16(sum)
        (bytes[2], bytes[3]) = (UInt8(check >> 8), UInt8(check & 0xff))
        return bytes
    }

    /// Which of our requests a packet answers; nil for any other packet.
    private static func answered(_ packet: ArraySlice<UInt8>, id: UInt16, isIPv6: Bool) -> Int? {
        // Raw sockets of IPv4 see the header too.
        let header = isIPv6 ? 0 : Int((packet.first ?? 0) & 0x0f) * 4
        let message = Array(packet.dropFirst(header))
        guard message.count >= 8, message[0] == (isIPv6 ? 129 : 0),
            UInt16(message[4]) << 8 | UInt16(message[5]) == id
        else { return nil }
        return Int(message[6]) << 8 | Int(message[7])
    }

    // MARK: Connections

    private static func connect(
        _ probe: RoundTripProbe,
        port: Int,
        until end: Double
    ) -> RoundTrip {
        var times: [Double] = []
        for index in 0..<probe.count {
            // Each gets an equal part of what is left, so that a silent far end costs the limit and no more.
            let began = now()
            let share = began + max(0, end - began) / Double(probe.count - index)
            if connects(to: probe.address, port, until: share) { times.append(now() - began) }
        }
        return result(probe.count, times)
    }

    /// Whether a far end answers, be it by a refusal.
    private static func connects(
        to address: NetworkAddress,
        _ port: Int,
        until end: Double
    ) -> Bool {
        let number = socket(
            address.isIPv6 ? AF_INET6 : AF_INET,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            0
        )
        guard number >= 0 else { return false }
        let descriptor = Descriptor(number)
        var reset = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            number,
            SOL_SOCKET,
            SO_LINGER,
            &reset,
            socklen_t(MemoryLayout<linger>.size)
        )
        let code = SocketEnd(address, port: port).withAddress { Glibc.connect(number, $0, $1) }
        if code == 0 { return true }
        guard errno == EINPROGRESS else { return errno == ECONNREFUSED }
        guard wait(descriptor.number, POLLOUT, until: end) else { return false }
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(number, SOL_SOCKET, SO_ERROR, &error, &length)
        return error == 0 || error == ECONNREFUSED
    }

    // MARK: Sockets

    private static func wait(_ number: Int32, _ events: Int32, until end: Double) -> Bool {
        let left = end - now()
        guard left > 0 else { return false }
        var entry = pollfd(fd: number, events: Int16(events), revents: 0)
        return poll(&entry, 1, Int32(left.rounded(.up))) > 0
    }
}
