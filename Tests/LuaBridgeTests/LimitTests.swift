// Memory, instructions, time, and the standard functions that one call could hang.

import LuaBridge
import Testing

@Suite
struct LimitTests {
    private let small = LuaLimits(memoryBytes: 2 << 20, allocationBytes: 512 << 10)

    @Test(arguments: [
        "local s = ('x'):rep(1000) while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = #t end",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        "local function f() return 1 + f() end f()",
        "table.concat({ ('x'):rep(300000), ('y'):rep(300000) })",
        "string.format('%s%s', ('x'):rep(300000), ('y'):rep(300000))",
        "('x'):rep(300000):gsub('x', 'yy')",
    ])
    func `a script that wants too much memory ends with a memory error`(
        source: String
    ) async throws {
        let vm = LuaVM(limits: small)
        let error = try #require(await failure(of: source, in: vm))
        #expect(error.kind == .memory)
        #expect(error.message.hasPrefix("not enough memory: "))
        let seen = try await run("return 1 + 1", in: vm)
        #expect(seen == [2])
    }

    @Test
    func `a script may catch a memory error`() async throws {
        let source = "return (pcall(function() local t = {} while true do t[#t + 1] = {} end end))"
        let seen2 = try await run(source, in: LuaVM(limits: small))
        #expect(seen2 == [false])
    }

    @Test
    func `what Swift pushes is never refused, and counts afterwards`() async throws {
        let vm = LuaVM(limits: small)
        await vm.register("large") { _ in [.string(String(repeating: "x", count: 4 << 20))] }
        await vm.register("many") { _ in
            [.table(LuaTable(array: (0..<200_000).map { .integer($0) }))]
        }
        let seen3 = try await run("return #large()", in: vm)
        #expect(seen3 == [.integer(4 << 20)])
        let seen4 = try await run("return #many()", in: vm)
        #expect(seen4 == [200_000])
        let error = await failure(
            of: "local s = large() local t = {} for i = 1, 9 do t[i] = {} end",
            in: vm
        )
        #expect(error?.kind == .memory)
        let seen5 = try await run("return 1", in: vm)
        #expect(seen5 == [1])
    }

    @Test(arguments: [
        ("('x'):rep(1 << 40)", "string.rep: the result would be larger than 4194304 bytes"),
        ("(''):rep(1 << 40) error('empty', 0)", "empty"),
        ("table.concat({}, '', 1, 1 << 40)", "table.concat: the range is larger than 10000000"),
        ("table.move({}, 1, 1 << 40, 2)", "table.move: the range is larger than 10000000"),
        ("table.unpack({}, 1, 1 << 40)", "table.unpack: the range is larger than 10000000"),
        (
            "table.insert(setmetatable({}, { __len = function() return 1 << 40 end }), 1, 1)",
            "table.insert: the range is larger than 10000000"
        ),
    ])
    func `one call cannot hang the thread`(source: String, message: String) async throws {
        let error = try #require(await failure(of: source))
        #expect(error.message == message)
        #expect(error.location == LuaLocation(file: "scripts/test.lua", line: 1))
    }

    @Test
    func `large values are no ranges`() async throws {
        let source = "local t = {} table.insert(t, 1 << 40) return t[1], table.unpack({ 1 << 50 })"
        let seen6 = try await run(source)
        #expect(seen6 == [.integer(1 << 40), .integer(1 << 50)])
    }

    @Test(arguments: [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "string.find(('a'):rep(100), ('.-'):rep(50) .. 'b')",
    ])
    func `the instructions of a run are bounded`(source: String) async throws {
        let vm = LuaVM(limits: LuaLimits(instructions: 100_000))
        let error = try #require(await failure(of: source, in: vm))
        #expect(error.kind == .limit)
        #expect(error.message == "used up 100000 instructions")
        #expect(error.location?.line == 1)
        let seen7 = try await run("return 1", in: vm)
        #expect(seen7 == [1])
    }

    @Test(arguments: ["while true do end", "wait()", "pcall(wait)"])
    func `the time of a run is bounded`(source: String) async throws {
        let vm = LuaVM(limits: LuaLimits(time: .milliseconds(20)))
        await vm.registerProbes(started: Event())
        let error = try #require(await failure(of: source, in: vm))
        #expect(error.kind == .limit)
        #expect(error.message == "no result within 0.02 seconds")
        #expect(error.location?.line == 1)
    }

    @Test
    func `tables that go too deep, too round or have odd keys are refused`() async throws {
        let vm = LuaVM()
        await vm.register("take") { _ in [] }
        let cases = [
            (
                "local t = { a = {} } t.a.b = t take(t)",
                "take: argument 1, a.b: refers back to itself; cycles are not allowed"
            ),
            (
                "local t = { a = { b = {} } } t.a.b.c = t.a take(0, t)",
                "take: argument 2, a.b.c: refers back to a; cycles are not allowed"
            ),
            (
                "local t = {} for _ = 1, 99 do t = { t } end take(t)",
                "take: argument 1, " + String(repeating: "[1]", count: 64)
                    + ": tables are nested deeper than 64"
            ),
            (
                "take { list = { 1, 2, [9] = 3 } }",
                "take: argument 1, list: key 9 is not part of a list from 1"
            ),
            (
                "take { [true] = 1 }",
                "take: argument 1: a boolean is a key; keys are strings, or 1, 2, 3, …"
            ),
            (
                "take { [1.5] = 1 }",
                "take: argument 1: a number is a key; keys are strings, or 1, 2, 3, …"
            ),
        ]
        for (source, message) in cases {
            #expect(await failure(of: source, in: vm)?.message == message)
        }
        let seen8 = try await run("local t = {} take { t, t }", in: vm)
        #expect(seen8 == [])
    }
}
