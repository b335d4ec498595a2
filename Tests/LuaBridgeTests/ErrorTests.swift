// Errors on their way between the two sides.

import CLua
import Foundation
@testable import LuaBridge
import Synchronization
import Testing

private struct Refusal: Error, Equatable, CustomStringConvertible {
    let description: String
}

/// Counts its living instances.
private final class Counted: Error {
    static let living = Atomic(0)

    init() { Self.living.add(1, ordering: .relaxed) }
    deinit { Self.living.subtract(1, ordering: .relaxed) }
}

@Suite
struct ErrorTests {
    private func machine() async -> LuaVM {
        let vm = LuaVM()
        await vm.register("refuse") { call in
            throw Refusal(description: "refused \(call[1].string ?? "nothing")")
        }
        await vm.registerAsync("refuse_later") { _ in
            await Task.yield()
            throw Refusal(description: "refused later")
        }
        return vm
    }

    @Test
    func `an uncaught Swift error comes back with file, line and itself`() async throws {
        let source = """
            local function try()
                refuse("all")
            end
            try()
            """
        let error = try #require(await failure(of: source, in: machine()))
        #expect(error.kind == .runtime)
        #expect(error.message == "refused all")
        #expect(error.location == LuaLocation(file: "scripts/test.lua", line: 2))
        #expect(error.underlying as? Refusal == Refusal(description: "refused all"))
        #expect(error.description == "refused all (scripts/test.lua:2)")
        #expect(
            error.traceback == """
                scripts/test.lua:2: in function 'try'
                scripts/test.lua:4: in the main chunk
                """
        )
    }

    @Test
    func `an error of a waiting function has the line of its call`() async throws {
        let error = try #require(await failure(of: "\n\nrefuse_later()", in: machine()))
        #expect(error.message == "refused later")
        #expect(error.location?.line == 3)
        #expect(error.underlying is Refusal)
    }

    @Test
    func `a script catches a Swift error as a string with file and line`() async throws {
        let values = try await run(
            "local ok, e = pcall(function() refuse() end) return ok, e",
            in: machine()
        )
        #expect(values == [false, "scripts/test.lua:1: refused nothing"])
    }

    @Test
    func `a script catches an error of a waiting function`() async throws {
        let values = try await run(
            "local ok, e = pcall(function() refuse_later() end) return ok, e",
            in: machine()
        )
        #expect(values == [false, "scripts/test.lua:1: refused later"])
    }

    @Test
    func `an error that was caught and raised again keeps the Swift error`() async throws {
        let source = "local ok, e = pcall(refuse, 'x') error(e, 0)"
        let error = try #require(await failure(of: source, in: machine()))
        #expect(error.underlying is Refusal)
    }

    @Test
    func `an error that replaced a caught one has no Swift error`() async throws {
        let source = "pcall(refuse) error('another')"
        let error = try #require(await failure(of: source, in: machine()))
        #expect(error.message == "another")
        #expect(error.underlying == nil)
    }

    @Test
    func `errors of Lua have file and line`() async throws {
        let error = try #require(await failure(of: "local t\n\nlocal x = t.y"))
        #expect(error.message == "attempt to index a nil value (local 't')")
        #expect(error.location == LuaLocation(file: "scripts/test.lua", line: 3))
    }

    @Test
    func `error with level 2 is about the caller`() async throws {
        let source = """
            local function check(x)
                error("x is wrong", 2)
            end
            check()
            """
        let error = try #require(await failure(of: source))
        #expect(error.message == "x is wrong")
        #expect(error.location?.line == 4)
    }

    @Test
    func `a raised table comes back as a value`() async throws {
        let error = try #require(await failure(of: "error { code = 7, message = 'seven' }"))
        #expect(error.message == "seven")
        #expect(error.value?.table?["code"] == 7)
    }

    @Test
    func `syntax errors have file and line`() async throws {
        let error = try #require(await failure(of: "local x = 1\nif x then\nend end"))
        #expect(error.kind == .syntax)
        #expect(error.message == "<eof> expected near 'end'")
        #expect(error.description == "<eof> expected near 'end' (scripts/test.lua:3)")
    }

    @Test
    func `long paths are not shortened`() async throws {
        let vm = LuaVM()
        let name = "scripts/" + String(repeating: "long/", count: 30) + "x.lua"
        let script = try await vm.load(source: "local x = nil + 1", name: name)
        let error = await #expect(throws: LuaError.self) { try await vm.run(script) }
        #expect(error?.location == LuaLocation(file: name, line: 1))
        #expect(error?.message == "attempt to perform arithmetic on a nil value")
    }

    @Test
    func `an error in a closer is the script's error`() async throws {
        let source = """
            do
                local x <close> = setmetatable({}, { __close = function() error("in closer") end })
            end
            """
        let error = try #require(await failure(of: source))
        #expect(error.message == "in closer")
        #expect(error.location?.line == 2)
    }

    @Test
    func `a binary chunk is refused`() async throws {
        let error = try #require(await failure(of: "\u{1B}Lua"))
        #expect(error.kind == .syntax)
    }

    /// The counter-proof: what the bridge never does is noticed at once.
    @Test
    func `a longjmp across a Swift frame ends the process`() async {
        await #expect(processExitsWith: .signal(SIGABRT)) {
            let vm = LuaVM()
            await vm.configure { vm in
                let wrong = LuaHostFunction(
                    name: "wrong",
                    .raw { frame in
                        lua_pushnil(frame.stack)
                        return lua_error(frame.stack)
                    }
                )
                vm.state.define("wrong") { vm.state.push(wrong, on: $0) }
            }
            try await run("pcall(wrong)", in: vm)
        }
    }

    @Test
    func `1000 throwing calls leak no objects`() async throws {
        let vm = LuaVM()
        await vm.register("throw") { _ in
            let held = [Counted(), Counted()]
            throw held[0]
        }
        await vm.registerAsync("throw_later") { _ in
            await Task.yield()
            throw Counted()
        }
        try await run("for _ = 1, 1000 do pcall(throw) pcall(throw_later) end", in: vm)
        #expect(Counted.living.load(ordering: .relaxed) == 0)
    }
}
