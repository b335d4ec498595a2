// The first experiment of README, run as it stands on the server that README starts; only the port is another.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct ReadmeTests {
    @Test
    func `the first experiment runs as README says, and its report is a page`() throws {
        try Sandbox.with { box in
            let readme = try #require(File.text(Moonquake.tree + "/README.md"))
            let start = try #require(readme.firstRange(of: "```lua\n"))
            let end = try #require(readme[start.upperBound...].firstRange(of: "\n```"))
            let port = try box.freePorts(1)
            let text = readme[start.upperBound..<end.lowerBound].replacing("8099", with: "\(port)")
            #expect(text.contains("\(port)"))
            let script = try box.write("first.lua", text + "\n")
            let server = try box.start([
                "python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                box.folder,
                "\(port)",
            ])
            let isUp = eventually(holds: { server.output.contains("Serving HTTP") })
            #expect(isUp, "\(server.errors)")
            let plan = try box.moonquake("check", "--plan", script)
            #expect(plan.code == 0 && plan.output.contains("stops process"), "\(plan.errors)")
            let page = box.folder + "/first.html"
            let run = try box.moonquake("run", script, "--report", page)
            #expect(run.code == 0, "\(run.errors)\(run.output)")
            #expect(File.text(page)?.contains("<svg class=\"chart\"") == true)
            let longer = text.replacing("wait \"500ms\"", with: "wait \"5s\"")
                .replacing("max_duration = \"2s\"", with: "max_duration = \"10s\"")
            let long = try box.moonquake("run", try box.write("long.lua", longer + "\n"))
            #expect(long.code == 3, "\(long.errors)\(long.output)")
            #expect(long.output.contains("verdict DEVIATED · status aborted · restored · exit 3"))
            #expect(long.output.contains("abort threshold of errors is"), "\(long.output)")
        }
    }
}
