// One connection of a client and its connection to the upstream: reading with back-pressure in both directions,
// writing, holding, closing. What is said is the business of a `Dialogue`.

import ChaosModel
import NIOCore

/// A pair of connections on one event loop.
final class Relay {
    /// Why nothing is read from an end for now.
    struct Holds: OptionSet {
        let rawValue: UInt8
        /// The other end does not take what was written.
        static let full = Holds(rawValue: 1)
        /// The upstream is not there yet.
        static let connecting = Holds(rawValue: 2)
        /// A fault delays or paces.
        static let fault = Holds(rawValue: 4)
        /// The answer to what was asked before is not there yet.
        static let answer = Holds(rawValue: 8)
        /// The client does not take what we answer ourselves.
        static let ours = Holds(rawValue: 16)
    }

    private struct End {
        var stream: (any RelayStream)?
        var holds: Holds = []
        var hasEnded = false
        var isDirty = false
        var isFinishing = false
    }

    /// What a fault keeps back.
    private struct Kept {
        var since: NIODeadline
        var delays: Delays
        var body: () -> Void
    }

    private enum Upstream {
        case connecting, connected
        case failed(String)
    }

    let host: RelayHost
    private let peer: RawAddress
    private var clientEnd = End()
    private var serverEnd = End()
    private var upstream = Upstream.connecting
    private var dialogue: (any Dialogue)?
    private var isClosed = false
    private var isDispatching = false
    /// By number, in the order in which it came.
    private var kept: [Int: Kept] = [:]
    private var keptSoFar = 0
    /// The position in the host's list.
    var index = -1

    init(host: RelayHost, client: RawAddress) {
        self.host = host
        peer = client
    }

    /// Where the client is, when a rule asks for it: to make the value costs as much as to judge a request.
    var client: NetworkAddress? { host.book.asksForClient ? peer.networkAddress : nil }

    // MARK: The ends

    /// The client's connection is there.
    func started(_ stream: any RelayStream) {
        clientEnd.stream = stream
        host.add(self)
        dialogue = Opening(self)
    }

    /// The upstream's connection is being made.
    func connects(_ stream: any RelayStream) { serverEnd.stream = stream }

    /// The upstream's connection is there.
    func connected() {
        guard !isClosed else { return }
        upstream = .connected
        release(.client, .connecting)
    }

    /// The upstream cannot be reached.
    func failed(_ reason: String) {
        guard !isClosed else { return }
        upstream = .failed(reason)
        serverEnd.stream = nil
        dispatch { $0.upstreamFailed(reason) }
        release(.client, .connecting)
    }

    func received(_ bytes: ByteBuffer, from side: Side) {
        guard !isClosed else { return }
        dispatch { $0.receive(bytes, from: side) }
    }

    func ended(_ side: Side) {
        guard !isClosed, !self[side].hasEnded else { return }
        self[side].hasEnded = true
        dispatch { $0.ended(side) }
    }

    /// A connection broke: the other one is reset too.
    func broke(_ side: Side) { close(reset: true) }

    func writabilityChanged(_ side: Side, _ isWritable: Bool) {
        guard isWritable else { return hold(side.other, .full) }
        release(side.other, .full)
        if side == .client { release(.client, .ours) }
    }

    // MARK: For dialogues

    /// Why the upstream is not there; nil while it is, or may come.
    var upstreamFailure: String? {
        if case .failed(let reason) = upstream { reason } else { nil }
    }

    /// Whether an end has said all it will.
    func hasEnded(_ side: Side) -> Bool { self[side].hasEnded }

    /// Whether what was put aside from an end must wait.
    func isHeld(_ side: Side) -> Bool { !self[side].holds.isEmpty }

    /// Tells the dialogue that an end had ended before it took over.
    func dialogueEnded(_ side: Side) { dispatch { $0.ended(side) } }

    /// Hands over to another dialogue.
    func become(_ next: any Dialogue) { dialogue = next }

