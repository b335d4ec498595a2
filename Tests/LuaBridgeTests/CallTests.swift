// Functions in both directions, values, and several coroutines in one state.

import LuaBridge
import Testing

@Suite
struct CallTests {
    @Test
    func `values go there and back`() async throws {
        let vm = LuaVM()
        await vm.register("echo") { call in call.arguments }
        let values: [LuaValue] = [
            nil, true, 1, 1.5, "text", "ünïcode \0 end", [1, [2, "x"]],
            ["a": 1, "b": ["c": false]],
            .integer(.max), .integer(.min), .number(.infinity),
        ]
        let script = try await vm.load(source: "return echo(...)", name: "x.lua")
        let seen = try await vm.run(script, arguments: values)
        #expect(seen == values)
    }

    @Test
    func `broken UTF-8 is repaired`() async throws {
        let seen2 = try await run("return 'a\\xFFb'")
        #expect(seen2 == ["a\u{FFFD}b"])
    }

    @Test
    func `integers and floats are told apart`() async throws {
        let seen3 = try await run("return 1, 1.0, 2^53")
        #expect(seen3 == [.integer(1), .number(1), .number(0x1p53)])
    }

    @Test
    func `typed functions check number and types`() async throws {
        let vm = LuaVM()
        await vm.register("add", typed: { (a: Int, b: Int) in a + b })
        await vm.register(
            "greet",
            typed: { (name: String, loud: Bool?) in
                loud == true ? name.uppercased() : name
            }
        )
        await vm.register("sum", typed: { (list: [Double]) in list.reduce(0, +) })
        await vm.register("answer", typed: { 42 })
        let source = "return add(1, 2.0), greet('x'), greet('x', true), sum { 1, 2.5 }, answer()"
        let seen4 = try await run(source, in: vm)
        #expect(seen4 == [3, "x", "X", 3.5, 42])
        let cases = [
            ("add(1)", "add: argument 2 must be an integer, got nothing"),
            ("add(1, 2.5)", "add: argument 2 must be an integer, got 2.5 (number)"),
            ("add(1, 2, 3)", "add takes at most 2 arguments, got 3"),
            ("greet(1)", "greet: argument 1 must be a string, got 1 (integer)"),
            ("greet('x', 1)", "greet: argument 2 must be a boolean or nil, got 1 (integer)"),
            ("sum { 1, 'x' }", "sum: argument 1 must be a list of number, got table of 2 (table)"),
            ("answer(1)", "answer takes no arguments, got 1"),
        ]
        for (source, message) in cases {
            #expect(await failure(of: source, in: vm)?.message == message)
        }
    }

