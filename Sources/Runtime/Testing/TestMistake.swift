// What is wrong with a test itself, and what a test finds wrong.

/// A call of the test's functions that cannot be followed; Lua puts file and line before it.
struct TestMistake: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// An expectation that does not hold; Lua puts file and line before it.
struct FailedExpectation: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
