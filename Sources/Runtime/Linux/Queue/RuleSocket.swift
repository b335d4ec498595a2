// The netlink socket that owns the table of a lease: the kernel removes the table when the socket closes, however
// the process ends.

import CPacketQueue
import ChaosModel
import Glibc

/// A conversation with nf_tables in one namespace, by raw messages.
struct RuleSocket: ~Copyable, Sendable {
    private var descriptor: Descriptor

    /// Opens a socket in the namespace of the calling thread.
    init() throws(KernelError) {
        descriptor = try Descriptor(pq_rules_open(), "open a netfilter socket")
    }

    /// Takes over a socket that another thread has opened.
    init(taking number: Int32) { descriptor = Descriptor(number) }

    /// Sends a transaction.
    func change(_ batch: NetlinkBatch, _ operation: String) throws(KernelError) {
        let code = pq_rules_change(
            descriptor.number,
            batch.bytes,
            batch.bytes.count,
            batch.last
        )
        guard code == 0 else {
            throw .system(code, operation, needs: NftContext.neededPrivilege)
        }
    }

    /// The packets of a counter; nil when it is not there.
    func packets(_ table: QueueTable) throws(KernelError) -> UInt64? {
        let operation = "count packets of nft table \(table.plan.name)"
        var answer = [UInt8](repeating: 0, count: 4096)
        let request = table.counterRequest
        let length = pq_rules_ask(
            descriptor.number,
            request,
            request.count,
            &answer,
            answer.count
        )
        if length == -Int(ENOENT) { return nil }
        guard length >= 0 else { throw .system(Int32(-length), operation) }
        return CounterAnswer.packets(in: answer[..<length])
    }

    /// Gives the descriptor away, to be closed where nobody waits.
    mutating func release() -> Int32 { descriptor.release() }
}

/// Reads the answer to the request for a counter.
enum CounterAnswer {
    /// The packets: attribute 2 of attribute 4 (the object's data); 0 when the answer has none.
    static func packets(in message: ArraySlice<UInt8>) -> UInt64 {
        guard let data = attribute(4, in: message.dropFirst(20)),
            let packets = attribute(2, in: data), packets.count == 8
        else { return 0 }
        return packets.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func attribute(_ type: UInt16, in bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>?
    {
        var rest = bytes
        while rest.count >= 4 {
            let start = rest.startIndex
            let length = Int(rest[start]) | Int(rest[start + 1]) << 8
            let found = (UInt16(rest[start + 2]) | UInt16(rest[start + 3]) << 8) & 0x3fff
            guard length >= 4, length <= rest.count else { return nil }
            if found == type { return rest[(start + 4)..<(start + length)] }
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return nil
    }
}
