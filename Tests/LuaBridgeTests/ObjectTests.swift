// Swift values in the hands of scripts.

import LuaBridge
import Testing

private final class Lease: Sendable {
    let target: String
    let notes: Notes

    init(_ target: String, _ notes: Notes) {
        self.target = target
        self.notes = notes
    }
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
        let seen = try await run(source, in: machine())
        #expect(seen == [true, 1, false])
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
        let seen2 = try await run("return getmetatable(inject())", in: machine())
        #expect(seen2 == ["locked"])
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
        let seen3 = try await run(source, in: machine())
        #expect(seen3 == [true])
        #expect(notes.all == ["close b", "close a"])
    }

    @Test
    func `an error closes as well, and is caught after that`() async throws {
        let source = "return pcall(function() local a <close> = inject 'a' error('x', 0) end)"
        let seen4 = try await run(source, in: machine())
        #expect(seen4 == [false, "x"])
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

    @Test(.timeLimit(.minutes(1)))
    func `objects go when the state goes`() async throws {
        let (gone, continuation) = AsyncStream<Void>.makeStream()
        let type = LuaObjectType<Farewell>("farewell")
        try await {
            let vm = LuaVM()
            await vm.register("make") { _ in
                [.object(type.make(Farewell { continuation.yield() }))]
            }
            try await run("local t = {} for i = 1, 100 do t[i] = make() end return 1", in: vm)
        }()
        var count = 0
        for await _ in gone {
            count += 1
            if count == 100 { break }
        }
    }
}

/// Says when it goes.
private final class Farewell: Sendable {
    private let say: @Sendable () -> Void

    init(_ say: @escaping @Sendable () -> Void) {
        self.say = say
    }

    deinit { say() }
}
