// What `make setup` installs, compared with what the benchmarks need.

import Subprocess
import SystemPackage
import Testing

@Suite
struct `Benchmarks and the set-up` {
    private static let missing = """
        import run, shutil
        print([tool for *_, tools in run.SECTIONS.values() for tool in tools if not shutil.which(tool)])
        """

    @Test
    func `every tool that a section needs is installed`() async throws {
        let result = try await Subprocess.run(
            .name("python3"),
            arguments: ["-B", "-c", Self.missing],
            workingDirectory: FilePath(Document.root.appending(path: "bench").path()),
            output: .string(limit: 1 << 16),
            error: .string(limit: 1 << 16)
        )
        #expect(result.standardOutput == "[]\n", "\(result.standardError)")
    }
}
