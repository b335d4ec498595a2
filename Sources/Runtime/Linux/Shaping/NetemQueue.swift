// netem on an ifb by rtnetlink: a first one at the root, each further one inside the one before, which hands it
// the packets that it is done with.

import ChaosModel
import Glibc

/// What has happened in one netem.
struct NetemStatistics: Equatable {
    /// Packets that are waiting.
    var waiting: UInt32
    /// Packets that were dropped here and in what is inside.
    var dropped: UInt32
}

extension Rtnetlink {
    private enum Kind {
        static let newQueue: UInt16 = 36
        static let getQueue: UInt16 = 38
    }

    /// TCA_ of linux/rtnetlink.h.
    private enum Attribute {
        static let kind: UInt16 = 1
        static let options: UInt16 = 2
        static let statistics: UInt16 = 7
        static let queue: UInt16 = 3
    }

    private static let fixedSize = 20
    private static let root: UInt32 = 0xffff_ffff

    /// Puts netems on an ifb, the first outermost.
    func addNetems(_ stages: [NetemOptions], to index: Int32) throws(Refusal) {
        for (number, options) in stages.enumerated() {
            do throws(Refusal) {
                try ask(Self.addingNetem(options, number: number, to: index))
            } catch {
                // Before 6.6 there is no seed to set; where the reason is another, this fails too.
                guard error.code == EINVAL else { throw error }
                try ask(Self.addingNetem(options, number: number, to: index, withSeed: false))
            }
        }
    }

    /// What has happened in one netem of an ifb; nil when it is not there.
    func statistics(ofNetem number: Int, on index: Int32) throws(Refusal) -> NetemStatistics? {
        let fixed = Self.queue(on: index, handle: Self.handle(number), parent: 0)
        do throws(Refusal) {
            let answer = try ask(NetlinkMessage(Kind.getQueue, [], fixed: fixed)).first
            return answer.flatMap(Self.statistics)
        } catch {
            if [ENODEV, ENOENT, EINVAL].contains(error.code) { return nil }
            throw error
        }
    }

    static func addingNetem(
        _ options: NetemOptions,
        number: Int,
        to index: Int32,
        withSeed: Bool = true
    ) -> NetlinkMessage {
        // The class of the netem that it is inside of, or the root.
        let parent = number == 0 ? root : handle(number - 1) | 1
        var message = NetlinkMessage(
            Kind.newQueue,
            [.create, .exclusive, .acknowledge],
            fixed: queue(on: index, handle: handle(number), parent: parent)
        )
        message.add(Attribute.kind, NetlinkBytes(text: "netem"))
        message.add(Attribute.options, options.bytes(withSeed: withSeed))
        return message
    }

    private static func statistics(_ body: [UInt8]) -> NetemStatistics? {
        let attributes = NetlinkAttributes(body.dropFirst(fixedSize)).nested(Attribute.statistics)
        // struct gnet_stats_queue: waiting, their bytes, dropped.
        guard let waiting: UInt32 = attributes?.number(Attribute.queue),
            let dropped: UInt32 = attributes?.number(Attribute.queue, at: 8)
        else { return nil }
        return NetemStatistics(waiting: waiting, dropped: dropped)
    }

    private static func handle(_ number: Int) -> UInt32 { UInt32(number + 1) << 16 }

    /// struct tcmsg.
    private static func queue(on index: Int32, handle: UInt32, parent: UInt32) -> NetlinkBytes {
        NetlinkBytes(0, UInt32(bitPattern: index), handle, parent, 0)
    }
}
