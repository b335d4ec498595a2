// The modules that a script names, read once and kept.

import Foundation
import TestSupport
import Testing

@testable import LuaBridge

@Suite
struct ModuleTextTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func write(_ path: String, _ text: String) throws {
        try folder.write(text, as: path)
    }

    private func texts(of script: String, mostBytes: Int = 1000) throws -> LuaModuleTexts {
        try LuaModuleTexts(
            requiredBy: Array(script.utf8),
            in: folder.path,
            mostBytes: mostBytes
        )
    }

    @Test(arguments: [
        ("require \"a\"", ["a"]), ("require'a.b'", ["a.b"]), ("require(\"a\")", ["a"]),
        ("require ( 'a' )", ["a"]), ("require[[a]]", ["a"]), ("local x=require\n\"a\"", ["a"]),
        ("-- require 'a' in a comment", ["a"]), ("require 'a' require \"b\"", ["a", "b"]),
        ("require(name)", []), ("my_require 'a'", []), ("required 'a'", []), ("require", []),
        ("require 'a", ["a"]), ("require \"\"", [""]), ("(require)('a')", []), ("", []),
    ])
    func `a name that is written out is seen`(_ script: String, _ names: [String]) {
        #expect(LuaModuleTexts.names(in: script.utf8) == names)
    }

    @Test
    func `what a module names is read too, each once, also in a circle`() throws {
        try write("a.lua", "require 'lib.b'")
        try write("lib/b.lua", "require 'a' require 'lib.c'")
        try write("lib/c/init.lua", "return 1")
        try write("unused.lua", "return 2")
        let found = try texts(of: "require 'a' require 'missing' require '../b' require 'a'")
        #expect(found.files.keys.sorted() == ["a.lua", "lib/b.lua", "lib/c/init.lua"])
        #expect(found.files["lib/c/init.lua"] == Array("return 1".utf8))
        #expect(!found.isAll)
    }

    @Test
    func `what is too large is left to require, and too many are refused`() throws {
        try write("large.lua", String(repeating: " ", count: 2000))
        #expect(try texts(of: "require 'large'").files.isEmpty)
        for number in 0...LuaModuleTexts.mostFiles { try write("m\(number).lua", "") }
        let script = (0...LuaModuleTexts.mostFiles).map { "require 'm\($0)'\n" }.joined()
        #expect(throws: LuaNameError.self) { try texts(of: script) }
    }

    @Test
    func `a state takes what was read, whatever the file says by then`() async throws {
        try write("near.lua", "#!/bin/sh\nreturn 'then'")
        try write("other.lua", "return 'read now'")
        let known = try texts(of: "require 'near'")
        try write("near.lua", "return 'now'")
        let vm = LuaVM(scriptFolder: folder.path, modules: known)
        #expect(
            try await run("return require 'near', require 'other'", in: vm) == ["then", "read now"]
        )
    }

    @Test
    func `a stored script has its own modules and the libraries, and nothing else`() async throws {
        try write("near.lua", "return 1")
        try write("other.lua", "return 2")
        try write("library/far.lua", "return 3")
        var known = try texts(of: "require 'near'")
        known.isAll = true
        let vm = LuaVM(
            scriptFolder: folder.path,
            libraryFolders: [folder["library"].path],
            modules: known
        )
        #expect(try await run("return require 'near', require 'far'", in: vm) == [1, 3])
        let error = try #require(await failure(of: "require 'other'", in: vm))
        #expect(error.message.hasSuffix("only the modules that it names literally are kept"))
    }
}
