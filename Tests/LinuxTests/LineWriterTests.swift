// An agent and its runner write to each other, and either may end at any moment.

import Glibc
import Testing

@testable import ChaosLinux

@Suite
struct LineWriterTests {
    @Test
    func `a line to a reader that is gone does not end us`() {
        // As a program begins with it.
        signal(SIGPIPE, SIG_DFL)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        let writer = LineWriter(ends[1])
        writer.send("are you there?")
        writer.flush(atMost: 5)
    }
}
