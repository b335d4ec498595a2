// What a file of tests says while its top level runs.

import ChaosModel
import LuaBridge
import Synchronization

/// A file of tests that cannot be run; its exit code is 2.
package struct TestFileError: Error, CustomStringConvertible {
    package let description: String
    /// The calls that led there.
    package let traceback: String

    init(_ description: String, traceback: String = "") {
        self.description = description
        self.traceback = traceback
    }
}

/// A test that was declared.
struct DeclaredTest: Sendable {
    var name: String
    var function: LuaFunction
    var location: SourceLocation?
}

/// The tests of a file, in their order.
final class DeclaredTests: Sendable {
    private let tests = Mutex<[DeclaredTest]>([])

    var all: [DeclaredTest] { tests.withLock { $0 } }

    /// Takes `test("name", function(t) … end)`.
    func add(_ call: LuaCall) throws {
        guard let name = call[1].string, !name.isEmpty, let function = call[2].function,
            call.arguments.count == 2
        else {
            throw TestMistake("test: write test(\"name\", function(t) … end)")
        }
        guard !all.contains(where: { $0.name == name }) else {
            throw TestMistake("test: two tests are called \"\(name)\": give each its own name")
        }
        let place = call.location.map { SourceLocation(file: $0.file, line: $0.line) }
        tests.withLock {
            $0.append(DeclaredTest(name: name, function: function, location: place))
        }
    }
}

/// What a test prints.
final class Printed: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    /// All so far, which is forgotten then.
    func take() -> [String] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }
}

extension TestFailure {
    /// The failure in a Lua error.
    init(_ error: LuaError) {
        message = error.message
        location = error.location.map { SourceLocation(file: $0.file, line: $0.line) }
        let calls = error.traceback.split(separator: "\n").map(String.init)
        traceback = calls.count > 1 ? calls : []
    }
}
