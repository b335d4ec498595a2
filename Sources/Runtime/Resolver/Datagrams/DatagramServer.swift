// What the loop does with datagrams: decides about each where it lies, and sends what becomes of them in batches.
// Nothing is allocated for a query that is answered or passed on at once.

import CDatagrams
import ChaosModel
import Glibc

/// All stations, their sockets and what waits; used by one thread at a time.
final class DatagramServer {
    /// Rules of a station and the machine around it.
    private struct Station {
        var rules = RuleBook()
        var host: any ResolverHost
    }

    /// How many resolvers a listener keeps sockets for.
    private static let upstreamLimit = 32
    /// How many batches of one socket are served before the others have their turn.
    private static let turns = 8

    private let set: Int32
    private let batch: OpaquePointer
    private let received = UnsafeMutablePointer<dg_message>.allocate(capacity: Int(DG_BATCH))
    private let answers: UnsafeMutableRawBufferPointer
    private let name = QuestionName()
    private var stations: [Int: Station] = [:]
    private var lanes: [UInt64: Lane] = [:]
    private var held = HeldDatagrams()
    private var replies = Outgoing()
    private var forwards = Outgoing()
    private var forwardLane: Lane?
    private var nextToken: UInt64 = 1

    /// Makes a server on a set of sockets.
    init(set: Int32, batch: OpaquePointer) {
        self.set = set
        self.batch = batch
        answers = .allocate(byteCount: Int(DG_BATCH) * AnswerWriter.room, alignment: 16)
    }

    // MARK: Stations

    /// Opens a station without rules: its queries are passed on.
    func open(
        _ station: Int,
        _ sockets: [StationSockets.Datagrams],
        host: any ResolverHost
    ) throws(KernelError) {
        stations[station] = Station(host: host)
        for listener in sockets {
            try add(Lane(listener, token: nextToken, station: station))
        }
    }

    /// Closes a station and its sockets; what is held for it is dropped when it is due.
    func close(_ station: Int) {
        stations[station] = nil
        for lane in lanes.values where lane.station == station { remove(lane) }
    }

    /// Changes or reads the rules of a station; nil when it is not open.
    func rules<Value>(of station: Int, _ body: (inout RuleBook) -> Value) -> Value? {
        guard let index = stations.index(forKey: station) else { return nil }
        return body(&stations.values[index].rules)
    }

    private func add(_ lane: Lane) throws(KernelError) {
        nextToken += 1
        let code = dg_set_add(set, lane.descriptor, lane.token)
        guard code == 0 else {
            throw KernelError(.failed, "wait for datagrams", String(cString: strerror(code)))
        }
        lanes[lane.token] = lane
    }

    private func remove(_ lane: Lane) {
        dg_set_remove(set, lane.descriptor)
        lanes[lane.token] = nil
        if forwardLane === lane { forwardLane = nil }
        lane.cut()
    }

    // MARK: Decisions

    /// Decides about a query; nil for what rules are not for, which is passed on.
    func decide(_ message: RawSpan, of station: Int) -> (verdict: QueryVerdict, question: Question)?
    {
        guard let question = Question(message, name: name), question.isQuery,
            question.recordClass == 1 || question.recordClass == 255,
            let index = stations.index(forKey: station)
        else { return nil }
        return (stations.values[index].rules.decide(question, name), question)
    }

    // MARK: Serving

    /// Serves the socket of a token.
    func serve(_ token: UInt64) {
        guard let lane = lanes[token] else { return }
        for _ in 0..<Self.turns {
            let count = Int(dg_receive(batch, lane.descriptor, received))
            guard count > 0 else { return }
            if let listener = lane.listener {
                for index in 0..<count { pass(back: index, from: lane) }
                note(replies.send(by: listener.descriptor, with: batch), in: lane.station)
            } else {
                for index in 0..<count { take(index, from: lane) }
                flushForwards()
                note(replies.send(by: lane.descriptor, with: batch), in: lane.station)
            }
            guard count == Int(DG_BATCH) else { return }
        }
    }

    /// Sends what is due by now.
    func releaseDue(at now: Int64) {
        while let datagram = held.takeDue(at: now) {
            guard let lane = lanes[datagram.lane] else { continue }
            var bytes = datagram.bytes
            bytes.withUnsafeMutableBufferPointer { buffer in
                let message = dg_message(
                    bytes: buffer.baseAddress,
                    length: UInt32(buffer.count),
                    end: datagram.client
                )
                switch datagram.purpose {
                case .answer:
                    replies.add(message)
                    note(replies.send(by: lane.descriptor, with: batch), in: lane.station)
                case .forward(let check):
                    forward(message, check: check, from: lane)
                    flushForwards()
                }
            }
        }
    }

    /// Lets go all that is held for a station, at once.
    func release(_ station: Int) {
        held.hurry { lanes[$0]?.station == station }
        releaseDue(at: Monotonic.now)
    }

    /// How many queries of a station wait for an answer.
    func waiting(in station: Int) -> Int {
        lanes.values.reduce(0) { $0 + ($1.station == station ? $1.waiting.waiting : 0) }
    }

    /// When the first held datagram is due.
    var firstDue: Int64? { held.firstDue }

