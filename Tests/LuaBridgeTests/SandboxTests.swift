// What scripts find and what they do not.

import LuaBridge
import Testing

@Suite
struct SandboxTests {
    @Test(arguments: [
        "io", "debug", "package", "coroutine", "dofile", "loadfile", "collectgarbage", "warn",
    ])
    func `dangerous globals are unknown`(name: String) async throws {
        let error = try #require(await failure(of: "return \(name)"))
        #expect(error.message.hasPrefix("the global \(name) is unknown"))
    }

    @Test(arguments: ["execute", "exit", "remove", "rename", "getenv", "tmpname", "setlocale"])
    func `os has only time, date and clock`(name: String) async throws {
        let error = try #require(await failure(of: "return os.\(name)"))
        #expect(error.message.hasPrefix("os.\(name) is unknown"))
        let seen = try await run("return type(os.clock()), type(os.date())")
        #expect(seen == ["number", "string"])
    }

    @Test
    func `string dump is gone, also from the metatable of strings`() async throws {
        #expect(await failure(of: "return ('x').dump")?.message == "string.dump is unknown")
        let seen2 = try await run("return getmetatable('x')")
        #expect(seen2 == ["locked"])
    }

    @Test
    func `rep is bounded however it is called`() async throws {
        for source in ["('x'):rep(1 << 30)", "string.rep('x', 1 << 30)", "('x').rep('x', 1 << 30)"]
        {
            #expect(await failure(of: source)?.message.hasPrefix("string.rep: ") == true)
        }
    }

    @Test
    func `finalizers are refused`() async throws {
        let error = await failure(of: "setmetatable({}, { __gc = function() end })")
        #expect(error?.message == "__gc is not available to scripts: use a <close> variable")
    }

    @Test
    func `load takes text only, and its lines are named`() async throws {
        let source = """
            local binary = "\\27Lua"
            local f, message = load(binary)
            local g = load("return ...")
            return f, message, g(7), select(2, pcall(load("error('x')", "@scripts/fake.lua")))
            """
        let values = try await run(source)
        #expect(values[0] == nil)
        #expect(values[1].string?.contains("binary") == true)
        #expect(values[2] == 7)
        #expect(values[3] == "(load):1: x")
    }

    @Test
    func `load takes an environment`() async throws {
        let seen3 = try await run("return load('return x', 'x', 't', { x = 5 })()")
        #expect(seen3 == [5])
    }

    @Test
    func `random numbers are those of the seed`() async throws {
        let source = "return math.random(1, 1000000), math.random(1, 1000000), math.random()"
        let first = LuaVM(), second = LuaVM(), third = LuaVM()
        await first.seedRandom(7)
        await second.seedRandom(7)
        await third.seedRandom(8)
        let values = try await run(source, in: first)
        let seen4 = try await run(source, in: second)
        #expect(seen4 == values)
        #expect(try await run(source, in: third) != values)
        let error = await failure(of: "math.randomseed(1)")
        #expect(error?.message.contains("the seed is set by the run") == true)
    }

    @Test
    func `the clock is the host's`() async throws {
        let vm = LuaVM()
        await vm.setClock { 86_400.9 }
        let source =
            "return os.time(), os.date('!%Y-%m-%d'), os.time { year = 2000, month = 1, day = 1 } > 0"
        let seen5 = try await run(source, in: vm)
        #expect(seen5 == [86_400, "1970-01-02", true])
    }

    @Test
    func `print goes to the host with its line`() async throws {
        let vm = LuaVM()
        let notes = Notes()
        await vm.onPrint { text, location in notes.add("\(text) @ \(location?.description ?? "")") }
        try await run("print(1, nil, 'x')\nprint()", in: vm)
        #expect(notes.all == ["1\tnil\tx @ scripts/test.lua:1", " @ scripts/test.lua:2"])
    }

    private static let matches: [(String, [LuaValue])] = [
        ("string.find('hello world', 'o w')", [5, 7]),
        ("string.find('hello', 'l+')", [3, 4]),
        ("string.find('a.b', '.', 2, true)", [2, 2]),
        ("string.find('abc', 'b', -1)", [nil]),
        ("string.find('abc', '', 10)", [nil]),
        ("string.find('abc', '()b()')", [2, 2, 2, 3]),
        ("string.match('key = value', '^(%w+)%s*=%s*(%w+)$')", ["key", "value"]),
        ("string.match('  trim  ', '^%s*(.-)%s*$')", ["trim"]),
        ("string.match('2024-05-06', '(%d+)-(%d+)-(%d+)')", ["2024", "05", "06"]),
        ("string.match('f(a(b)c)d', '%b()')", ["(a(b)c)"]),
        ("string.match('THE (quick) fox', '%f[%a]%a+%f[%A]', 5)", ["quick"]),
        ("string.match([[say \"hi\" now]], [[([\"'])(.-)%1]])", ["\"", "hi"]),
        ("string.match('x]y', '[]]')", ["]"]),
        ("string.match('a-z', '[a%-z]+')", ["a-z"]),
        ("string.match('abc', '[^a-b]')", ["c"]),
        ("string.match('aaa', 'a?a?a?a')", ["aaa"]),
        ("string.gsub('hello', 'l', 'L')", ["heLLo", 2]),
        ("string.gsub('hello', '', '-')", ["-h-e-l-l-o-", 6]),
        ("string.gsub('abc', '%w', '%0%0', 2)", ["aabbc", 2]),
        ("string.gsub('a b', '(%w) (%w)', '%2 %1 %%')", ["b a %", 1]),
        ("string.gsub('$x $y', '%$(%w)', { x = 1 })", ["1 $y", 2]),
        ("string.gsub('ab', '%w', function(c) return c:upper() end)", ["AB", 2]),
        ("string.gsub('abc', '^a', 'x')", ["xbc", 1]),
        ("#string.gsub(('x'):rep(50000), 'x', 'yz')", [100_000]),
    ]

    @Test(arguments: matches)
    func `patterns match as in Lua`(source: String, expected: [LuaValue]) async throws {
        let seen6 = try await run("return \(source)")
        #expect(seen6 == expected)
    }

    @Test
    func `gmatch goes over all matches`() async throws {
        let source = """
            local out = {}
            for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do out[#out + 1] = k .. v end
            for w in ("one two"):gmatch("%a+") do out[#out + 1] = w end
            for at in ("abc"):gmatch("()") do out[#out + 1] = at end
            return table.concat(out, " ")
            """
        let seen7 = try await run(source)
        #expect(seen7 == ["a1 b2 one two 1 2 3 4"])
    }

    @Test(arguments: [
        ("('x'):find('[a')", "malformed pattern (missing ']')"),
        ("('x'):find('%')", "malformed pattern (ends with '%')"),
        ("('x'):find('(x')", "unfinished capture"),
        ("('x'):match('x)')", "invalid pattern capture"),
        ("('x'):find('%1')", "invalid capture index %1"),
        ("('x'):find('%f')", "missing '[' after '%f' in pattern"),
        ("('x'):find('%b')", "malformed pattern (missing arguments to '%b')"),
        ("('x'):gsub('x', '%9')", "invalid capture index %9"),
        ("('x'):gsub('x', function() return {} end)", "invalid replacement value (a table)"),
        ("('x'):rep(300000):find(('.?'):rep(300000))", "pattern too complex"),
    ])
    func `bad patterns are errors`(source: String, message: String) async throws {
        #expect(await failure(of: source)?.message == message)
    }
}
