// Times as text, both ways.

import ChaosModel
import Testing

@Suite
struct `Times as text` {
    @Test(arguments: [
        ("2026-11-25", 1_795_564_800.0), ("2026-11-25T08:30:00Z", 1_795_595_400),
        ("2026-11-25T09:30:00+01:00", 1_795_595_400),
        ("2026-11-25T08:30:00.250Z", 1_795_595_400.25),
    ])
    func `are read in UTC`(_ text: String, _ seconds: Double) {
        #expect(Timestamp.seconds(text) == seconds)
    }

    @Test(arguments: ["", "7d", "25.11.2026", "2026-13-01", "2026-11-25 10:00", "tomorrow"])
    func `what is none is none`(_ text: String) {
        #expect(Timestamp.seconds(text) == nil)
    }

    @Test
    func `are written as they are read`() {
        #expect(Timestamp.iso8601(1_795_595_400) == "2026-11-25T08:30:00.000Z")
    }
}
