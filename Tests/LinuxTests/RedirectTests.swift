// Redirects on the real kernel: who is caught, who is not, and what is left when the table goes.

import ChaosModel
import Glibc
import Testing

@testable import ChaosLinux

@Suite(.serialized)
struct RedirectTests {
    private let network: TestNetwork
    private let redirects = LinuxRedirects()
    /// Where the traffic is sent to: a resolver at the far end.
    private static let families = [("10.9.0.2", "127.0.0.1"), ("fd09::2", "::1")]

    init() throws { network = try TestNetwork() }

    private func plan(_ kind: PacketProtocol, from port: Int, to listener: Int) -> RedirectPlan {
        RedirectPlan(
            name: "moonquake_r",
            redirects: [Redirect(kind, ports: [port], to: listener)]
        )
    }

    @Test(arguments: families)
    func `UDP comes to the listener, and its answers from the address that was asked`(
        far: String,
        loopback: String
    ) throws {
        let resolver = try TestSocket(.udp, far, in: network.far)
        let listener = try TestSocket(.udp, loopback, in: network.near)
        let client = try TestSocket(.udp, far.contains(":") ? "::" : "0.0.0.0", in: network.near)
        try redirects.add(
            plan(.udp, from: resolver.port, to: listener.port),
            in: network.near
        )
        #expect(client.send([1], to: resolver.port, at: far))
        let asked = try #require(listener.receiveFrom())
        #expect(asked.bytes == [1])
        listener.answer([2], to: asked.from)
        let answered = try #require(client.receiveFrom())
        #expect(answered.bytes == [2])
        #expect(answered.from == SocketEnd(try #require(NetworkAddress(far)), port: resolver.port))
        #expect(resolver.receive() == nil)
        #expect(try redirects.count("moonquake_r", in: network.near)?.flows == 1)
        let tracking = try LinuxNamespaces.within(network.near) { () throws(KernelError) in
            try ConnectionTracking()
        }
        let end = SocketEnd(try #require(NetworkAddress(loopback)), port: listener.port)
        #expect(
            try tracking.originalDestination(ofDatagramFrom: asked.from, to: end) == answered.from
        )
        let stranger = SocketEnd(asked.from.address, port: 9)
        #expect(try tracking.originalDestination(ofDatagramFrom: stranger, to: end) == nil)
    }

    @Test(arguments: families)
    func `TCP comes to the listener, which knows where it was meant to go`(
        far: String,
        loopback: String
    ) throws {
        let server = try TestSocket(.tcp, far, listens: true, in: network.far)
        let listener = try TestSocket(.tcp, loopback, listens: true, in: network.near)
        let client = try TestSocket(.tcp, far.contains(":") ? "::" : "0.0.0.0", in: network.near)
        try redirects.add(plan(.tcp, from: server.port, to: listener.port), in: network.near)
        #expect(client.connects(to: server, at: far))
        let connection = try #require(listener.accept())
        #expect(
            connection.originalDestination
                == SocketEnd(try #require(NetworkAddress(far)), port: server.port)
        )
        #expect(server.accept(within: .milliseconds(50)) == nil)
    }

    @Test
    func `what is marked as ours goes where it was sent`() throws {
        let resolver = try TestSocket(.udp, "10.9.0.2", in: network.far)
        let listener = try TestSocket(.udp, "127.0.0.1", in: network.near)
        let client = try TestSocket(.udp, "0.0.0.0", in: network.near)
        try RedirectMark.apply(to: client.descriptor.number)
        try redirects.add(plan(.udp, from: resolver.port, to: listener.port), in: network.near)
        #expect(client.send([1], to: resolver.port, at: "10.9.0.2"))
        #expect(resolver.receiveFrom()?.bytes == [1])
        #expect(try redirects.count("moonquake_r", in: network.near)?.flows == 0)
    }

    @Test
    func `a socket that keeps its port is caught at once, and let go at once`() throws {
        let resolver = try TestSocket(.udp, "10.9.0.2", in: network.far)
        let listener = try TestSocket(.udp, "127.0.0.1", in: network.near)
        let client = try TestSocket(.udp, "0.0.0.0", in: network.near)
        // The same two ends before, while and after: the kernel tracks one flow for each.
        for round in UInt8(0)..<3 {
            #expect(client.send([round, 0], to: resolver.port, at: "10.9.0.2"))
            let direct = try #require(resolver.receiveFrom(), "round \(round)")
            #expect(direct.bytes == [round, 0])
            resolver.answer([round, 1], to: direct.from)
            #expect(client.receiveFrom()?.bytes == [round, 1])
            try redirects.add(plan(.udp, from: resolver.port, to: listener.port), in: network.near)
            #expect(client.send([round, 2], to: resolver.port, at: "10.9.0.2"))
            let caught = try #require(listener.receiveFrom(), "round \(round)")
            #expect(caught.bytes == [round, 2])
            listener.answer([round, 3], to: caught.from)
            #expect(client.receiveFrom()?.bytes == [round, 3])
            try redirects.remove("moonquake_r", in: network.near)
        }
        #expect(try redirects.count("moonquake_r", in: network.near) == nil)
    }

