// Differences that patch(1) can apply.

import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport
import Testing

@testable import ChaosCatalog

/// The difference of two texts as text.
private func difference(_ old: String?, _ new: String?, _ names: (String, String) = ("a", "b"))
    -> String
{
    let difference = UnifiedDiff(
        from: old.map { Array($0.utf8) },
        named: names.0,
        to: new.map { Array($0.utf8) },
        named: names.1
    )
    return String(decoding: difference.bytes, as: UTF8.self)
}

@Suite
struct `The difference of two definitions` {
    @Test
    func `is that of diff`() {
        let old = (1...20).map { "line \($0)\n" }.joined()
        let new = old.replacing("line 3\n", with: "line three\n").replacing("line 17\n", with: "")
        #expect(
            difference(old, new, ("a@1", "a@2")) == """
                --- a@1
                +++ a@2
                @@ -1,6 +1,6 @@
                 line 1
                 line 2
                -line 3
                +line three
                 line 4
                 line 5
                 line 6
                @@ -14,7 +14,6 @@
                 line 14
                 line 15
                 line 16
                -line 17
                 line 18
                 line 19
                 line 20

                """
        )
    }

    @Test
    func `of equal texts is empty`() {
        #expect(difference("x\n", "x\n").isEmpty)
        #expect(difference(nil, nil).isEmpty)
    }

    /// Texts that are hard to tell apart: empty ones, ends of lines, repeated lines, another's bytes.
    static let pairs = [
        ("", "x\n"), ("x\n", ""), ("x", "x\n"), ("x\n", "x"), ("a\r\nb\n", "a\nb\n"),
        ("a\na\na\na\nb\n", "a\nb\na\na\n"), ("\n\n\n", "\n"),
        ("ä\u{2028}b\n", "a\u{308}\u{2028}b\n"),
        ("x\ny\nz", "y\nz\nx"),
    ]

    @Test(arguments: pairs)
    func `is what patch needs to make one of the other`(_ old: String, _ new: String) async throws {
        let folder = try TestFolder()
        let text = difference(old, new, ("file", "file"))
        try folder.write(old, as: "file")
        try folder.write(text, as: "patch")
        let result = try await Subprocess.run(
            .name("patch"),
            arguments: ["--binary", "-s", "-i", "patch", "-o", "made", "file"],
            workingDirectory: FilePath(folder.path),
            output: .string(limit: 10_000),
            error: .string(limit: 10_000)
        )
        #expect(result.terminationStatus == .exited(0), "\(result.standardOutput)\n\(text)")
        #expect(try Data(contentsOf: folder["made"]) == Data(new.utf8))
    }

    @Test
    func `of two long texts without a line in common takes no time`() {
        let old = (0..<15_000).map { "a\($0)\n" }.joined()
        let new = (0..<15_000).map { "b\($0)\n" }.joined()
        let text = difference(old, new)
        #expect(text.hasPrefix("--- a\n+++ b\n@@ -1,15000 +1,15000 @@\n-a0\n"))
        #expect(text.hasSuffix("+b14999\n"))
    }
}
