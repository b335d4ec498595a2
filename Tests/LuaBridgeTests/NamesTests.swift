// Strict globals, read-only namespaces, and require.

import Foundation
import LuaBridge
import TestSupport
import Testing

@Suite
struct NamesTests {
    private func machine() async -> LuaVM {
        let vm = LuaVM()
        await vm.register("inject") { _ in [] }
        await vm.register("fault.network.latency") { call in [call[1]] }
        await vm.register("fault.network.loss") { call in [call[1]] }
        return vm
    }

    @Test
    func `what was registered can be listed, and nothing of Lua's own`() async {
        let bare = await Set(LuaVM().registered)
        let own = await machine().registered.filter { !bare.contains($0) }
        #expect(own == ["fault.network.latency", "fault.network.loss", "inject"])
    }

    @Test(arguments: [
        ("injcet()", "the global injcet is unknown; did you mean inject?"),
        ("return something_else", "the global something_else is unknown"),
        ("fault.netwrk.latency {}", "fault.netwrk is unknown; did you mean fault.network?"),
        (
            "fault.network.latncy {}",
            "fault.network.latncy is unknown; did you mean fault.network.latency?"
        ),
        ("return string.formt", "string.formt is unknown; did you mean string.format?"),
        ("x = 1", "cannot assign the global x: use local x"),
        (
            "local function f() count = 1 end f()",
            "cannot assign the global count inside a function: declare it with local"
        ),
        ("print = 1", "cannot assign print: it is built in and read-only"),
        ("fault = 1", "cannot assign fault: it is built in and read-only"),
        ("_G.x = 1", "cannot assign the global x: use local x"),
        ("fault.network = 1", "cannot assign fault.network: fault is read-only"),
        (
            "fault.network.latency = nil",
            "cannot assign fault.network.latency: fault.network is read-only"
        ),
        ("fault.new = 1", "cannot assign fault.new: fault is read-only"),
        ("string.format = 1", "cannot assign string.format: string is read-only"),
        ("rawset(_G, 'x', 1)", "rawset: the table is read-only"),
        ("setmetatable(_G, {})", "cannot change a protected metatable"),
    ])
    func `names are strict, and the nearest is named`(source: String, message: String) async throws
    {
        let error = await failure(of: "\n" + source, in: machine())
        #expect(error?.message == message)
        #expect(error?.location == LuaLocation(file: "scripts/test.lua", line: 2))
    }

    @Test
    func `pairs goes over a namespace but does not hand out its table`() async throws {
        let source = """
            local names = {}
            for name in pairs(fault.network) do names[#names + 1] = name end
            table.sort(names)
            local _, copy = pairs(fault.network)
            copy.latency = nil
            return table.concat(names, " "), fault.network.latency(3), getmetatable(fault)
            """
        let seen = try await run(source, in: machine())
        #expect(seen == ["latency loss", 3, "locked"])
    }

    @Test
    func `values can be registered`() async throws {
        let vm = LuaVM()
        try await vm.register("moonquake.version", value: "1.0")
        let seen2 = try await run("return moonquake.version", in: vm)
        #expect(seen2 == ["1.0"])
    }

    @Test
    func `the nearest name is near`() {
        #expect(LuaNames.nearest(to: "latecny", among: ["loss", "latency"]) == "latency")
        #expect(LuaNames.nearest(to: "bandwidth", among: ["loss", "latency"]) == nil)
        #expect(LuaNames.nearest(to: "", among: ["a"]) == "a")
        #expect(LuaNames.nearest(to: "x", among: []) == nil)
    }
}

@Suite
struct RequireTests {
    private let folder: TestFolder

    init() throws {
        folder = try TestFolder()
        try write("scripts/near.lua", "local M = { name = ... } return M")
        try write(
            "scripts/main.lua",
            "#!/usr/bin/env moonquake\nlocal x = require 'near'\nreturn x.name"
        )
        try write("lib/std/far.lua", "return { where = select(2, ...) }")
        try write("lib/near.lua", "return 'hidden by the script folder'")
        try write("lib/package/init.lua", "return 'init'")
        try write("lib/a.lua", "return require 'b'")
        try write("lib/b.lua", "local a = require 'a' return a")
        try write("lib/broken.lua", "local x =")
        try write("lib/raising.lua", "\nerror('at load')")
        try write("lib/waiting.lua", "return later()")
        try write("lib/none.lua", "count()")
    }

    private func write(_ path: String, _ text: String) throws {
        try folder.write(text, as: path)
    }

    private func machine() -> LuaVM {
        LuaVM(
            scriptFolder: folder["scripts"].path,
            libraryFolders: [folder["lib"].path]
        )
    }

    @Test
    func `the script folder comes before the libraries`() async throws {
        let vm = machine()
        let source =
            "return require('near').name, require 'package', require('near') == require('near')"
        let seen3 = try await run(source, in: vm)
        #expect(seen3 == ["near", "init", true])
        let path = folder["lib/std/far.lua"].path
        let seen4 = try await run("return require('std.far').where", in: vm)
        #expect(seen4 == [.string(path)])
    }

    @Test
    func `a file is run under the path that was given`() async throws {
        let vm = machine()
        let path = folder["scripts/main.lua"].path
        let script = try await vm.load(file: path)
        #expect(script.location?.file == path)
        let seen5 = try await vm.run(script)
        #expect(seen5 == ["near"])
        let error = await #expect(throws: LuaError.self) { try await vm.load(file: "no/such.lua") }
        #expect(error?.message == "cannot read no/such.lua: No such file or directory")
    }

    @Test(arguments: ["../lib/a", "..", "/etc/passwd", "a..b", "", "a/b", "a\\0b"])
    func `names that leave the folders are refused`(name: String) async throws {
        let error = await failure(of: "require '\(name)'", in: machine())
        #expect(error?.message.contains("is no module name") == true)
    }

    @Test
    func `a module that is missing says where it was looked for`() async throws {
        let error = try #require(await failure(of: "require 'missing'", in: machine()))
        #expect(error.message.hasPrefix("require: the module missing was not found; looked for "))
        #expect(error.message.contains("scripts/missing.lua"))
        #expect(error.message.contains("lib/missing/init.lua"))
        #expect(error.location?.file == "scripts/test.lua")
    }

    @Test
    func `modules in a circle are an error, and so is a broken one`() async throws {
        let vm = machine()
        let circle = await failure(of: "require 'a'", in: vm)
        #expect(circle?.message.contains("is still being loaded") == true)
        #expect(circle?.location?.file.hasSuffix("lib/b.lua") == true)
        let broken = await failure(of: "require 'broken'", in: vm)
        #expect(broken?.underlying is LuaError)
        #expect(broken?.message.contains("lib/broken.lua:1") == true)
        let raising = await failure(of: "require 'raising'", in: vm)
        #expect(raising?.location?.file.hasSuffix("lib/raising.lua") == true)
        #expect(raising?.location?.line == 2)
        let again = await failure(of: "require 'raising'", in: vm)
        #expect(again?.message == "at load")
    }

    @Test
    func `a module may wait while it loads, and runs once`() async throws {
        let vm = machine()
        let notes = Notes()
        await vm.registerAsync("later") { _ in
            await Task.yield()
            return ["later"]
        }
        await vm.register("count") { _ in
            notes.add("loaded")
            return []
        }
        let seen6 = try await run("return require 'waiting'", in: vm)
        #expect(seen6 == ["later"])
        let seen7 = try await run("require 'none' return require 'none'", in: vm)
        #expect(seen7 == [true])
        #expect(notes.all == ["loaded"])
    }
}
