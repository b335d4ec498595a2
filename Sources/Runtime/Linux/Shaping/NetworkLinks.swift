// Interfaces by rtnetlink: which there are, ifbs of ours made and removed.

import ChaosModel
import Glibc

/// A network interface.
struct NetworkLink: Equatable, Sendable {
    var name: String
    var index: Int32
    var isUp: Bool
    var isLoopback: Bool
    /// What made it, such as `ifb`; empty for hardware.
    var kind: String
    /// What its maker wrote to it.
    var alias: String
    /// The interface that it sends through, in the same namespace.
    var lower: Int32?
    /// The bridge, bond or team that it belongs to.
    var master: Int32?

    /// Reads the body of a message.
    init?(_ body: [UInt8]) {
        guard body.count >= Self.fixedSize else { return nil }
        index = NetlinkAttributes.number(Array(body[4...]), as: Int32.self)
        let flags = NetlinkAttributes.number(Array(body[8...]), as: UInt32.self)
        isUp = flags & UInt32(IFF_UP) != 0
        isLoopback = flags & UInt32(IFF_LOOPBACK) != 0
        let attributes = NetlinkAttributes(body.dropFirst(Self.fixedSize))
        guard let name = attributes.text(Attribute.name) else { return nil }
        self.name = name
        kind = attributes.nested(Attribute.info)?.text(Attribute.infoKind) ?? ""
        alias = attributes.text(Attribute.alias) ?? ""
        lower = attributes.has(Attribute.lowerNamespace) ? nil : attributes.number(Attribute.lower)
        master = attributes.number(Attribute.master)
    }

    private static let fixedSize = 16

    /// IFLA_ of linux/if_link.h.
    enum Attribute {
        static let name: UInt16 = 3
        static let lower: UInt16 = 5
        static let master: UInt16 = 10
        static let info: UInt16 = 18
        static let infoKind: UInt16 = 1
        static let alias: UInt16 = 20
        static let families: UInt16 = 26
        static let addressMode: UInt16 = 8
        static let lowerNamespace: UInt16 = 37
    }
}

extension Rtnetlink {
    /// The mark of our ifbs.
    static let alias = "moonquake"

    private enum Kind {
        static let newLink: UInt16 = 16
        static let deleteLink: UInt16 = 17
        static let getLink: UInt16 = 18
    }

    /// All interfaces.
    func links() throws(Refusal) -> [NetworkLink] {
        try ask(NetlinkMessage(Kind.getLink, .dump, fixed: Self.link())).compactMap(
            NetworkLink.init
        )
    }

    /// One interface by its name; nil without one.
    func link(named name: String) throws(Refusal) -> NetworkLink? {
        var message = NetlinkMessage(Kind.getLink, [], fixed: Self.link())
        message.add(NetworkLink.Attribute.name, NetlinkBytes(text: name))
        do throws(Refusal) {
            return try ask(message).first.flatMap(NetworkLink.init)
        } catch {
            if error.code == ENODEV { return nil }
            throw error
        }
    }

    /// Makes an ifb, marks it as ours and sets it up; returns its index.
    func addIfb(_ name: String) throws(Refusal) -> Int32 {
        try ask(Self.addingIfb(name))
        guard let index = try link(named: name)?.index else {
            throw Refusal(code: ENODEV, words: "")
        }
        do throws(Refusal) {
            try ask(Self.marking(index))
            // No address of its own, so that it sends nothing by itself; kernels without IPv6 refuse.
            _ = try? ask(Self.withoutAddress(index))
            try ask(Self.settingUp(index))
            return index
        } catch {
            _ = try? removeLink(index)
            throw error
        }
    }

    /// Removes an interface; false when it was not there.
    @discardableResult
    func removeLink(_ index: Int32) throws(Refusal) -> Bool {
        do throws(Refusal) {
            try ask(NetlinkMessage(Kind.deleteLink, .acknowledge, fixed: Self.link(index)))
            return true
        } catch {
            if error.code == ENODEV { return false }
            throw error
        }
    }

    static func addingIfb(_ name: String) -> NetlinkMessage {
        var message = NetlinkMessage(
            Kind.newLink,
            [.create, .exclusive, .acknowledge],
            fixed: link()
        )
        message.add(NetworkLink.Attribute.name, NetlinkBytes(text: name))
        var info = NetlinkBytes()
        info.attribute(NetworkLink.Attribute.infoKind, NetlinkBytes(text: "ifb"))
        message.add(NetworkLink.Attribute.info, info)
        return message
    }

    private static func marking(_ index: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(Kind.newLink, .acknowledge, fixed: link(index))
        message.add(NetworkLink.Attribute.alias, NetlinkBytes(text: alias))
        return message
    }

    private static func withoutAddress(_ index: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(Kind.newLink, .acknowledge, fixed: link(index))
        var families = NetlinkBytes()
        families.nest(UInt16(AF_INET6)) {
            // IN6_ADDR_GEN_MODE_NONE
            $0.attribute(NetworkLink.Attribute.addressMode, NetlinkBytes(UInt8(1)))
        }
        message.add(NetworkLink.Attribute.families, families)
        return message
    }

    private static func settingUp(_ index: Int32) -> NetlinkMessage {
        let up = UInt32(IFF_UP)
        return NetlinkMessage(Kind.newLink, .acknowledge, fixed: link(index, flags: up, change: up))
    }

    /// struct ifinfomsg.
    private static func link(
        _ index: Int32 = 0,
        flags: UInt32 = 0,
        change: UInt32 = 0
    ) -> NetlinkBytes {
        NetlinkBytes(0, UInt32(bitPattern: index), flags, change)
    }
}
