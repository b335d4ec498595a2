import ChaosModel
import Testing

@Suite
struct `Values with units` {
    @Test(arguments: [
        ("250ms", 0.25), ("2m", 120), ("1m30s", 90), ("1.5s", 1.5), ("0s", 0), ("3us", 3e-6),
        ("3µs", 3e-6), ("1h", 3600), ("1d", 86_400), ("10ns", 1e-8), ("1h2m3s4ms", 3723.004),
    ])
    func `durations`(text: String, seconds: Double) {
        let read = Units.seconds(text)
        #expect(abs((read ?? -1) - seconds) <= 1e-12 * max(1, seconds), "\(text)")
    }

    @Test(arguments: [
        "", "5", "s", "5 s", "5S", "5sec", "1m30", "ms5", "nan s", "inf s", "infs", "0x5s", "--5s",
        "5s ",
        " 5s", "1e5s5",
    ])
    func `what is no duration`(text: String) {
        #expect(Units.seconds(text) == nil)
    }

    @Test
    func `sizes are decimal or binary as written`() {
        #expect(Units.bytes("1kB") == 1000)
        #expect(Units.bytes("1KiB") == 1024)
        #expect(Units.bytes("1.5GB") == 1.5e9)
        #expect(Units.bytes("512MiB") == 536_870_912)
        #expect(Units.bytes("5") == nil)
        #expect(Units.bytes("5mb") == nil)
    }

    @Test
    func `bit rates follow tc`() {
        #expect(Units.bitsPerSecond("10mbit") == 1e7)
        #expect(Units.bitsPerSecond("1bps") == 8)
        #expect(Units.bitsPerSecond("1kbps") == 8000)
        #expect(Units.bitsPerSecond("10Mbit") == nil)
    }

    @Test
    func `rates and shares`() {
        #expect(Units.perSecond("200/s") == 200)
        #expect(Units.perSecond("30/m") == 0.5)
        #expect(Units.perSecond("-1/s") == nil)
        #expect(Units.perSecond("5") == nil)
        #expect(Units.share("10%") == 0.1)
        #expect(Units.share("0.5%") == 0.005)
        #expect(Units.share("10") == nil)
        #expect(Units.share("%") == nil)
    }

    @Test(arguments: [
        (0, "0s"), (0.0005, "500us"), (0.25, "250ms"), (1.5, "1.5s"), (90, "1m30s"),
        (120, "2m"), (3600, "1h"), (5400, "1h30m"), (0.1234, "123ms"),
    ])
    func `durations are spelled as a person would`(seconds: Double, spelled: String) {
        #expect(Duration.seconds(seconds).spelled == spelled)
    }

    @Test
    func `spelled durations are durations again`() throws {
        for seconds in stride(from: 0.0001, to: 8000, by: 13.37) {
            let spelled = Duration.seconds(seconds).spelled
            let again = try #require(Units.seconds(spelled), "\(spelled)")
            #expect(abs(again - seconds) <= seconds * 0.02 + 0.06, "\(seconds) as \(spelled)")
        }
    }

    @Test
    func `thresholds are read in the unit and bare numbers refused`() throws {
        #expect(try MetricUnit.seconds.parse("300ms") == 0.3)
        #expect(try MetricUnit.share.parse("5%") == 0.05)
        #expect(try MetricUnit.number.parse(5) == 5)
        #expect(try MetricUnit.number.parse("300ms") == 0.3)
        #expect(try MetricUnit.number.parse(true) == 1)
        do {
            _ = try MetricUnit.share.parse(5)
            Issue.record("a bare number was accepted")
        } catch {
            #expect(error.text == "needs a unit: write \"5%\", got the bare number 5")
        }
    }

    @Test
    func `values are spelled in their unit`() {
        #expect(MetricUnit.seconds.spelled(0.3) == "300ms")
        #expect(MetricUnit.share.spelled(0.0512) == "5.12%")
        #expect(MetricUnit.bytes.spelled(536_870_912) == "512MiB")
        #expect(MetricUnit.perSecond.spelled(20) == "20/s")
        #expect(MetricUnit.number.spelled(1) == "1")
        #expect(MetricUnit.seconds.spelled(.nan) == "NaN")
        #expect(MetricUnit.bytes.spelled(-.infinity) == "-Inf")
    }
}

@Suite
struct `Thresholds` {
    @Test
    func `they admit what they say`() {
        #expect(Threshold.below(1).admits(0.999))
        #expect(!Threshold.below(1).admits(1))
        #expect(!Threshold.above(1).admits(1))
        #expect(Threshold.equals(1).admits(1 + 1e-12))
        #expect(!Threshold.equals(1).admits(1.001))
        #expect(Threshold.equals(0).admits(-0.0))
        #expect(Threshold.between(1, 2).admits(1) && Threshold.between(1, 2).admits(2))
        #expect(!Threshold.between(1, 2).admits(2.1))
        #expect(Threshold.oneOf([200, 204]).admits(204))
        #expect(!Threshold.oneOf([200, 204]).admits(203))
    }

    @Test
    func `NaN is never admitted and infinities compare as such`() {
        let all: [Threshold] = [
            .below(1), .above(1), .equals(.nan), .between(-.infinity, .infinity), .oneOf([.nan]),
        ]
        #expect(all.allSatisfy { !$0.admits(.nan) })
        #expect(Threshold.above(0).admits(.infinity))
        #expect(!Threshold.below(0.01).admits(.infinity))
        #expect(Threshold.equals(.infinity).admits(.infinity))
        #expect(!Threshold.equals(.infinity).admits(5))
        #expect(!Threshold.equals(5).admits(.infinity))
        #expect(!Threshold.equals(.infinity).admits(-.infinity))
    }

    @Test
    func `they are spelled in the unit`() {
        #expect(Threshold.below(0.3).spelled(in: .seconds) == "below 300ms")
        #expect(Threshold.between(0.1, 0.3).spelled(in: .share) == "between 10% and 30%")
        #expect(Threshold.between(-.infinity, 2).spelled(in: .seconds) == "at most 2s")
        #expect(Threshold.between(2, .infinity).spelled(in: .number) == "at least 2")
        #expect(Threshold.oneOf([1, 2]).spelled(in: .number) == "one of 1, 2")
    }
}
