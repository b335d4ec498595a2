// The kill switch, against everything that a script may be doing.

import LuaBridge
import Testing

@Suite
struct AbortTests {
    @Test(arguments: [
        "started() while true do end",
        "started() while true do pcall(error) end",
        "started() while true do pcall(function() while true do end end) end",
        "started() while true do xpcall(error, function() while true do end end) end",
        "started() pcall(string.gsub, ('x'):rep(100), '.', function() while true do end end)",
        "started() table.sort({3, 2, 1}, function(a, b) while true do end end)",
        "started() pcall(table.sort, {3, 2, 1}, function(a, b) while true do pcall(error) end end)",
        "local t = setmetatable({}, {__index = function() while true do end end}) started() t.x()",
        "started() string.find(('a'):rep(100), ('.-'):rep(50) .. 'b')",
        "started() local s = ('a'):rep(30000) while true do pcall(string.match, s, '.-.-.-b') end",
        "started() local function f() return f() end f()",
        "started() load('while true do end')()",
        "started() for _ in ('x'):gmatch('.') do while true do end end",
        "wait()",
        "pcall(wait)",
        "pcall(pcall, wait)",
        "while true do pcall(wait) end",
        "local ok = xpcall(wait, function() while true do end end) while true do end",
    ])
    func `an abort stops the script, and no pcall sees it`(source: String) async throws {
        let error = try #require(await abort(source))
        #expect(error.kind == .aborted)
        #expect(error.message == "p99 over 2s")
        #expect(error.location?.file == "scripts/test.lua")
    }

    @Test
    func `an abort says where the script was`() async throws {
        // In one line, since the abort may come as soon as it has started.
        let source = """
            local function loop()
                started() while true do end
            end

            loop()
            """
        let error = try #require(await abort(source))
        #expect(error.location == LuaLocation(file: "scripts/test.lua", line: 2))
        #expect(
            error.traceback
                == """
                scripts/test.lua:2: in function 'loop'
                scripts/test.lua:5: in the main chunk
                """
        )
    }

    @Test(arguments: ["started() while true do end", "wait()", "pcall(wait)"])
    func `closers run on an abort, in their order`(end: String) async throws {
        let notes = Notes()
        let source = """
            local function closer(name)
                return setmetatable({}, { __close = function() note(name) end })
            end
            local outer <close> = closer("outer")
            do
                local inner <close> = closer("inner")
                \(end)
            end
            """
        let error = try #require(await abort(source, notes: notes))
        #expect(error.kind == .aborted)
        #expect(notes.all == ["inner", "outer"])
    }

    @Test(arguments: [
        "while true do end",
        "while true do pcall(error) end",
        "while true do pcall(function() while true do end end) end",
        "string.find(('a'):rep(100), ('.-'):rep(50) .. 'b')",
        "wait()",
    ])
    func `an endless closer is stopped, and the next one runs`(body: String) async throws {
        let notes = Notes()
        let source = """
            local last <close> = setmetatable({}, { __close = function() note("last") end })
            local first <close> = setmetatable({}, { __close = function() \(body) end })
            started()
            while true do end
            """
        let error = try #require(await abort(source, notes: notes))
        #expect(error.kind == .aborted)
        #expect(error.traceback.contains("while closing: "))
        #expect(notes.all == ["last"])
    }

    @Test
    func `closers run when an abort is raised inside a sort callback`() async throws {
        let notes = Notes()
        let source = """
            pcall(function()
                local outer <close> = setmetatable({}, { __close = function() note("outer") end })
                table.sort({ 3, 2, 1 }, function()
                    local inner <close> = setmetatable({}, { __close = function() note("inner") end })
                    started()
                    while true do end
                end)
            end)
            note("went on")
            """
        let error = try #require(await abort(source, notes: notes))
        #expect(error.kind == .aborted)
        #expect(notes.all == ["inner", "outer"])
    }

    @Test
    func `a closer may still use pcall while the script is stopped`() async throws {
        let notes = Notes()
        let source = """
            local x <close> = setmetatable({}, { __close = function()
                local ok, message = pcall(error, "inside", 0)
                note(tostring(ok) .. " " .. message)
            end })
            started()
            while true do end
            """
        _ = try #require(await abort(source, notes: notes))
        #expect(notes.all == ["false inside"])
    }

    @Test
    func `a function that aborts never returns to the script`() async throws {
        let vm = LuaVM()
        let notes = Notes()
        let token = vm.abortToken
        await vm.registerProbes(started: Event(), notes: notes)
        await vm.register("abort") { call in
            token.abort(try call.string(1, "reason"))
            return []
        }
        let error = await failure(of: "pcall(abort, 'by the script') note('went on')", in: vm)
        #expect(error?.kind == .aborted)
        #expect(error?.message == "by the script")
        #expect(notes.all.isEmpty)
    }

    @Test
    func `an abort stays until it is cleared`() async throws {
        let vm = LuaVM()
        vm.abortToken.abort("first")
        vm.abortToken.abort("second")
        #expect(vm.abortToken.reason == "first")
        let error = await failure(of: "return 1", in: vm)
        #expect(error?.kind == .aborted)
        #expect(error?.message == "first")
        vm.abortToken.clear()
        let seen = try await run("return 1", in: vm)
        #expect(seen == [1])
    }

    @Test
    func `a cancelled task stops its script`() async throws {
        let vm = LuaVM()
        let started = Event()
        await vm.registerProbes(started: started)
        let task = Task { await failure(of: "started() while true do end", in: vm) }
        await started.wait()
        task.cancel()
        let error = try #require(await task.value)
        #expect(error.kind == .aborted)
        #expect(error.message == "cancelled")
        let seen2 = try await run("return 1", in: vm)
        #expect(seen2 == [1])
    }

    @Test
    func `a primitive that ignores its cancellation is left behind after the grace`()
        async throws
    {
        let started = Event()
        let release = Event()
        let limits = LuaLimits(abortGrace: .milliseconds(20))
        let error = await abort("stubborn()", started: started, limits: limits) { vm in
            vm.registerAsync("stubborn") { _ in
                started.happen()
                await Task.detached { await release.wait() }.value
                return []
            }
        }
        release.happen()
        #expect(error?.kind == .aborted)
        #expect(error?.message.hasPrefix("p99 over 2s") == true)
        #expect(error?.message.contains("left behind") == true)
    }
}