    /// Each plan has a listener of its own, as each fault of a run has, and the client the same port throughout.
    @Test(arguments: families)
    func `a socket that keeps its port comes to the listener of the next plan`(
        far: String,
        loopback: String
    ) throws {
        let resolver = try TestSocket(.udp, far, in: network.far)
        let client = try TestSocket(.udp, far.contains(":") ? "::" : "0.0.0.0", in: network.near)
        for round in UInt8(0)..<3 {
            let listener = try TestSocket(.udp, loopback, in: network.near)
            let plan = plan(.udp, from: resolver.port, to: listener.port)
            try redirects.add(plan, in: network.near)
            #expect(client.send([round], to: resolver.port, at: far))
            #expect(listener.receiveFrom()?.bytes == [round], "round \(round)")
            try redirects.remove(plan.name, in: network.near)
        }
    }

    @Test
    func `a drained plan lets go of what is new and keeps what has come`() throws {
        let server = try TestSocket(.tcp, "10.9.0.2", listens: true, in: network.far)
        let resolver = try TestSocket(.udp, "10.9.0.2", in: network.far)
        let streams = try TestSocket(.tcp, "127.0.0.1", listens: true, in: network.near)
        let datagrams = try TestSocket(.udp, "127.0.0.1", in: network.near)
        let open = try TestSocket(.tcp, "0.0.0.0", in: network.near)
        let asking = try TestSocket(.udp, "0.0.0.0", in: network.near)
        let plan = RedirectPlan(
            name: "moonquake_r",
            redirects: [
                Redirect(.tcp, ports: [server.port], to: streams.port),
                Redirect(.udp, ports: [resolver.port], to: datagrams.port),
            ],
            cuts: [RedirectCut(.tcp, ports: [853], answer: .silence)]
        )
        try redirects.add(plan, in: network.near)
        #expect(open.connects(to: server, at: "10.9.0.2"))
        let connection = try #require(streams.accept())
        #expect(asking.send([1], to: resolver.port, at: "10.9.0.2"))
        let asked = try #require(datagrams.receiveFrom())
        try redirects.drain(plan, in: network.near)
        datagrams.answer([2], to: asked.from)
        #expect(asking.receiveFrom()?.bytes == [2])
        #expect(asking.send([3], to: resolver.port, at: "10.9.0.2"))
        #expect(resolver.receiveFrom()?.bytes == [3])
        #expect(send(connection.number, "x", 1, 0) == 1)
        #expect(Poll.firstReadable([open.descriptor.number], within: .seconds(5)) != nil)
        let new = try TestSocket(.tcp, "0.0.0.0", in: network.near)
        #expect(new.connects(to: server, at: "10.9.0.2"))
        #expect(server.accept() != nil)
        try redirects.remove(plan.name, in: network.near)
    }

    @Test
    func `a drained plan of streams alone keeps those that are open`() throws {
        let server = try TestSocket(.tcp, "10.9.0.2", listens: true, in: network.far)
        let streams = try TestSocket(.tcp, "127.0.0.1", listens: true, in: network.near)
        let open = try TestSocket(.tcp, "0.0.0.0", in: network.near)
        let plan = RedirectPlan(
            name: "moonquake_r",
            redirects: [Redirect(.tcp, ports: [server.port], to: streams.port)]
        )
        try redirects.add(plan, in: network.near)
        #expect(open.connects(to: server, at: "10.9.0.2"))
        let connection = try #require(streams.accept())
        try redirects.drain(plan, in: network.near)
        #expect(send(connection.number, "x", 1, 0) == 1)
        #expect(Poll.firstReadable([open.descriptor.number], within: .seconds(5)) != nil)
        try redirects.remove(plan.name, in: network.near)
    }

