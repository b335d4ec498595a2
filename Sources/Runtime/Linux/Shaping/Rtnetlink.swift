// One socket of rtnetlink, in the namespace of the thread that opened it. It stays there when the thread is gone,
// so one socket serves a namespace for as long as we hold something in it; an operation takes some 10 µs.

import ChaosModel
import Glibc
import Synchronization

/// A conversation with rtnetlink in one namespace.
final class Rtnetlink: Sendable {
    /// What the kernel answered to a request that failed.
    struct Refusal: Error {
        var code: Int32
        /// The kernel's words, where it gave any.
        var words: String

        /// The error for the user.
        func error(_ operation: String) -> KernelError {
            var error = KernelError.system(
                code,
                operation,
                needs: "CAP_NET_ADMIN in the user namespace that owns the network namespace"
            )
            let isGone = code == ENODEV
            if isGone { error = KernelError(.gone, operation, error.reason) }
            return words.isEmpty
                ? error : KernelError(error.kind, operation, "\(error.reason) (\(words))")
        }
    }

    private static let bufferSize = 1 << 16
    private static let levelNetlink: Int32 = 270
    // NETLINK_EXT_ACK: words with errors. NETLINK_CAP_ACK: no copy of the request with them.
    private static let options: [Int32] = [11, 10]
    private static let patience = 5

    private let descriptor: Descriptor
    private let sequence = Mutex<UInt32>(0)

    /// Opens a socket in the namespace of the calling thread: of rtnetlink, or of another family of netlink.
    init(family: Int32 = 0) throws(KernelError) {
        let kind = Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(AF_NETLINK, kind, family)
        guard number >= 0 else { throw .system(errno, "open a socket of netlink family \(family)") }
        descriptor = Descriptor(number)
        // Old kernels know not all of these and answer without words then.
        for option in Self.options {
            var on: Int32 = 1
            setsockopt(
                number,
                Self.levelNetlink,
                option,
                &on,
                socklen_t(MemoryLayout.size(ofValue: on))
            )
        }
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Sends a request and returns the bodies of what is answered, without their headers.
    @discardableResult
    func ask(_ message: NetlinkMessage) throws(Refusal) -> [[UInt8]] {
        try sequence.withLock { sequence throws(Refusal) in
            sequence &+= 1
            let bytes = message.bytes(sequence: sequence)
            guard send(descriptor.number, bytes, bytes.count, 0) == bytes.count else {
                throw Refusal(code: errno, words: "")
            }
            var bodies: [[UInt8]] = []
            while try !receive(sequence, message.flags, into: &bodies) {}
            return bodies
        }
    }

    /// Reads one datagram; true when the answer to a request is complete.
    private func receive(
        _ sequence: UInt32,
        _ flags: NetlinkMessage.Flags,
        into bodies: inout [[UInt8]]
    ) throws(Refusal) -> Bool {
        var buffer = [UInt8](repeating: 0, count: Self.bufferSize)
        let count = recv(descriptor.number, &buffer, buffer.count, 0)
        guard count >= 0 else {
            if errno == EINTR { return false }
            throw Refusal(code: errno, words: "")
        }
        var rest = buffer[..<count]
        while rest.count >= NetlinkMessage.headerSize {
            let header = Array(rest.prefix(NetlinkMessage.headerSize))
            let length = Int(NetlinkAttributes.number(header, as: UInt32.self))
            guard length >= NetlinkMessage.headerSize, length <= rest.count else { break }
            let body = Array(rest.prefix(length).dropFirst(NetlinkMessage.headerSize))
            rest = rest.dropFirst(min((length + 3) & ~3, rest.count))
            // An answer to a request that we stopped waiting for.
            guard NetlinkAttributes.number(Array(header[8...]), as: UInt32.self) == sequence else {
                continue
            }
            switch NetlinkAttributes.number(Array(header[4...]), as: UInt16.self) {
            case 2:
                try Self.check(
                    body,
                    flags: NetlinkAttributes.number(Array(header[6...]), as: UInt16.self)
                )
                return true
            case 3: return true
            default:
                bodies.append(body)
                let waits = flags.contains(.acknowledge) || flags.contains(.dump)
                if !waits { return true }
            }
        }
        return false
    }

    /// Throws what an acknowledgement says, unless it is that all went well.
    private static func check(_ body: [UInt8], flags: UInt16) throws(Refusal) {
        guard body.count >= 4 else { return }
        let code = NetlinkAttributes.number(body, as: Int32.self)
        guard code != 0 else { return }
        let hasWords = flags & 0x200 != 0
        let attributes =
            hasWords ? NetlinkAttributes(body.dropFirst(4 + NetlinkMessage.headerSize)) : nil
        throw Refusal(code: -code, words: attributes?.text(1) ?? "")
    }
}
