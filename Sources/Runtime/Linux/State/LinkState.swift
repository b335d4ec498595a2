// Interfaces, queues and filters of the calling thread's namespace as lines, by rtnetlink: what was set, and neither
// counters nor whether a cable is in.

import ChaosModel
import Glibc

/// Lines of interfaces, queues and filters.
enum LinkState {
    private enum Ask {
        static let links: UInt16 = 18
        static let queues: UInt16 = 38
        static let filters: UInt16 = 46
    }

    private enum Attribute {
        static let kind: UInt16 = 1
        static let options: UInt16 = 2
        static let address: UInt16 = 1
        static let mtu: UInt16 = 4
        static let queueLength: UInt16 = 13
    }

    /// The kinds that have no classes, so that no filter is at their root.
    private static let classless: Set<String> = [
        "noqueue", "noop", "mq", "fq", "fq_codel", "pfifo", "pfifo_fast", "bfifo", "netem", "tbf",
        "clsact", "ingress",
    ]
    /// The places of filters of clsact, and that of the root (linux/pkt_sched.h).
    private static let clsact: [(UInt32, String)] = [
        (0xffff_fff2, "ingress"), (0xffff_fff3, "egress"),
    ]
    private static let root: [(UInt32, String)] = [(0, "root")]

    /// All lines.
    static func lines() throws(KernelError) -> [StateLine] {
        let rtnetlink = try Rtnetlink()
        do throws(Rtnetlink.Refusal) {
            let links = try rtnetlink.ask(message(Ask.links, family: 16))
            let names = Dictionary(
                links.compactMap { NetworkLink($0) }.map { ($0.index, $0.name) }
            ) { first, _ in first }
            let queues = try rtnetlink.ask(message(Ask.queues, family: 20)).compactMap { body in
                Queue(body, names)
            }
            var filters: [StateLine] = []
            for (index, queues) in Dictionary(grouping: queues, by: \.index) {
                guard let link = names[index] else { continue }
                for (parent, place) in places(queues.map(\.kind)) {
                    // A place that has none refuses.
                    let found = try? rtnetlink.ask(
                        message(Ask.filters, family: 20, index: index, parent: parent)
                    )
                    filters += (found ?? []).compactMap { filter($0, link, place) }
                }
            }
            return links.compactMap(link) + queues.map(\.line) + filters
        } catch {
            throw error.error("list interfaces and queues")
        }
    }

    /// A question for all of a kind; the fixed part has `family` bytes.
    private static func message(
        _ type: UInt16,
        family size: Int,
        index: Int32 = 0,
        parent: UInt32 = 0
    ) -> NetlinkMessage {
        var fixed = NetlinkBytes(UInt32(0), UInt32(bitPattern: index), UInt32(0), parent)
        while fixed.bytes.count < size { fixed.number(UInt8(0)) }
        return NetlinkMessage(type, .dump, fixed: fixed)
    }

    private static func places(_ kinds: [String]) -> [(UInt32, String)] {
        (kinds.contains("clsact") || kinds.contains("ingress") ? clsact : [])
            + (kinds.contains { !classless.contains($0) } ? root : [])
    }

    private static func link(_ body: [UInt8]) -> StateLine? {
        guard let link = NetworkLink(body) else { return nil }
        let attributes = NetlinkAttributes(body.dropFirst(16))
        let mtu: UInt32 = attributes.number(Attribute.mtu) ?? 0
        let length: UInt32 = attributes.number(Attribute.queueLength) ?? 0
        let address = (attributes.bytes(Attribute.address) ?? []).map(hex).joined(separator: ":")
        var words = [
            "index \(link.index)", link.isUp ? "up" : "down", "mtu \(mtu)", "qlen \(length)",
        ]
        if !link.kind.isEmpty { words.append(link.kind) }
        if !address.isEmpty { words.append("address \(address)") }
        if let master = link.master { words.append("master \(master)") }
        if !link.alias.isEmpty { words.append("alias \(link.alias.escapedForDisplay)") }
        return StateLine("link \(link.name)", words.joined(separator: " "))
    }

    /// A queue of an interface.
    private struct Queue {
        /// The kinds whose options count packets.
        private static let counting: Set<String> = ["htb"]

        let index: Int32
        let kind: String
        let line: StateLine

        init?(_ body: [UInt8], _ names: [Int32: String]) {
            guard body.count >= 20 else { return nil }
            index = NetlinkAttributes.number(Array(body[4...]), as: Int32.self)
            let handle = NetlinkAttributes.number(Array(body[8...]), as: UInt32.self)
            let parent = NetlinkAttributes.number(Array(body[12...]), as: UInt32.self)
            let attributes = NetlinkAttributes(body.dropFirst(20))
            guard let kind = attributes.text(Attribute.kind), let name = names[index] else {
                return nil
            }
            self.kind = kind
            let options = Self.counting.contains(kind) ? nil : attributes.bytes(Attribute.options)
            let digest = options.map { " options \(SHA256.hexDigest(of: $0).prefix(12))" } ?? ""
            line = StateLine(
                "queue of \(name) at \(parent == 0xffff_ffff ? "root" : text(parent))",
                "\(kind) \(text(handle))\(digest)"
            )
        }
    }

    private static func filter(_ body: [UInt8], _ link: String, _ place: String) -> StateLine? {
        guard body.count >= 20,
            let kind = NetlinkAttributes(body.dropFirst(20)).text(Attribute.kind)
        else { return nil }
        let handle = NetlinkAttributes.number(Array(body[8...]), as: UInt32.self)
        let info = NetlinkAttributes.number(Array(body[16...]), as: UInt32.self)
        return StateLine(
            "filter of \(link) at \(place) \(info >> 16) \(String(handle, radix: 16))",
            "\(kind) protocol \(String(UInt16(truncatingIfNeeded: info).byteSwapped, radix: 16))"
        )
    }

    /// A handle as tc(8) writes it.
    private static func text(_ handle: UInt32) -> String {
        "\(String(handle >> 16, radix: 16)):\(String(handle & 0xffff, radix: 16))"
    }

    private static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