    /// Decides about a datagram of the batch.
    private func take(_ index: Int, from lane: Lane) {
        let message = received[index]
        let bytes = UnsafeRawBufferPointer(start: message.bytes, count: Int(message.length))
        // Less than a header, or an answer: nothing that a resolver would answer.
        guard bytes.count >= Question.headerSize, bytes[2] & 0x80 == 0 else { return }
        guard let (verdict, question) = decide(bytes.bytes, of: lane.station) else {
            return forward(message, check: nil, from: lane)
        }
        switch verdict.ending {
        case .drop: return
        case .pass where verdict.delay == 0: forward(message, check: question.check, from: lane)
        case .pass:
            let isHeld = hold(bytes, message.end, .forward(check: question.check), verdict, lane)
            if !isHeld { forward(message, check: question.check, from: lane) }
        case .answer(let content):
            let room = UnsafeMutableRawBufferPointer(
                rebasing: answers[(index * AnswerWriter.room)..<((index + 1) * AnswerWriter.room)]
            )
            let length = AnswerWriter.write(content, to: bytes.bytes, question, into: room)
            let written = UnsafeRawBufferPointer(rebasing: room[..<length])
            if verdict.delay > 0, hold(written, message.end, .answer, verdict, lane) { return }
            guard let start = room.baseAddress else { return }
            let typed = start.assumingMemoryBound(to: UInt8.self)
            replies.add(dg_message(bytes: typed, length: UInt32(length), end: message.end))
        }
    }

    private func hold(
        _ bytes: UnsafeRawBufferPointer,
        _ client: dg_end,
        _ purpose: HeldDatagram.Purpose,
        _ verdict: QueryVerdict,
        _ lane: Lane
    ) -> Bool {
        let isHeld = held.add(
            HeldDatagram(
                due: Monotonic.now + verdict.delay,
                order: 0,
                lane: lane.token,
                client: client,
                bytes: Array(bytes),
                purpose: purpose
            )
        )
        if !isHeld { _ = rules(of: lane.station) { $0.noteBypass() } }
        return isHeld
    }

    /// Puts an id of ours on a query and lets it go on with the next flush.
    private func forward(_ message: dg_message, check: UInt32?, from lane: Lane) {
        guard let upstream = upstream(for: message.end, of: lane) else {
            return note(1, in: lane.station)
        }
        if forwardLane !== upstream {
            flushForwards()
            forwardLane = upstream
        }
        let id = UInt16(message.bytes[0]) << 8 | UInt16(message.bytes[1])
        let ours = upstream.waiting.add(message.end, id: id, check: check)
        message.bytes[0] = UInt8(ours >> 8)
        message.bytes[1] = UInt8(ours & 0xff)
        var outgoing = message
        outgoing.end.length = 0
        forwards.add(outgoing)
    }

    private func flushForwards() {
        guard let lane = forwardLane else { return }
        note(forwards.send(by: lane.descriptor, with: batch), in: lane.station)
    }

    /// Puts the id of who asked back on an answer.
    private func pass(back index: Int, from lane: Lane) {
        var message = received[index]
        let bytes = UnsafeRawBufferPointer(start: message.bytes, count: Int(message.length))
        guard bytes.count >= Question.headerSize else { return }
        let ours = bytes.bytes.number(at: 0)
        let question = Question(bytes.bytes, name: name)
        guard let waiting = lane.waiting.take(ours, check: question?.check) else { return }
        message.bytes[0] = UInt8(waiting.id >> 8)
        message.bytes[1] = UInt8(waiting.id & 0xff)
        message.end = waiting.client
        replies.add(message)
    }

    /// The socket to the resolver that a datagram was meant for; nil when that is not known.
    private func upstream(for client: dg_end, of lane: Lane) -> Lane? {
        if lane.resolver != nil, let latest = lane.latest { return latest }
        guard let host = stations[lane.station]?.host else { return nil }
        var destination = lane.resolver
        if destination == nil, let end = client.end {
            destination = host.destination(ofDatagramFrom: end, to: lane.address)
        }
        guard let destination, destination != lane.address else { return nil }
        if let known = lane.upstreams[destination] {
            lane.latest = known
            return known
        }
        return connect(lane, to: destination, host)
    }

    private func connect(_ lane: Lane, to resolver: SocketEnd, _ host: any ResolverHost) -> Lane? {
        if lane.order.count >= Self.upstreamLimit {
            flushForwards()
            if let oldest = lane.upstreams.removeValue(forKey: lane.order.removeFirst()) {
                remove(oldest)
            }
        }
        do throws(KernelError) {
            let descriptor = try host.connectDatagrams(to: resolver)
            let upstream = Lane(descriptor, to: resolver, for: lane, token: nextToken)
            try add(upstream)
            lane.upstreams[resolver] = upstream
            lane.order.append(resolver)
            lane.latest = upstream
            return upstream
        } catch {
            // Counted by the caller as a query that could not be passed on.
            return nil
        }
    }

    private func note(_ failures: UInt64, in station: Int) {
        guard failures > 0 else { return }
        _ = rules(of: station) { $0.noteFailures(failures) }
    }
}

/// The clock that delays go by.
enum Monotonic {
    /// Nanoseconds since some start.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
