// A file of tests: `test("name", function(t) … end)` declares, and each is run with a clock of its own.

package import ChaosModel
import LuaBridge

/// How one test ended.
package struct TestResult: Sendable {
    /// The name.
    package var name: String
    /// Where it is declared.
    package var location: SourceLocation?
    /// What does not hold, with its place; nil when all held.
    package var failure: TestFailure?
    /// How long it really took.
    package var took: Duration
    /// The lines that it printed.
    package var printed: [String]
    /// What it ran.
    package var records: [TestRecord]
}

/// Why a test failed.
package struct TestFailure: Sendable {
    /// The message.
    package var message: String
    /// The line of the test.
    package var location: SourceLocation?
    /// The calls that led there from the test, when there are several.
    package var traceback: [String]
}

/// A file of tests.
package struct TestFile: Sendable {
    private let parts: TestParts
    private let vm: LuaVM
    private let folder: String
    private let declared: [DeclaredTest]
    private let printed: Printed

    /// The names of the tests, in their order.
    package var names: [String] { declared.map(\.name) }

    /// Loads a file.
    ///
    /// - Throws: what is wrong with it, in one message with file and line.
    package init(_ path: String, parts: TestParts) async throws(TestFileError) {
        self.parts = parts
        folder =
            path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ""
        let vm = LuaVM(
            limits: LuaLimits(instructions: TestParts.instructions),
            scriptFolder: folder.isEmpty ? "." : folder,
            libraryFolders: parts.libraryFolders,
            jobs: { OneThread.shared.append($0) }
        )
        let tests = DeclaredTests()
        let printed = Printed()
        self.vm = vm
        self.printed = printed
        await vm.configure { vm in
            vm.seedRandom(parts.seed)
            vm.onPrint { line, _ in printed.add(line) }
            vm.register("test") { call in
                try tests.add(call)
                return []
            }
        }
        do throws(LuaError) {
            try await vm.run(try await vm.load(file: path))
        } catch {
            throw TestFileError(error.description, traceback: error.traceback)
        }
        declared = tests.all
        guard !declared.isEmpty else {
            throw TestFileError("\(path) declares no test: write test(\"name\", function(t) … end)")
        }
    }

    /// Runs the tests whose names a filter lets through.
    package func run(
        where isWanted: (String) -> Bool,
        each: (TestResult) throws -> Void
    ) async throws {
        for test in declared where isWanted(test.name) { try each(await run(test)) }
    }

    private func run(_ test: DeclaredTest) async -> TestResult {
        let trial = Trial(parts: parts, vm: vm, folder: folder)
        await vm.seedRandom(parts.seed)
        await vm.setClock { trial.clock.secondsSince1970 }
        _ = printed.take()
        let began = ContinuousClock.now
        var failure: TestFailure?
        do throws(LuaError) {
            try await vm.call(test.function, [trial.table])
        } catch {
            failure = TestFailure(error)
        }
        return TestResult(
            name: test.name,
            location: test.location,
            failure: failure,
            took: ContinuousClock.now - began,
            printed: printed.take(),
            records: trial.records
        )
    }
}