    @Test
    func `calls check their arguments`() {
        let call = LuaCall(function: "wait", arguments: ["1s", 2])
        #expect(throws: LuaArgumentError.self) { try call.expectCount(1) }
        #expect(throws: Never.self) { try call.expectCount(0...2) }
        let mismatch = #expect(throws: LuaArgumentError.self) { try call.table(2, "options") }
        #expect(
            mismatch?.description == "wait: argument 2 (options) must be a table, got 2 (integer)"
        )
        #expect(call[3] == nil)
        let table: LuaTable = ["delay": "1s", "jiter": "2s"]
        let unknown = #expect(throws: LuaArgumentError.self) {
            try table.expectKeys(["delay", "jitter"], in: "fault.network.latency")
        }
        #expect(
            unknown?.description
                == "fault.network.latency: jiter is unknown; did you mean jitter?"
        )
    }

    @Test
    func `a call knows the script's line`() async throws {
        let vm = LuaVM()
        await vm.register("where") { call in [.string(call.location?.description ?? "nowhere")] }
        let source =
            "local function f()\n return (where()) end\nreturn f(), select(2, pcall(where))"
        let seen5 = try await run(source, in: vm)
        #expect(seen5 == ["scripts/test.lua:2", "scripts/test.lua:3"])
    }

    @Test
    func `a builder takes a title and then a table`() async throws {
        let vm = LuaVM()
        let notes = Notes()
        await vm.register("experiment") { call -> LuaValue in
            let title = try call.string(1, "title")
            return .function(
                LuaFunction(name: "experiment") { call in
                    notes.add("\(title): \(try call.table(1, "definition").keys)")
                    return []
                }
            )
        }
        try await run("experiment 'slow' { owner = 'me', run = function() end }", in: vm)
        #expect(notes.all == ["slow: [\"owner\", \"run\"]"])
    }

    @Test
    func `a function is called from Swift, and knows its definition`() async throws {
        let vm = LuaVM()
        let values = try await run(
            "local n = 0\n\nreturn function(x) n = n + x return n end",
            in: vm
        )
        let function = try #require(values.first?.function)
        #expect(function.location == LuaLocation(file: "scripts/test.lua", line: 3))
        let seen6 = try await vm.call(function, [2])
        #expect(seen6 == [2])
        let seen7 = try await vm.call(function, [3])
        #expect(seen7 == [5])
    }

    @Test
    func `a function of another state is refused`() async throws {
        let vm = LuaVM(), other = LuaVM()
        let function = try #require(
            try await run("return function() end", in: other).first?.function
        )
        let error = await #expect(throws: LuaError.self) { try await vm.call(function) }
        #expect(error?.message.contains("belongs to another Lua state") == true)
        await vm.register("give") { _ in [.function(function)] }
        #expect(await failure(of: "give()", in: vm)?.message.contains("another Lua state") == true)
    }

    @Test
    func `references that Swift lets go are dropped`() async throws {
        let vm = LuaVM()
        try await run("return 1", in: vm)
        let before = await vm.memoryUsed
        for _ in 0..<50 {
            let source =
                "local t = {} for i = 1, 2000 do t[i] = i end return function() return t end"
            try await run(source, in: vm)
        }
        #expect(await vm.memoryUsed < before + (1 << 20))
    }

    @Test
    func `a function is called while the script waits`() async throws {
        let vm = LuaVM()
        let waiting = Event(), release = Event()
        let taken = FunctionBox()
        await vm.register("rule") { call in
            taken.set(try call.function(1, "rule"))
            return []
        }
        await vm.registerAsync("wait") { _ in
            waiting.happen()
            await release.wait()
            return ["waited"]
        }
        await vm.registerAsync("pause") { _ in
            await Task.yield()
            return []
        }
        let source = """
            local calls = 0
            rule(function(x) calls = calls + 1 pause() return x * 2 end)
            local result = wait()
            return result, calls
            """
        let task = Task { try await run(source, in: vm) }
        await waiting.wait()
        let rule = try #require(taken.value)
        let seen8 = try await vm.call(rule, [21])
        #expect(seen8 == [42])
        let seen9 = try await vm.call(rule, [1])
        #expect(seen9 == [2])
        release.happen()
        let seen10 = try await task.value
        #expect(seen10 == ["waited", 2])
    }

    @Test
    func `a call times out while the script is busy`() async throws {
        let vm = LuaVM()
        let started = Event()
        await vm.registerProbes(started: started)
        let function = try #require(try await run("return function() end", in: vm).first?.function)
        let busy = Task { await failure(of: "started() while true do end", in: vm) }
        await started.wait()
        let error = await #expect(throws: LuaError.self) {
            try await vm.call(function, timeout: .milliseconds(20))
        }
        #expect(error?.kind == .limit)
        #expect(
            error?.message
                == "no result within 0.02 seconds; it had not begun: the script was busy "
                + "and did not wait for anything"
        )
        vm.abortToken.abort("enough")
        #expect(await busy.value?.message == "enough")
    }

    @Test
    func `a call that loops times out and the state goes on`() async throws {
        let vm = LuaVM()
        let function = try #require(
            try await run("return function() while true do end end", in: vm).first?.function
        )
        let error = await #expect(throws: LuaError.self) {
            try await vm.call(function, timeout: .milliseconds(20))
        }
        #expect(error?.kind == .limit)
        #expect(error?.location == LuaLocation(file: "scripts/test.lua", line: 1))
        let seen11 = try await run("return 1", in: vm)
        #expect(seen11 == [1])
    }

    @Test
    func `a function that waits may call back into its script`() async throws {
        let vm = LuaVM()
        await vm.registerAsync("twice") { [weak vm] call in
            guard let vm else { return [] }
            let function = try call.function(1, "function")
            let first = try await vm.call(function, [call[2]])
            return try await vm.call(function, first)
        }
        let seen12 = try await run("return twice(function(x) return x + 1 end, 5)", in: vm)
        #expect(seen12 == [7])
        let error = await failure(of: "twice(function() error('inside', 0) end)", in: vm)
        #expect(error?.message == "inside (scripts/test.lua:1)")
        #expect((error?.underlying as? LuaError)?.message == "inside")
    }

    @Test
    func `an abort stops the inner call and the outer one`() async throws {
        let vm = LuaVM()
        let started = Event()
        await vm.registerProbes(started: started)
        await vm.registerAsync("apply") { [weak vm] call in
            try await vm?.call(call.function(1, "function")) ?? []
        }
        let source = "pcall(apply, function() started() while true do end end)"
        let task = Task { await failure(of: source, in: vm) }
        await started.wait()
        vm.abortToken.abort("enough")
        #expect(await task.value?.message == "enough")
    }

    @Test
    func `many scripts wait in one state`() async throws {
        let vm = LuaVM()
        await vm.registerAsync("pause") { call in
            await Task.yield()
            return [call[1]]
        }
        let source =
            "local n = ... local sum = 0 for i = 1, 20 do sum = sum + pause(n) end return sum"
        let script = try await vm.load(source: source, name: "x.lua")
        let sums = try await withThrowingTaskGroup(of: [LuaValue].self) { group in
            for n in 1...20 {
                group.addTask { try await vm.run(script, arguments: [.integer(Int64(n))]) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(sums.compactMap(\.integer).sorted() == (1...20).map { $0 * 20 })
    }

    @Test(arguments: [
        "table.sort({ 3, 2, 1 }, function(a, b) pause() return a < b end)",
        "('x'):gsub('x', function() pause() end)",
    ])
    func `waiting inside a built-in's callback is an error that says so`(source: String)
        async throws
    {
        let vm = LuaVM()
        await vm.registerAsync("pause") { _ in [] }
        let error = await failure(of: source, in: vm)
        #expect(error?.message.hasPrefix("pause cannot wait here: ") == true)
    }

    @Test
    func `waiting works through pcall, metamethods and iterators`() async throws {
        let vm = LuaVM()
        await vm.registerAsync("pause") { call in
            await Task.yield()
            return [call[1]]
        }
        let source = """
            local t = setmetatable({}, {
                __index = function(_, k) return pause(k) end,
                __add = function(a, b) return pause("added") end,
            })
            local function each(_, i) if i < 3 then return pause(i + 1) end end
            local n = 0
            for i in each, nil, 0 do n = n + i end
            return select(2, pcall(pause, "p")), t.key, t + t, n, load("return pause('l')")()
            """
        let seen13 = try await run(source, in: vm)
        #expect(seen13 == ["p", "key", "added", 6, "l"])
    }
}