    @Test
    func `other destinations have other listeners, by address`() throws {
        let first = try TestSocket(.udp, "127.0.0.1", in: network.near)
        let rest = try TestSocket(.udp, "127.0.0.1", in: network.near)
        let client = try TestSocket(.udp, "0.0.0.0", in: network.near)
        let address = try #require(NetworkAddress("10.9.0.2"))
        let rules = [
            Redirect(.udp, ports: [53], destinations: [address], to: first.port),
            Redirect(.udp, ports: [53], to: rest.port),
        ]
        try redirects.add(RedirectPlan(name: "moonquake_r", redirects: rules), in: network.near)
        #expect(client.send([1], to: 53, at: "10.9.0.2"))
        #expect(first.receiveFrom()?.bytes == [1])
        #expect(client.send([2], to: 53, at: "10.9.0.3"))
        #expect(rest.receiveFrom()?.bytes == [2])
    }

    @Test
    func `only the users named are caught`() throws {
        let resolver = try TestSocket(.udp, "10.9.0.2", in: network.far)
        let listener = try TestSocket(.udp, "127.0.0.1", in: network.near)
        var rules = plan(.udp, from: resolver.port, to: listener.port)
        rules.senders = RedirectSenders(users: [65534])
        try redirects.add(rules, in: network.near)
        let mine = try TestSocket(.udp, "0.0.0.0", in: network.near)
        #expect(mine.send([1], to: resolver.port, at: "10.9.0.2"))
        #expect(resolver.receiveFrom()?.bytes == [1])
        let sends = "printf x >/dev/udp/10.9.0.2/\(resolver.port)"
        try TestNetwork.output(
            "setpriv",
            ["--reuid=65534", "--clear-groups", "bash", "-c", sends],
            in: network.near
        )
        #expect(listener.receiveFrom()?.bytes == Array("x".utf8))
    }

    @Test
    func `what comes in is caught when asked for`() throws {
        let server = try TestSocket(.tcp, "10.9.0.2", listens: true, in: network.far)
        let listener = try TestSocket(.tcp, "0.0.0.0", listens: true, in: network.far)
        var rules = plan(.tcp, from: server.port, to: listener.port)
        (rules.takesIncoming, rules.takesOutgoing) = (true, false)
        try redirects.add(rules, in: network.far)
        let client = try TestSocket(.tcp, "0.0.0.0", in: network.near)
        #expect(client.connects(to: server, at: "10.9.0.2"))
        let connection = try #require(listener.accept())
        #expect(
            connection.originalDestination
                == SocketEnd(try #require(NetworkAddress("10.9.0.2")), port: server.port)
        )
    }

    @Test
    func `a cut port is refused and counted, but not to us`() throws {
        let server = try TestSocket(.tcp, "10.9.0.2", listens: true, in: network.far)
        var rules = plan(.udp, from: 53, to: 9)
        rules.cuts = [RedirectCut(.tcp, ports: [server.port], answer: .reset)]
        try redirects.add(rules, in: network.near)
        let client = try TestSocket(.tcp, "0.0.0.0", in: network.near)
        #expect(!client.connects(to: server, at: "10.9.0.2"))
        #expect(try redirects.count("moonquake_r", in: network.near)?.cut ?? 0 > 0)
        let ours = try TestSocket(.tcp, "0.0.0.0", in: network.near)
        try RedirectMark.apply(to: ours.descriptor.number)
        #expect(ours.connects(to: server, at: "10.9.0.2"))
    }

    @Test
    func `a namespace without loopback is refused with what to do`() throws {
        try TestNetwork.ip("link set lo down", in: network.nearName)
        let error = #expect(throws: KernelError.self) {
            try redirects.add(plan(.udp, from: 53, to: 9), in: network.near)
        }
        #expect(error?.reason.contains("ip link set lo up") == true)
        #expect(try redirects.count("moonquake_r", in: network.near) == nil)
    }

    @Test
    func `plans that match nothing or all are refused before the kernel`() throws {
        var rules = plan(.udp, from: 53, to: 9)
        rules.senders = RedirectSenders(groups: ["/a\" drop\nflush ruleset"])
        #expect(throws: KernelError.self) { try redirects.add(rules, in: network.near) }
        rules.senders = RedirectSenders(groups: ["/"])
        #expect(throws: KernelError.self) { try redirects.add(rules, in: network.near) }
        rules.senders = RedirectSenders(groups: ["/moonquake-there-is-none"])
        let missing = #expect(throws: KernelError.self) {
            try redirects.add(rules, in: network.near)
        }
        #expect(missing?.reason.contains("no control group of version 2") == true)
        rules.senders = RedirectSenders(users: [1])
        rules.takesIncoming = true
        #expect(throws: KernelError.self) { try redirects.add(rules, in: network.near) }
        #expect(LinuxRedirects.obstacle == nil)
    }
}
