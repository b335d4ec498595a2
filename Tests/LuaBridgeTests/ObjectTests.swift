// Swift values in the hands of scripts.

import LuaBridge
import Synchronization
import Testing

private final class Lease: Sendable {
    static let living = Atomic(0)
    let target: String
    let notes: Notes

    init(_ target: String, _ notes: Notes) {
        self.target = target
        self.notes = notes
        Self.living.add(1, ordering: .relaxed)
    }

    deinit { Self.living.subtract(1, ordering: .relaxed) }
}

private let leases = LuaObjectType<Lease>("lease")
    .field("target") { .string($0.target) }
    .method("renew") { lease, call in
        lease.notes.add("renew \(lease.target) by \(try call.integer(1, "seconds"))")
        return [true]
    }
    .asyncMethod("revert") { lease, _ in
        await Task.yield()
        lease.notes.add("revert \(lease.target)")
        return ["reverted"]
    }
    .call { lease, call in [.string("\(lease.target) \(call[1].string ?? "")")] }
    .description { "lease on \($0.target)" }
    .onClose { lease in
        await Task.yield()
        lease.notes.add("close \(lease.target)")
    } stopping: { lease in
        lease.notes.add("stop \(lease.target)")
    }

private let plain = LuaObjectType<Int>("plain")

@Suite(.serialized)
struct ObjectTests {
    private let notes = Notes()

    private func prepare(_ vm: isolated LuaVM) {
        let notes = notes
        vm.register("inject") { call in
            [.object(leases.make(Lease(call[1].string ?? "api", notes)))]
        }
        vm.register("plain") { _ in [.object(plain.make(1))] }
        vm.register("target_of") { call in
            [.string(try call.object(1, "lease", of: leases).target)]
        }
        vm.register("echo") { call in call.arguments }
    }

    private func machine() async -> LuaVM {
        let vm = LuaVM()
        await prepare(vm)
        return vm
    }

    @Test
    func `fields, methods, calls and tostring`() async throws {
        let source = """
            local l = inject "db"
            return l.target, l:renew(3), l:revert(), l "text", tostring(l), target_of(l)
            """
        let values = try await run(source, in: machine())
        #expect(values == ["db", true, "reverted", "db text", "lease on db", "db"])
        #expect(notes.all == ["renew db by 3", "revert db"])
    }

    @Test
    func `the same object stays the same`() async throws {
        let source =
            "local l = inject() local t = { [l] = 1 } return echo(l) == l, t[echo(l)], inject() == l"
        #expect(try await run(source, in: machine()) == [true, 1, false])
    }

    @Test(arguments: [
        ("inject().revrt()", "lease.revrt is unknown; did you mean lease.revert?"),
        ("inject().target = 1", "cannot assign lease.target: a lease is read-only"),
        (
            "inject():renew('x')",
            "lease.renew: argument 1 (seconds) must be an integer, got \"x\" (string)"
        ),
        ("inject().renew(1)", "lease.renew: must be called on a lease, with a colon; got 1"),
        (
            "inject().renew(plain())",
            "lease.renew: must be called on a lease, with a colon; got plain"
        ),
        ("target_of(plain())", "target_of: argument 1 (lease) must be a lease, got plain (plain)"),
        ("plain()()", "attempt to call a plain value"),
        (
            "target_of(string)",
            "target_of: argument 1: a namespace is no value: pass one of its functions"
        ),
    ])
    func `mistakes with objects are named`(source: String, message: String) async throws {
        #expect(await failure(of: source, in: machine())?.message == message)
    }

    @Test
    func `a metatable is out of reach`() async throws {
        #expect(try await run("return getmetatable(inject())", in: machine()) == ["locked"])
    }

    @Test
    func `a scope's end closes and waits, newest first`() async throws {
        let source = """
            do
                local a <close> = inject "a"
                local b <close> = inject "b"
            end
            return true
            """
        #expect(try await run(source, in: machine()) == [true])
        #expect(notes.all == ["close b", "close a"])
    }

    @Test
    func `an error closes as well, and is caught after that`() async throws {
        let source = "return pcall(function() local a <close> = inject 'a' error('x', 0) end)"
        #expect(try await run(source, in: machine()) == [false, "x"])
        #expect(notes.all == ["close a"])
        _ = await failure(of: "local b <close> = inject 'b' error('x')", in: machine())
        #expect(notes.all == ["close a", "close b"])
    }

    @Test(arguments: [
        "started() while true do end",
        "wait()",
        "pcall(wait)",
        "table.sort({ 2, 1 }, function() started() while true do end end)",
    ])
    func `an abort tells the object without waiting`(end: String) async throws {
        let this = self
        let error = await abort("local a <close> = inject 'a' \(end)", notes: notes) { vm in
            this.prepare(vm)
        }
        #expect(error?.kind == .aborted)
        #expect(notes.all == ["stop a"])
    }

    @Test
    func `objects go when the state goes`() async throws {
        var vm: LuaVM? = await machine()
        let before = Lease.living.load(ordering: .relaxed)
        if let vm {
            try await run("for _ = 1, 100 do inject() end return 1", in: vm)
        }
        vm = nil
        #expect(before == 0)
        #expect(Lease.living.load(ordering: .relaxed) == 0)
    }
}
