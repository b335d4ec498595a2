// The responder with sockets: what it passes on, what it answers, and what it bears.

import ChaosModel
import Glibc
import TestSupport
import Testing

@testable import ChaosResolver

@Suite(.serialized)
struct StationTests {
    private func framed(_ message: [UInt8]) -> [UInt8] {
        QueryBytes.number(UInt16(message.count)) + message
    }

    @Test
    func `a query reaches the resolver with another id, and its answer comes back unchanged`()
        async throws
    {
        let station = try await TestStation()
        let clients = try (0..<3).map { _ in try station.client() }
        // The same id from several clients: they must not get each other's answers.
        for (index, client) in clients.enumerated() {
            #expect(client.send(QueryBytes(id: 7, name: "n\(index).test", edns: true).bytes))
        }
        var asked: [(bytes: [UInt8], from: sockaddr_in)] = []
        for _ in clients { asked.append(try #require(station.resolver.receiveFrom())) }
        #expect(Set(asked.map { $0.bytes.number(0) }).count == 3)
        for query in asked.reversed() {
            var answer = query.bytes
            answer[2] |= 0x80
            station.resolver.answer(answer + [0xde, 0xad], to: query.from)
        }
        for (index, client) in clients.enumerated() {
            var expected = QueryBytes(id: 7, name: "n\(index).test", edns: true).bytes
            expected[2] |= 0x80
            #expect(client.receive() == expected + [0xde, 0xad])
        }
        #expect(station.responder.waiting(in: station.number) == 0)
        await station.responder.close(station.number)
    }

    @Test
    func `answers that nobody asked for, or to another question, get to nobody`() async throws {
        let station = try await TestStation()
        let client = try station.client()
        #expect(client.send(QueryBytes(id: 9).bytes))
        let asked = try #require(station.resolver.receiveFrom())
        var forged = QueryBytes(id: UInt16(asked.bytes.number(0)), name: "evil.test").bytes
        forged[2] |= 0x80
        station.resolver.answer(forged, to: asked.from)
        var stray = asked.bytes
        stray[1] ^= 1
        station.resolver.answer(stray, to: asked.from)
        #expect(client.receive(milliseconds: 100) == nil)
        station.resolver.answer(asked.bytes, to: asked.from)
        #expect(client.receive() == QueryBytes(id: 9).bytes)
        await station.responder.close(station.number)
    }

    @Test
    func `a resolver that is gone for a while does not end the station`() async throws {
        let station = try await TestStation()
        let nobody = try PlainSockets.bound(SOCK_DGRAM)
        close(nobody.descriptor)
        let listener = try PlainSockets.bound(SOCK_DGRAM)
        let number = try await station.responder.open(
            StationSockets(
                datagrams: [
                    StationSockets.Datagrams(listener.descriptor, at: listener.end, for: nobody.end)
                ],
                streams: []
            ),
            host: PlainSockets()
        )
        let client = Peer(try PlainSockets.connected(SOCK_DGRAM, to: listener.end))
        // Each of these is told ECONNREFUSED on the next send or receive.
        for id in UInt16(0)..<50 {
            #expect(client.send(QueryBytes(id: id).bytes))
            usleep(1_000)
        }
        station.responder.add(
            NameRule(names: [.all], action: .error(.refused)),
            lease: "two",
            to: number
        )
        #expect(client.send(QueryBytes(id: 99).bytes))
        #expect(client.receive()?.code == 5)
        await station.responder.close(number)
        await station.responder.close(station.number)
    }

    @Test(.rounds)
    func `a delayed query goes on in its time, or at once when its rule goes`() async throws {
        let station = try await TestStation()
        let client = try station.client()
        station.add(.delay(delayMs: 150, jitterMs: 0))
        let clock = ContinuousClock()
        let start = clock.now
        #expect(client.send(QueryBytes(id: 1).bytes))
        #expect(station.resolver.receiveFrom() != nil)
        let waited = clock.now - start
        #expect(waited >= .milliseconds(150) && waited < .milliseconds(400), .ofFigure("\(waited)"))
        #expect(station.responder.remove(lease: "one", from: station.number))
        station.add(.delay(delayMs: 60_000, jitterMs: 0), lease: "two")
        #expect(client.send(QueryBytes(id: 2).bytes))
        #expect(station.resolver.receiveFrom(milliseconds: 100) == nil)
        #expect(station.responder.remove(lease: "two", from: station.number))
        #expect(station.resolver.receiveFrom() != nil)
        await station.responder.close(station.number)
    }

    @Test
    func `over TCP queries are answered or passed on one by one, however they are cut`()
        async throws
    {
        let station = try await TestStation()
        station.add(.error(.nxdomain), names: [.below("bad.test")])
        let client = try station.stream()
        let bad = QueryBytes(id: 1, name: "a.bad.test").bytes
        let good = QueryBytes(id: 2, name: "good.test").bytes
        let bytes = framed(bad) + framed(good) + framed(bad)
        for index in bytes.indices {
            #expect(client.send([bytes[index]]))
            if index % 7 == 0 { usleep(500) }
        }
        let upstream = try #require(station.resolverStreams.accept())
        var asked: [UInt8] = []
        while asked.count < framed(good).count { asked += upstream.receive() ?? [] }
        #expect(asked == framed(good))
        // An answer longer than any buffer, in pieces, with one of ours in between.
        let long = good + [UInt8](repeating: 7, count: 60_000)
        #expect(upstream.send(Array(framed(long)[..<30_000])))
        #expect(client.send(framed(bad)))
        usleep(50_000)
        #expect(upstream.send(Array(framed(long)[30_000...])))
        var answered: [UInt8] = []
        let expected = 3 * framed(bad).count + framed(long).count
        while answered.count < expected, let more = client.receive(), !more.isEmpty {
            answered += more
        }
        var messages: [[UInt8]] = []
        while answered.count >= 2 {
            let length = answered.number(0)
            messages.append(Array(answered[2..<(2 + length)]))
            answered.removeFirst(2 + length)
        }
        #expect(messages.filter { $0.code == 3 && $0.number(0) == 1 }.count == 3)
        #expect(messages.filter { $0 == long }.count == 1)
        await station.responder.close(station.number)
    }

    @Test
    func `over TCP too what a delay keeps back goes on at once when its rule goes`() async throws {
        let station = try await TestStation()
        station.add(.delay(delayMs: 60_000, jitterMs: 0))
        let client = try station.stream()
        let query = framed(QueryBytes(id: 3).bytes)
        #expect(client.send(query))
        // Held back, it waits, although it is not on its way.
        while station.responder.waiting(in: station.number) == 0 { usleep(1_000) }
        #expect(station.resolverStreams.accept(milliseconds: 100) == nil)
        #expect(station.responder.remove(lease: "one", from: station.number))
        let upstream = try #require(station.resolverStreams.accept())
        #expect(upstream.receive() == query)
        #expect(station.responder.waiting(in: station.number) == 1)
        #expect(upstream.send(query))
        #expect(client.receive() == query)
        #expect(station.responder.waiting(in: station.number) == 0)
        await station.responder.close(station.number)
    }

    @Test
    func `100,000 broken datagrams and streams leave it serving, in bounded memory`() async throws {
        let station = try await TestStation()
        station.add(.error(.servfail), names: [.below("test")])
        station.responder.add(
            NameRule(names: [.all], share: 0.3, action: .delay(delayMs: 20, jitterMs: 20)),
            lease: "two",
            to: station.number
        )
        let client = try station.client()
        var generator = SeededGenerator(seed: 7)
        // Once for what is allocated once.
        for _ in 0..<2_000 { _ = client.send(BrokenMessage.next(&generator)) }
        usleep(100_000)
        let before = residentBytes
        for round in 0..<100_000 {
            _ = client.send(BrokenMessage.next(&generator))
            if round % 64 == 0 {
                while client.receive(milliseconds: 0) != nil {}
                // The resolver answers with what is broken too.
                while let asked = station.resolver.receiveFrom(milliseconds: 0) {
                    var answer = BrokenMessage.next(&generator)
                    for offset in 0..<min(2, answer.count) { answer[offset] = asked.bytes[offset] }
                    station.resolver.answer(answer, to: asked.from)
                }
            }
        }
        for _ in 0..<200 {
            let stream = try station.stream()
            var noise: [UInt8] = []
            for _ in 0..<8 { noise += BrokenMessage.next(&generator) }
            _ = stream.send(noise)
        }
        usleep(200_000)
        let grown = residentBytes - before
        print("100,000 broken messages: \(grown / 1024) kB more than before")
        #expect(grown < 64 << 20)
        while client.receive(milliseconds: 0) != nil {}
        let last = try station.client()
        #expect(last.send(QueryBytes(id: 77, name: "a.test").bytes))
        #expect(last.receive()?.code == 2)
        await station.responder.close(station.number)
    }

    @Test
    func `the table of waiting queries grows, forgets, and keeps ids apart`() {
        var upstream = Upstream()
        var ids: [UInt16: UInt16] = [:]
        for number in 0..<20_000 {
            let ours = upstream.add(.init(), id: UInt16(number % 65_536), check: UInt32(number))
            #expect(ids[ours] == nil)
            ids[ours] = UInt16(number % 65_536)
        }
        #expect(upstream.waiting == 20_000)
        let lost = ids.filter { upstream.take($0.key, check: nil)?.id != $0.value }
        #expect(lost.isEmpty)
        #expect(upstream.waiting == 0)
        for number in 0..<200_000 {
            _ = upstream.add(.init(), id: UInt16(number & 0xffff), check: nil)
        }
        #expect(upstream.waiting <= Upstream.largest)
    }
}