    /// Sends bytes to an end.
    func write(_ bytes: ByteBuffer, to side: Side) {
        guard !isClosed, bytes.readableBytes > 0, !self[side].isFinishing else { return }
        if case .failed = upstream, side == .server { return }
        if side == .server, case .connecting = upstream { hold(.client, .connecting) }
        self[side].stream?.write(bytes)
        self[side].isDirty = true
        if !isDispatching { flush() }
    }

    /// Reads no more from an end until this reason is released.
    func hold(_ side: Side, _ reason: Holds) { self[side].holds.insert(reason) }

    /// Hears nothing more from the client while it does not take what we answer ourselves.
    func holdWhileFull() {
        if clientEnd.stream?.isWritable == false { hold(.client, .ours) }
    }

    /// Ends a reason to hold.
    func release(_ side: Side, _ reason: Holds) {
        guard !isClosed, self[side].holds.contains(reason) else { return }
        self[side].holds.remove(reason)
        guard self[side].holds.isEmpty else { return }
        dispatch { $0.resumed(side) }
        guard !isClosed, self[side].holds.isEmpty else { return }
        self[side].stream?.read()
    }

    /// Runs something later, unless the relay is closed by then.
    func later(_ delay: TimeAmount, _ body: @escaping () -> Void) {
        host.timers.after(delay) { [weak self] in
            guard let self, !isClosed else { return }
            body()
        }
    }

    /// Runs something once its delays are over, unless the relay is closed by then.
    func keepBack(for delays: Delays, _ body: @escaping () -> Void) {
        keptSoFar += 1
        kept[keptSoFar] = Kept(since: host.timers.time, delays: delays, body: body)
        letGo(keptSoFar)
    }

    /// Runs what is kept back only by rules that have ended.
    func letGo() { for number in kept.keys.sorted() { letGo(number) } }

    private func letGo(_ number: Int) {
        guard let one = kept[number] else { return }
        let left = one.since + one.delays.total - host.timers.time
        guard left <= .zero else { return later(left) { [weak self] in self?.letGo(number) } }
        kept[number] = nil
        one.body()
    }

    /// Says no more to an end; what it says is still taken.
    func finish(_ side: Side) {
        guard !isClosed, !self[side].isFinishing else { return }
        flush()
        self[side].isFinishing = true
        self[side].stream?.finish()
    }

    /// Says no more to the client, drops what it still says, and closes soon.
    ///
    /// Closing at once with unread bytes would reset the connection under the answer (RFC 9112, section 9.6).
    func finishAndLinger() {
        guard !isClosed else { return }
        become(Deaf(self))
        finish(.client)
        if clientEnd.hasEnded {
            close()
            return
        }
        later(.seconds(2)) { [weak self] in self?.close() }
    }

    /// Ends both connections; with `reset` the client sees a reset.
    func close(reset: Bool = false) {
        guard !isClosed else { return }
        if !reset { flush() }
        isClosed = true
        host.remove(self)
        dialogue = nil
        kept = [:]
        for side in [Side.client, .server] {
            self[side].stream?.close(reset: reset)
            self[side].stream = nil
        }
    }

    /// Closes for draining, at once if nothing is under way.
    func drain() {
        dispatch { $0.drain() }
        if dialogue?.isIdle ?? true { close() }
    }

    // MARK: Inside

    private func dispatch(_ body: (any Dialogue) -> Void) {
        guard let dialogue else { return }
        guard !isDispatching else { return body(dialogue) }
        isDispatching = true
        body(dialogue)
        isDispatching = false
        flush()
    }

    private func flush() {
        if clientEnd.isDirty {
            clientEnd.isDirty = false
            clientEnd.stream?.flush()
        }
        if serverEnd.isDirty {
            serverEnd.isDirty = false
            serverEnd.stream?.flush()
        }
    }

    private subscript(side: Side) -> End {
        get { side == .client ? clientEnd : serverEnd }
        set { if side == .client { clientEnd = newValue } else { serverEnd = newValue } }
        _modify { if side == .client { yield &clientEnd } else { yield &serverEnd } }
    }
}
